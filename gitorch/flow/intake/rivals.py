"""Rival attempts: one draft becomes several tasks that ask for the same work."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from gitorch.errors import InvalidInput
from gitorch.flow.intake.draft import TaskDraft, origin_prefix
from gitorch.model.naming import TaskId, unused
from gitorch.model.task import RivalSpec, Task, change_spec

MOST_RIVALS = 9


def with_rivals(
    tasks: Sequence[Task], drafts: Mapping[TaskId, TaskDraft], taken: Collection[str], first_number: int
) -> list[Task]:
    """Return tasks with the rivals that their drafts ask for after each, numbered from `first_number`.

    The first rival has the id of the task, the others `ID-2`, `ID-3`; `taken` are names that they cannot have.
    """
    used = {*taken, *drafts}
    everything: list[Task] = []
    for task in tasks:
        for rival in _rivals(task, _agents(drafts[task.id]), used):
            used.add(rival.id)
            everything.append(msgspec.structs.replace(rival, number=first_number + len(everything)))
    return everything


def _rivals(task: Task, agents: Sequence[str], used: Collection[str]) -> Iterator[Task]:
    if len(agents) < 2:
        yield change_spec(task, agent=agents[0])
        return
    name = task.id
    for number, agent in enumerate(agents, start=1):
        rival = RivalSpec(group=task.id, number=number, of=len(agents))
        yield msgspec.structs.replace(change_spec(task, agent=agent, rival=rival), id=name)
        name = unused(task.id, {*used, task.id, name})


def _agents(draft: TaskDraft) -> Sequence[str]:
    """Return the agent of each rival; one for a task without rivals. Raises `InvalidInput` for a contradiction."""
    if draft.agents and (draft.agent or draft.attempts > 1):
        other = "agent" if draft.agent else "attempts"
        raise InvalidInput(
            "rivals",
            f"{origin_prefix(draft.origin)}agents and {other} exclude each other",
            why="agents names the agent of each rival attempt",
            fix=('agents = ["claude", "codex"]', 'agent = "claude" and attempts = 2'),
        )
    if len(draft.agents) > MOST_RIVALS:
        raise InvalidInput("rivals", f"{origin_prefix(draft.origin)}a task has at most {MOST_RIVALS} rival attempts")
    return draft.agents or (draft.agent,) * draft.attempts
