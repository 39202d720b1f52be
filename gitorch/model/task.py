"""A task, its states and transitions, its attempts, check results and comments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import field

from gitorch.errors import Refused
from gitorch.model.naming import Oid, TaskId
from gitorch.model.outcome import Usage
from gitorch.model.visible import readable


class State(StrEnum):
    """The state of a task: `orchestrate help states` explains each."""

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
    State.CANCELLED: frozenset({State.QUEUED, State.REJECTED}),
    State.MERGED: frozenset(),
}
"""The valid transitions. Beyond the usual way: a conflicted task may merge when its conflict is gone; rejected,
cancelled and failed tasks may be queued again, and a cancelled one rejected; and after a failed attempt to solve a
conflict, a task is conflicted again."""

ALIVE = frozenset({State.QUEUED, State.RUNNING, State.WAITING})
DONE = frozenset({State.FINISHED, State.APPROVED, State.CONFLICTED, State.MERGED})
"""States in which a task's branch holds work that others may build on."""


class ReasonKind(StrEnum):
    """What the reason of a task is, where that decides what happens next."""

    ASKED = "asked"
    """The question that its agent ended with."""
    ANSWERED = "answered"
    """The first line of its result: its agent may only read."""
    LEFT_OUT = "left-out"
    """Why a check holds an approved task back."""

    @property
    def words(self) -> str:
        """What is said before such a reason."""
        return "left out of the last merge" if self is ReasonKind.LEFT_OUT else str(self)


class Priority(StrEnum):
    """How early a task starts; tasks of equal priority start by age."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


_RANK = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}


class CheckResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The result of a check on one tree. `exit_code` is None if the check did not finish.

    A `flaky` check both failed and passed on the same tree.
    """

    name: str
    command: str
    tree: Oid
    exit_code: int | None = None
    seconds: float = 0.0
    output: str = ""  # the file that holds what it printed
    flaky: bool = False
    failure: str = ""  # why it did not end by itself, or why its tree could not be prepared

    @property
    def passed(self) -> bool:
        return self.exit_code == 0


QUESTION_MARK = "??"
"""What a comment begins with that is a question to the agent."""


class Comment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A reviewer's comment on the task, a file, a line, or the lines up to `end`; `attempt` is the reviewed one.

    `severity` is must, should, note, or nothing. `code` is the part of the diff that the reviewer saw, `suggestion` a
    replacement of the lines, and `is_old` says that they are lines of the base, which the branch removes. `blob` is
    the version of the file that a suggestion is for, `answer` what the agent answered to a question.
    """

    text: str
    file: str = ""
    line: int = 0
    end: int = 0
    is_old: bool = False
    severity: str = ""
    code: str = ""
    suggestion: str | None = None
    author: str = field(default="", name="who")
    attempt: int = 0
    blob: Oid | None = None
    answer: str = ""

    @property
    def is_question(self) -> bool:
        """Whether it only asks: the agent answers it, and changes nothing for it."""
        return self.text.lstrip().startswith(QUESTION_MARK)

    @property
    def place(self) -> str:
        """The file and the lines, as far as there are any."""
        lines = f":{self.line}" if self.line else ""
        return f"{self.file}{lines}-{self.end}" if lines and self.end > self.line else f"{self.file}{lines}"

    @property
    def side(self) -> str:
        """Whose lines they are, in words: empty for those of the branch."""
        return "of the base" if self.is_old and self.line else ""


class Phase(StrEnum):
    """The phase of a running attempt: it decides how the next command recovers after a kill."""

    PREPARING = "preparing"  # the worktree is being made; no agent has run in it
    WORKING = "working"  # an agent was started
    CHECKING = "checking"  # its commits are collected; the checks run
    ENDED = "ended"


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One attempt of an agent at a task.

    - `round`: the executions of one session within it: 1, and one more each time that failing checks went back
    - `start`: the tip of the branch when it began; `tip`: the last commit that was collected from it (others added what
      follows on the branch)
    - `resumed`: it continues the session of the previous attempt; `continued`: its branch has unfinished work of one
    - `ending`: the `ExitReason` of its last round; `outcome`: its own `AttemptOutcome`; both are empty while it runs
    - `usage`: the sum of its ended rounds; `session_usage`: the session's total, for agents that count that way
    - `diff_lines`: the lines that a rival's branch had added and removed at the end
    - `instead_of`: the agent that was asked for, whose limit this one does not share; empty if nobody took over
    - `answers_only`: it only answers questions about its branch; `summary` and `tip` are those of the attempt before
    - `disk`: the bytes that its worktree and its room took after its last round; None where that took too long to see
    """

    number: int
    agent: str
    base: Oid | None = None
    start: Oid | None = None
    tip: Oid | None = None
    phase: Phase = Phase.PREPARING
    round: int = 1
    session: str = ""
    resumed: bool = False
    continued: bool = False
    started: datetime | None = None
    seconds: float | None = None
    ending: str = ""
    outcome: str = ""
    summary: str = ""
    usage: Usage | None = None
    session_usage: Usage | None = None
    denials: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    diff_lines: int | None = None
    instead_of: str = ""
    answers_only: bool = False
    disk: int | None = None


class PastAttempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is kept of an attempt when the next one starts."""

    number: int
    agent: str
    outcome: str = ""
    started: datetime | None = None
    seconds: float | None = None
    usage: Usage | None = None

    @classmethod
    def of(cls, attempt: Attempt) -> PastAttempt:
        """Return what is kept of an attempt."""
        return cls(
            number=attempt.number,
            agent=attempt.agent,
            outcome=attempt.outcome,
            started=attempt.started,
            seconds=attempt.seconds,
            usage=attempt.usage,
        )


class ConflictRetry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An attempt to solve a task's conflict, and the previous state of the task, which is restored if it fails.

    `conflict_id` identifies the conflict, `conflict_commit` the commit that holds it. `base` and `tip`
    are the branch's commits before, `reason` describes the conflict; `dependents` are the tasks that build on this
    one and became stale by the attempt.
    """

    conflict_id: str
    conflict_commit: Oid
    base: Oid
    tip: Oid
    reason: str = ""
    results: tuple[CheckResult, ...] = ()
    dependents: tuple[TaskId, ...] = field(default=(), name="below")


class BeforeQuestions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a task before its agent was asked about its work: the task returns to it with the answers."""

    state: State
    reason: str = ""
    reason_kind: ReasonKind | None = None


class Restack(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a finished task when tasks that it builds on changed.

    It was rebased on the new work of `dependencies`; or it was not, and `problem` says why.
    """

    dependencies: tuple[TaskId, ...] = ()
    problem: str = ""

    @property
    def words(self) -> str:
        """What became of the task, in words."""
        if self.problem:
            return f"not rebased: {self.problem}; a new attempt starts on the new work"
        return f"rebased on the new work of {', '.join(self.dependencies)}"


class RivalSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The place of a task among the rivals that ask for the same work, of which one is picked.

    `group` is the id of the first of them, `number` counts from 1.
    """

    group: TaskId
    number: int
    of: int


class TaskSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was asked of a task.

    - `checks`: commands in addition to the repository's, by name; `paths`: globs that the work should stay in
    - `base_ref`: the base that was asked for ("" = the configured one); `context`: JSON text for the agent
    - `base_branch`: the branch that the user was on, which `base = "auto"` means (name without `refs/heads/`)
    - `budget`: dollars for all attempts; `timeout`: seconds for one (0 = the configured limit)
    - `goal`: the goal of the plan that the task came from; `acceptance`: what must hold at the end
    - `role_reason`: why it has its role ("" = it was named); `rival`: its place among rival attempts
    """

    title: str
    prompt: str
    agent: str = ""
    role: str = ""
    role_reason: str = ""
    priority: Priority = Priority.NORMAL
    goal: str = ""
    acceptance: tuple[str, ...] = ()
    after: tuple[TaskId, ...] = ()
    checks: dict[str, str] = {}
    paths: tuple[str, ...] = ()
    context: str = ""
    base_ref: str = ""
    base_branch: str = ""
    budget: float = 0.0
    timeout: float = 0.0
    created: datetime | None = None
    rival: RivalSpec | None = None


