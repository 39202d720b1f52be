"""A task, its states and their transitions, its attempts, and what was said of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from gitorch.errors import Refused
from gitorch.model.naming import Oid, TaskId
from gitorch.model.outcome import Usage


class State(StrEnum):
    """Where a task stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    FINISHED = "finished"
    FAILED = "failed"
    APPROVED = "approved"
    REJECTED = "rejected"
    CONFLICTED = "conflicted"
    MERGED = "merged"
    CANCELLED = "cancelled"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED}),
    State.RUNNING: frozenset({State.FINISHED, State.FAILED, State.WAITING, State.QUEUED, State.CANCELLED}),
    State.WAITING: frozenset({State.QUEUED, State.RUNNING, State.FAILED, State.CANCELLED}),
    State.FINISHED: frozenset({State.APPROVED, State.REJECTED, State.QUEUED}),
    State.FAILED: frozenset({State.QUEUED, State.REJECTED, State.CANCELLED, State.CONFLICTED}),
    State.APPROVED: frozenset({State.MERGED, State.CONFLICTED, State.FINISHED, State.QUEUED, State.REJECTED}),
    State.CONFLICTED: frozenset({State.QUEUED, State.APPROVED, State.MERGED, State.REJECTED}),
    State.REJECTED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
    State.MERGED: frozenset(),
}
"""The one table of moves: beside SPEC's picture, a conflicted task may merge when the conflict is gone,
what was rejected, cancelled or failed may be asked for again, and where an attempt to solve a conflict failed, the task
is in conflict as before."""

ALIVE = frozenset({State.QUEUED, State.RUNNING, State.WAITING})
DONE = frozenset({State.FINISHED, State.APPROVED, State.CONFLICTED, State.MERGED})
"""States in which a task's branch holds work that others may build on."""


class Priority(StrEnum):
    """How early a task starts, beside its age."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


_RANK = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}


class CheckResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a check said of one tree. `exit_code` is None when it could not be run to its end.

    A `flaky` one failed and then passed, or passed and then failed, on this very tree.
    """

    name: str
    command: str
    tree: Oid
    exit_code: int | None = None
    seconds: float = 0.0
    output: str = ""  # the file that holds what it printed
    flaky: bool = False

    @property
    def passed(self) -> bool:
        return self.exit_code == 0


class Comment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reviewer's words on the task, a file, or a line of it; `attempt` is the one that was read."""

    text: str
    file: str = ""
    line: int = 0
    who: str = ""
    attempt: int = 0


class Phase(StrEnum):
    """How far a running attempt has come: what the next command does when this one was killed."""

    PREPARING = "preparing"  # the worktree is being made; no agent has run in it
    WORKING = "working"  # an agent was started
    CHECKING = "checking"  # its commits are home; the checks run
    ENDED = "ended"


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One execution of a task by an agent.

    `round` counts the executions of one session within it: 1, and one more each time that failing
    checks went back to the agent. `start` is the commit that it found on its branch; `resumed` tells that it goes on
    with the session of the attempt before; `usage` is the sum of its ended rounds, and `session_usage` the session's
    total, for agents that count that way.
    """

    number: int
    agent: str
    base: Oid | None = None
    start: Oid | None = None
    phase: Phase = Phase.PREPARING
    round: int = 1
    session: str = ""
    resumed: bool = False
    started: datetime | None = None
    seconds: float | None = None
    ending: str = ""
    summary: str = ""
    usage: Usage | None = None
    session_usage: Usage | None = None
    denials: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()


class Contested(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a task in conflict stood before the attempt to solve it: what it goes back to when that fails.

    `about` is what this conflict is known again by, `reason` what was said of it; `below` are the tasks that build on
    this one and became stale by the attempt.
    """

    about: str
    base: Oid
    tip: Oid
    reason: str = ""
    results: tuple[CheckResult, ...] = ()
    below: tuple[TaskId, ...] = ()


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One piece of work: what was asked, and where it stands.

    `context` is JSON text for the agent; `checks` are commands beside the repository's, by name; `paths` globs that
    the work should stay in; `from_ref` the base that was asked for ("" = the configured one); `budget` dollars and
    `timeout` seconds (0 = the configured ones). `base` and `tip` are those of the branch when it was last looked at;
    without a base the next attempt starts afresh. `retried` counts the attempts that gitorch started by itself,
    `wake` is when a task that waits for a limit goes on. `goal` is that of the plan it came from, `acceptance` what
    must hold at the end; `role_why` tells what called for its role ("" = it was named). `standoff` is the commit that
    holds the conflict which the next attempt has to solve, `contested` how the task stood before; `tried` tells the
    conflict that an attempt has failed to solve.
    """

    id: TaskId
    number: int
    title: str
    prompt: str
    agent: str = ""
    role: str = ""
    role_why: str = ""
    priority: Priority = Priority.NORMAL
    goal: str = ""
    acceptance: tuple[str, ...] = ()
    after: tuple[TaskId, ...] = ()
    checks: dict[str, str] = {}
    paths: tuple[str, ...] = ()
    context: str = ""
    from_ref: str = ""
    budget: float = 0.0
    timeout: float = 0.0
    created: datetime | None = None
    state: State = State.QUEUED
    reason: str = ""
    branch: str = ""
    worktree: str = ""
    base: Oid | None = None
    tip: Oid | None = None
    attempts: int = 0
    attempt: Attempt | None = None
    results: tuple[CheckResult, ...] = ()
    comments: tuple[Comment, ...] = ()
    retried: int = 0
    wake: datetime | None = None
    stale: bool = False
    adopted: bool = False
    standoff: Oid | None = None
    contested: Contested | None = None
    tried: str = ""
    merged_as: Oid | None = None

    @property
    def passed(self) -> bool | None:
        """Whether its checks passed; None when none ran."""
        return all(result.passed for result in self.results) if self.results else None

    @property
    def spent(self) -> Usage | None:
        return self.attempt.usage if self.attempt else None


def change(task: Task, **fields: Any) -> Task:
    """Return the task with these fields changed. A new `state` must be a lawful move, else `Refused` is raised."""
    target = fields.get("state", task.state)
    if target != task.state and target not in TRANSITIONS[task.state]:
        raise Refused("state", f"{task.id} is {task.state}: it cannot become {target}")
    return msgspec.structs.replace(task, **fields)


def towards(task: Task, state: State) -> Task:
    """Return a task as it must stand to take a state: finished work that a run merges by itself is approved first."""
    by_itself = task.state is State.FINISHED and state is State.MERGED
    return change(task, state=State.APPROVED) if by_itself else task


def change_attempt(task: Task, **fields: Any) -> Task:
    """Return the task with these fields of its last attempt changed."""
    assert task.attempt is not None, f"{task.id} has no attempt"
    return msgspec.structs.replace(task, attempt=msgspec.structs.replace(task.attempt, **fields))


def urgency(task: Task) -> tuple[int, int]:
    """Return the key by which tasks take their turn: priority, then age."""
    return (_RANK[task.priority], task.number)


def by_id(tasks: Iterable[Task]) -> dict[TaskId, Task]:
    """Index tasks by id."""
    return {task.id: task for task in tasks}
