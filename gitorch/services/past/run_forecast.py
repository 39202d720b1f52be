"""Forecast the time and the cost of a run from the attempts that the tasks and the notes of a repository know."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec

from gitorch.git.notes import note_store
from gitorch.model.forecasts.run_forecast import Expectations, NextTask, PastTask, RunForecast, forecast, size_of
from gitorch.model.naming import TaskId
from gitorch.model.note import AttemptNote
from gitorch.model.outcome import Usage
from gitorch.model.queue_order import in_order
from gitorch.model.task import ALIVE, Task
from gitorch.services.agents import ReadyAgents, agent_name
from gitorch.services.workspace import Workspace
from gitorch.storage import run_records


def forecast_run(workspace: Workspace, agents: ReadyAgents, max_agents: int) -> RunForecast | None:
    """Return what the queued tasks will take; None if there are too few earlier tasks like them."""
    waiting = in_order(task for task in workspace.tasks.values() if task.is_pending)
    tasks = [_next_task(workspace, agents, task) for task in waiting]
    return forecast(_in_order(workspace, [*_gone(workspace), *_on_board(workspace)]), tasks, max_agents)


class RemainingTime:
    """How long the tasks of a run will still take, by earlier tasks of the repository and of the run."""

    def __init__(self, workspace: Workspace, agents: ReadyAgents) -> None:
        self._workspace = workspace
        self._agents = agents
        self._gone: list[_Timed] | None = None
        self._ended = -1
        self._expectations = Expectations(())

    def seconds(self, task: Task) -> float | None:
        """Return the seconds within which a task very likely ends; None if too little is known.

        What its attempts have taken so far counts. A task that has taken longer than others may end at any time: 0.
        """
        tasks = self._workspace.tasks.values()
        if self._gone is None:
            self._gone = list(_gone(self._workspace))
        ended = sum(other.state not in ALIVE for other in tasks)
        if ended != self._ended:
            self._ended = ended
            self._expectations = Expectations(_in_order(self._workspace, [*self._gone, *_on_board(self._workspace)]))
        expected = self._expectations.seconds(_next_task(self._workspace, self._agents, task))
        return None if expected is None else max(0.0, expected - _seconds(task))


_Timed: TypeAlias = tuple[datetime | None, PastTask]
"""A past task with the start of its last attempt."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)


def _in_order(workspace: Workspace, tasks: Iterable[_Timed]) -> list[PastTask]:
    """Return tasks in the order of their starts, with the number of the run that each was worked on in."""
    starts = [record.started for record in run_records.read(workspace.folder)]
    timed = sorted(((started or _EARLIEST, past) for started, past in tasks), key=lambda pair: pair[0])
    return [msgspec.structs.replace(past, night=bisect_right(starts, started)) for started, past in timed]


def _next_task(workspace: Workspace, agents: ReadyAgents, task: Task) -> NextTask:
    return NextTask(
        id=task.id,
        agent=agents.get(agent_name(workspace, task), task.spec.agent),
        role=task.spec.role,
        size=size_of(task.spec.prompt),
        after=task.spec.after,
    )


def _on_board(workspace: Workspace) -> Iterator[_Timed]:
    """Yield the ended tasks of the board."""
    yield from (past for task in workspace.tasks.values() if task.state not in ALIVE and (past := _of_task(task)))


def _gone(workspace: Workspace) -> Iterator[_Timed]:
    """Yield the tasks that have left the board."""
    tasks = workspace.tasks
    attempts: dict[TaskId, dict[int, AttemptNote]] = {}
    for lines in note_store.read_all(workspace.repository).values():
        for line in lines:
            if isinstance(line.note, AttemptNote) and line.note.task not in tasks:
                attempts.setdefault(TaskId(line.note.task), {})[line.note.number] = line.note
    yield from (past for numbered in attempts.values() if (past := _of_notes([*numbered.values()])))


def _of_task(task: Task) -> _Timed | None:
    seconds = _seconds(task)
    if task.attempt is None or not seconds:
        return None
    past = _past_task(task.attempt.agent, task.spec.role, task.spec.prompt, seconds, task.usages)
    return task.attempt.started, past


def _seconds(task: Task) -> float:
    attempts = [*task.past, *((task.attempt,) if task.attempt else ())]
    return sum(attempt.seconds or 0.0 for attempt in attempts)


def _of_notes(attempts: Sequence[AttemptNote]) -> _Timed | None:
    seconds = sum(attempt.seconds or 0.0 for attempt in attempts)
    last = max(attempts, key=lambda attempt: attempt.number)
    usages = [attempt.usage for attempt in attempts if attempt.usage]
    return (last.started, _past_task(last.agent, last.role, last.prompt, seconds, usages)) if seconds else None


def _past_task(agent: str, role: str, prompt: str, seconds: float, usages: Iterable[Usage]) -> PastTask:
    all_usages = [*usages]
    prices = [usage.usd for usage in all_usages if usage.usd is not None]
    return PastTask(
        agent=agent,
        role=role,
        size=size_of(prompt),
        seconds=seconds,
        usd=sum(prices) if prices else None,
        tokens=sum(usage.input_tokens + usage.output_tokens for usage in all_usages),
    )