class Commits(msgspec.Struct, frozen=True, omit_defaults=True):
    """The commits of a task's branch when it was last read: those after `base`, up to `tip` (None: none yet)."""

    base: Oid
    tip: Oid | None = None


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One piece of work: what was asked (`spec`), where it stands (`state`, `reason`), and what was done.

    - `reason_kind`: what the reason is, where that decides what happens next
    - `commits`: its base and tip; without them, the next attempt starts from a fresh base
    - `attempt`: the last attempt; `past`: those before; `retried`: how many of them gitorch started automatically
    - `results`: of its checks; `comments`: those that wait to be sent; `answered`: the last questions that got answers
    - `wake`: when a task that waits for a limit goes on; `place`: its place in the queue, if a person has moved it
    - `conflict`: what the next attempt has to solve; `failed_conflict_id`: what an attempt has failed to solve
    - `answer`: what the next attempt tells the agent in the session of the last one; `user_answers`: the questions of
      its agents with the user's answers, for an attempt in another session
    - `before_questions`: set while its agent is asked questions only
    - `restack`: what became of its work when what it builds on changed, until the next attempt or the next checks
    """

    id: TaskId
    number: int
    spec: TaskSpec
    state: State = State.QUEUED
    reason: str = ""
    reason_kind: ReasonKind | None = None
    place: tuple[int, ...] = ()
    branch: str = ""
    worktree: str = ""
    commits: Commits | None = None
    attempts: int = 0
    attempt: Attempt | None = None
    past: tuple[PastAttempt, ...] = ()
    results: tuple[CheckResult, ...] = ()
    comments: tuple[Comment, ...] = ()
    answered: tuple[Comment, ...] = ()
    answer: str = ""
    user_answers: tuple[str, ...] = ()
    retried: int = 0
    wake: datetime | None = None
    stale: bool = False
    adopted: bool = False
    conflict: ConflictRetry | None = None
    failed_conflict_id: str = ""
    before_questions: BeforeQuestions | None = None
    restack: Restack | None = None
    merged_as: Oid | None = None

    @property
    def title(self) -> str:
        return self.spec.title

    @property
    def base(self) -> Oid | None:
        return self.commits.base if self.commits else None

    @property
    def tip(self) -> Oid | None:
        return self.commits.tip if self.commits else None

    @property
    def passed(self) -> bool | None:
        """Whether its checks passed; None when none ran."""
        return all(result.passed for result in self.results) if self.results else None

    @property
    def is_pending(self) -> bool:
        """Whether a run still works on it: it is queued or running, or waits for a time. No person has to act."""
        if self.state is State.WAITING:
            return self.wake is not None
        return self.state in (State.QUEUED, State.RUNNING)

    @property
    def question(self) -> str:
        """The question that it waits for an answer to, or an empty text."""
        waits = self.state is State.WAITING and self.wake is None and not self.has_result
        return self.reason if waits else ""

    @property
    def has_result(self) -> bool:
        """Whether its agent, which may only read, has answered: its last message is to be read."""
        return self.state is State.WAITING and self.reason_kind is ReasonKind.ANSWERED

    @property
    def is_left_out(self) -> bool:
        """Whether a check held it back in the last merge: merging again alone does not help."""
        return self.state is State.APPROVED and self.reason_kind is ReasonKind.LEFT_OUT

    @property
    def awaits_checks(self) -> bool:
        """Whether it was rebased, and no check has seen the commits that it has now."""
        is_rebased = self.restack is not None and not self.restack.problem
        return is_rebased and self._is_done and self.tip is not None and not self.results

    @property
    def is_left_behind(self) -> bool:
        """Whether it could not be rebased on the new work of what it builds on: `restack` says why."""
        return self.restack is not None and bool(self.restack.problem) and self._is_done and self.stale

    @property
    def _is_done(self) -> bool:
        return self.state in (State.FINISHED, State.APPROVED)

    @property
    def restack_words(self) -> str:
        """What became of it when what it builds on changed, as long as that matters; else an empty text."""
        return self.restack.words if self.restack and (self.awaits_checks or self.is_left_behind) else ""

    @property
    def full_reason(self) -> str:
        """Its reason, after what kind of reason it is."""
        return f"{self.reason_kind.words}: {self.reason}" if self.reason_kind else self.reason

    @property
    def explanation(self) -> str:
        """Why it is in its state, in words, with what became of it when what it builds on changed."""
        return "; ".join(filter(None, (self.full_reason, self.restack_words)))

    @property
    def usages(self) -> tuple[Usage, ...]:
        """What each of its attempts used, as far as that is known."""
        last = self.attempt.usage if self.attempt else None
        return tuple(usage for usage in (*(attempt.usage for attempt in self.past), last) if usage)

    @property
    def usage(self) -> Usage | None:
        """What all its attempts used together."""
        return sum(self.usages[1:], start=self.usages[0]) if self.usages else None


def change(task: Task, **fields: Any) -> Task:
    """Return the task with these fields changed; raise `Refused` if the new `state` is not a valid transition."""
    target = fields.get("state", task.state)
    if target != task.state and target not in TRANSITIONS[task.state]:
        raise Refused("state", f"{task.id} is {task.state}: it cannot become {target}")
    if "reason" in fields:
        fields["reason"] = readable(fields["reason"])  # the task file is UTF-8
        if fields["reason"] != task.reason:
            fields.setdefault("reason_kind", None)
    return msgspec.structs.replace(task, **fields)


def after_questions(task: Task, trouble: str = "") -> Task:
    """Return a task as it was before its agent was asked questions, with the reason why they have no answer."""
    before = task.before_questions
    if before is None:
        raise LookupError(f"{task.id} was not asked anything")
    reason = readable("; ".join(filter(None, (before.reason, trouble))))
    return msgspec.structs.replace(
        task,
        state=before.state,
        reason=reason,
        reason_kind=before.reason_kind,
        before_questions=None,
        retried=0,
        wake=None,
    )


def change_spec(task: Task, **fields: Any) -> Task:
    """Return the task with these fields of its spec changed."""
    return msgspec.structs.replace(task, spec=msgspec.structs.replace(task.spec, **fields))


def promote(task: Task, state: State) -> Task:
    """Approve a finished task that is to be merged, as an automatic merge does; return others unchanged."""
    is_automatic = task.state is State.FINISHED and state is State.MERGED
    return change(task, state=State.APPROVED) if is_automatic else task


def current_attempt(task: Task) -> Attempt:
    """Return the last attempt of a task; raise `LookupError` for one that was never started."""
    if task.attempt is None:
        raise LookupError(f"{task.id} has no attempt")
    return task.attempt


def change_attempt(task: Task, **fields: Any) -> Task:
    """Return the task with these fields of its last attempt changed."""
    return msgspec.structs.replace(task, attempt=msgspec.structs.replace(current_attempt(task), **fields))


def base_of(task: Task) -> Oid:
    """Return the commit that a task's branch starts from; raise `LookupError` for one that has no base yet."""
    if task.commits is None:
        raise LookupError(f"{task.id} has no base")
    return task.commits.base


def commit_range(task: Task) -> tuple[Oid, Oid]:
    """Return the base and the tip of a task's commits; raise `LookupError` for one that has none yet."""
    if task.commits is None or task.commits.tip is None:
        raise LookupError(f"{task.id} has no commits")
    return task.commits.base, task.commits.tip


def urgency(task: Task) -> tuple[tuple[int, ...], int]:
    """Return the sort key of the queue: the place that a person chose, else priority and age."""
    return (task.place or (_RANK[task.spec.priority], task.number), task.number)


def by_id(tasks: Iterable[Task]) -> dict[TaskId, Task]:
    """Index tasks by id."""
    return {task.id: task for task in tasks}
