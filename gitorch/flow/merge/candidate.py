"""The night's candidate: all completed work on the integration branch, in dependency order, and what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from gitorch.flow.merge.values import Plan
from gitorch.model import graph
from gitorch.model.forecast import Candidate, Judgement, LeftOut, Red
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task

COMPLETED = frozenset({State.FINISHED, State.APPROVED, State.CONFLICTED})


class Gathered(msgspec.Struct, frozen=True):
    """The completed tasks in merge order, and those that are not to go in, with the reason."""

    chosen: tuple[Task, ...]
    left_out: tuple[LeftOut, ...]


def gather(tasks: Mapping[TaskId, Task]) -> Gathered:
    """Return the completed tasks that may go in, and why others may not: stale, or red by themselves.

    What is red by itself would hide who turns the union red; a person who approved it although it is red decided so.
    """
    completed = [task for task in tasks.values() if task.state in COMPLETED]
    reasons = {task.id: reason for task in completed if (reason := _why_not(task))}
    chosen = graph.merge_order(task for task in completed if task.id not in reasons)
    return Gathered(tuple(chosen), tuple(LeftOut(task=name, reason=reason) for name, reason in reasons.items()))


def _why_not(task: Task) -> str:
    if task.stale:
        return "stale: what it builds on has changed since"
    if task.state is State.FINISHED and task.passed is False:
        failed = ", ".join(result.name for result in task.results if not result.passed)
        return f"its own checks fail: {failed}"
    return ""


Ground = tuple[Oid | None, Oid | None]
"""What a candidate stands on: where the integration branch is, and where its base is."""


def record(
    made: Plan, tree: Oid, gathered: Gathered, ground: Ground, *, branch: str, before: Oid | None, when: datetime
) -> Candidate:
    """Return what there is to say of a candidate before its checks."""
    clashes = (
        LeftOut(
            task=clash.task.id,
            reason=f"conflicts with {', '.join(clash.partners) or 'what is merged'}",
            partners=clash.partners,
            paths=clash.paths,
        )
        for clash in made.clashes
    )
    held = (LeftOut(task=one.task.id, reason=one.reason) for one in made.held)
    return Candidate(
        branch=branch,
        tip=made.tip,
        tree=tree,
        onto=made.onto,
        before=before,
        when=when,
        tasks=_tips(step.task for step in made.steps),
        made_of=_tips(gathered.chosen),
        ground=ground,
        left_out=(*gathered.left_out, *clashes, *held),
    )


def _tips(tasks: Iterable[Task]) -> dict[TaskId, Oid]:
    return {task.id: task.tip for task in tasks if task.tip}


def is_current(known: Candidate, gathered: Gathered, ground: Ground) -> bool:
    """Tell whether a candidate is made of just this work, on this ground."""
    own_reasons = known.left_out[: len(gathered.left_out)]
    return known.ground == ground and known.made_of == _tips(gathered.chosen) and own_reasons == gathered.left_out


def judged(known: Candidate, first: Plan, verified: Plan) -> Candidate:
    """Return a candidate with what the checks said: of its tree, and of who turns it red together with whom."""
    if verified.red_base:
        reason = f"the integration branch fails {verified.red_base} by itself"
        return msgspec.structs.replace(known, judgement=Judgement.RED, reason=reason, results=verified.results)
    whole = [step.task.id for step in first.steps] == [step.task.id for step in verified.steps]
    if whole and not verified.failures:
        judgement = Judgement.GREEN if verified.results else Judgement.UNCHECKED
        return msgspec.structs.replace(known, judgement=judgement, results=verified.results)
    red = tuple(
        Red(task=one.task.id, check=one.check, partners=one.partners, alone=one.alone) for one in verified.failures
    )
    return msgspec.structs.replace(known, judgement=Judgement.RED, results=verified.results, red=red)
