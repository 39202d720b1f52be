"""What a merge says of the branches below and above it: the base that moved on, solved conflicts, `--into`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from gitorch.cli.terminal.layout import Line, Look
from gitorch.cli.views.labels import plural

if TYPE_CHECKING:
    from gitorch.flow.merge import MergePlan


def base_lines(plan: MergePlan, integration: str, look: Look) -> list[Line]:
    """Return what becomes of the integration branch where its base moved on; nothing where it did not."""
    from gitorch.flow.merge import NotRebased
    from gitorch.replay import Conflicted

    found = plan.rebased
    if found is None:
        return []
    moved = f"{look.clean(found.branch)} moved by {plural(found.ahead, 'commit')}: "
    if isinstance(found, NotRebased):
        return [[(f"{moved}{look.clean(integration)} stays, because {look.clean(found.reason)}", "yellow")]]
    if isinstance(found.replayed, Conflicted):
        paths = ", ".join(look.clean(path) for path in found.replayed.paths)
        return [[(f"{moved}{look.clean(integration)} conflicts with it in {paths}", "bold red")]]
    own = plural(len(found.replayed.pairs), "merged commit")
    return [[(moved, ""), (f"{own} {'is' if len(found.replayed.pairs) == 1 else 'are'} replayed on it first", "bold")]]


def resolved_lines(plan: MergePlan, look: Look) -> list[Line]:
    """Return which conflicts were solved on the way, and by what."""
    return [
        [
            (f"{look.clean(step.task.id)}: ", "bold"),
            (f"the conflict in {', '.join(look.clean(path) for path in one.paths)} was solved by {one.by}", "yellow"),
        ]
        for step in plan.steps
        for one in step.replayed.resolved
    ]


def target_lines(plan: MergePlan, look: Look, *, dry_run: bool) -> list[Line]:
    """Return what becomes of the branch that `--into` names."""
    if plan.target is None or plan.is_stuck or (plan.before is None and not plan.steps):
        return []
    name = look.clean(plan.target.branch)
    if plan.target.before == plan.tip:
        return [[(f"{name} is there already, at {plan.tip[:7]}", "")]]
    word = "would be" if dry_run else "was"
    line: Line = [(f"{name} {word} moved forward to {plan.tip[:7]}", "bold"), (f" (from {plan.target.before[:7]})", "")]
    if not dry_run and not plan.results:
        line.append((f"{look.dot}no check judged it", "bold red"))
    return [line]


def target_commands(plan: MergePlan, look: Look) -> list[tuple[str, str]]:
    """Return what a person does after `--into`: gitorch itself never pushes."""
    if plan.target is None:
        return []
    if plan.target.remote:
        refs = plan.target.branch if plan.target.branch == plan.target.upstream else plan.target.spec
        command = f"git push {shlex.quote(plan.target.remote)} {shlex.quote(refs)}"
        return [(look.clean(command), "gitorch never pushes")]
    seen = shlex.quote(f"{plan.target.before[:7]}..{plan.target.branch}")
    return [(look.clean(f"git log --oneline {seen}"), "what came in")]


def rebase_command(plan: MergePlan, integration: str, look: Look) -> list[tuple[str, str]]:
    """Return how a person brings the integration branch onto its base by hand, notes included."""
    assert plan.rebased is not None
    refs = f"{shlex.quote(plan.rebased.branch)} {shlex.quote(integration)}"
    command = f"git -c notes.rewriteRef=refs/notes/gitorch rebase {refs}"
    return [(look.clean(command), "solve it by hand; then merge again")]
