"""The tasks of a merge, each with its mark and what happens to it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from rich.text import Text

from gitorch.cli.terminal.style import Span, TerminalStyle
from gitorch.cli.views.quantities import listed, plural
from gitorch.cli.views.status import PROGRAM
from gitorch.flow.merge import Blocked, Failure, MergeConflict, MergePlan, MergeStep
from gitorch.model.task import Task

MERGED = "merged work"
"""The partner of a conflict with what is already merged."""

REVIEW = ((f"{PROGRAM} review", "approve tasks first"),)

Entry = tuple[Task, Span, Text]
"""A task of a merge, its mark (its position, or a symbol), and what happens to it."""


def left_out_entries(plan: MergePlan, terminal: TerminalStyle) -> dict[str, Entry]:
    """Return what is not merged, each task once: a merge that went task by task may name it twice."""
    merged = {step.task.id for step in plan.steps}
    return {entry[0].id: entry for entry in _obstacles(plan, terminal) if entry[0].id not in merged}


def _obstacles(plan: MergePlan, terminal: TerminalStyle) -> Iterator[Entry]:
    for conflict in plan.conflicts:
        yield conflict.task, (terminal.pick("≠", "!"), "bold red"), _conflict_details(conflict, terminal)
    for failure in plan.failures:
        yield failure.task, (terminal.pick("✗", "x"), "bold red"), _failure_details(failure, terminal)
    for blocked in plan.blocked:
        yield blocked.task, (terminal.pick("–", "-"), "yellow"), _blocked_details(blocked, terminal)  # noqa: RUF001


def step_details(step: MergeStep, plan: MergePlan, terminal: TerminalStyle) -> Text:
    merged = {other.task.id for other in plan.steps}
    dependencies = [terminal.clean(name) for name in step.task.spec.after if name in merged]
    after = f", after {', '.join(dependencies)}" if len(dependencies) > 1 else ""
    commits = len(step.replayed.pairs)
    changes = f"{plural(commits, 'commit')}, {plural(len(step.paths), 'file')}" if commits else "already merged"
    return Text.assemble(changes, (after, "dim"))


def _conflict_details(conflict: MergeConflict, terminal: TerminalStyle) -> Text:
    paths = listed([*map(terminal.clean, conflict.paths)])
    partners = ", ".join(map(terminal.clean, conflict.partners)) or MERGED
    return Text.assemble(("conflicts in ", "red"), (paths, "bold"), (" with ", "red"), (partners, "bold"))


def _failure_details(failure: Failure, terminal: TerminalStyle) -> Text:
    check = (terminal.clean(failure.check), "bold")
    if failure.partners:
        partners = (", ".join(map(terminal.clean, failure.partners)), "bold")
        together = " passes alone, fails together with " if failure.alone else " fails together with "
        return Text.assemble(("check ", "red"), check, (together, "red"), partners)
    reason = " fails on it alone" if failure.alone is False else " fails with it"
    return Text.assemble(("left out: check ", "red"), check, (reason, "red"))


def _blocked_details(blocked: Blocked, terminal: TerminalStyle) -> Text:
    return Text.assemble(("blocked: ", "yellow"), terminal.clean(blocked.reason))


def resolved_commands(plan: MergePlan) -> list[tuple[str, str]]:
    """Return the command that takes the proven resolutions that wait."""
    ready = plan.ready
    if not ready:
        return []
    into = f" --into {shlex.quote(plan.target.branch)}" if plan.target else ""
    return [(f"{PROGRAM} merge{into} --resolved", f"take {plural(len(ready), 'proven resolution')}")]


def retry_commands(plan: MergePlan) -> list[tuple[str, str]]:
    ready = {resolution.task for resolution in plan.ready}
    conflicts = [conflict for conflict in plan.conflicts if conflict.task.id not in ready]
    return [(f"{PROGRAM} retry {conflict.task.id}", "new attempt on top of the others") for conflict in conflicts[:2]]
