"""A task as JSON, with its last attempt, its checks, its comments and its cost."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gitorch.cli.schema.answer import Absent, ObjectId, Timestamp, known_time, present, timestamp
from gitorch.model import rivals
from gitorch.model.branch_state import LaterCommit
from gitorch.model.outcome import AttemptOutcome, Usage
from gitorch.model.task import Attempt, CheckResult, Comment, PastAttempt, Phase, Priority, Restack, State, Task
from gitorch.storage.foreign_changes import ForeignChange


class CostJson(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent or a model consumed."""

    usd: float | None
    """US dollars; null when the agent does not report them."""
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    turns: int
    """Calls of the model."""

    @classmethod
    def of(cls, usage: Usage) -> CostJson:
        """Return the cost of a usage."""
        return cls(
            usd=None if usage.usd is None else round(usage.usd, 9),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cached_tokens,
            turns=usage.turns,
        )


class CheckJson(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one check on one tree."""

    name: str
    exit_code: int | None
    """Null when the check could not be run to its end."""
    seconds: float
    command: str
    tree: ObjectId
    flaky: bool | Absent = msgspec.UNSET
    """True when the check both failed and passed on this tree; otherwise absent."""
    failure: str | Absent = msgspec.UNSET
    """Why the check did not end by itself: it was killed, timed out, or could not be prepared; otherwise absent."""

    @classmethod
    def of(cls, result: CheckResult) -> CheckJson:
        """Return a check's result."""
        return cls(
            name=result.name,
            exit_code=result.exit_code,
            seconds=result.seconds,
            command=result.command,
            tree=result.tree,
            flaky=present(result.flaky),
            failure=present(result.failure),
        )


class ChecksJson(msgspec.Struct, frozen=True, kw_only=True):
    """The results of all checks on the tip of a task's branch."""

    passed: bool | None
    """Null when no check ran."""
    results: list[CheckJson]


class CommentJson(msgspec.Struct, frozen=True, kw_only=True):
    """A reviewer's comment on a line, a file, or the whole task."""

    file: str | Absent = msgspec.UNSET
    """Absent when the comment is about the whole task."""
    line: int | Absent = msgspec.UNSET
    """Absent when the comment is about the whole file or task."""
    end: int | Absent = msgspec.UNSET
    """The last of several lines."""
    old: bool | Absent = msgspec.UNSET
    """True when the lines are those of the base, which the branch removes."""
    severity: str | Absent = msgspec.UNSET
    """must, should or note."""
    suggestion: str | Absent = msgspec.UNSET
    """What the lines should be replaced with."""
    text: str
    """A question begins with `??`."""
    answer: str | Absent = msgspec.UNSET
    """What the agent answered to a question; nothing of it is verified."""
    author: str | None = msgspec.field(name="who")
    attempt: int | None
    """The attempt that was reviewed."""

    @classmethod
    def of(cls, comment: Comment) -> CommentJson:
        """Return a comment."""
        return cls(
            file=present(comment.file),
            line=present(comment.line),
            end=present(comment.end),
            old=present(comment.is_old),
            severity=present(comment.severity),
            suggestion=msgspec.UNSET if comment.suggestion is None else comment.suggestion,
            text=comment.text,
            answer=present(comment.answer),
            author=comment.author or None,
            attempt=comment.attempt or None,
        )


_OUTCOMES = frozenset(map(str, AttemptOutcome))


class AttemptJson(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a task by an agent."""

    number: int
    agent: str
    instead_of: str | Absent = msgspec.UNSET
    """The agent whose limit this one took over for; else absent."""
    base: ObjectId | None
    phase: Phase
    round: int
    """1, and one more each time that failing checks were sent back to the agent."""
    session: str | None
    """The agent's own session id, with which it can be resumed."""
    resumed: bool
    """Whether it continued the session of the previous attempt."""
    started: Timestamp | None
    seconds: float | None
    """Null while it runs."""
    disk: int | Absent = msgspec.UNSET
    """Bytes that its worktree and room (private repositories, HOME, temporary files) took after its last round; absent
    before that, and where there are too many files to look at."""
    ending: str | None
    """How the agent's execution ended: completed, failed, limited, stopped, ...; null while it runs."""
    outcome: AttemptOutcome | None
    """How the attempt ended; null while it runs."""
    summary: str | None
    """The agent's last message."""
    cost: CostJson | None
    denials: list[str]
    """Tool calls that the agent was refused."""
    alarms: list[str]
    """What the agent was refused: refs, `push to NAME`, `network: HOST`, `hook NAME` (of the repository's own), and
    `skipped hook NAME`: gitorch committed what the agent had left without it."""

    @classmethod
    def of(cls, attempt: Attempt) -> AttemptJson:
        """Return an attempt."""
        return cls(
            number=attempt.number,
            agent=attempt.agent,
            instead_of=attempt.instead_of or msgspec.UNSET,
            base=attempt.base,
            phase=attempt.phase,
            round=attempt.round,
            session=attempt.session or None,
            resumed=attempt.resumed,
            started=known_time(attempt.started),
            seconds=attempt.seconds,
            ending=attempt.ending or None,
            outcome=AttemptOutcome(attempt.outcome) if attempt.outcome in _OUTCOMES else None,
            summary=attempt.summary or None,
            cost=CostJson.of(attempt.usage) if attempt.usage else None,
            denials=list(attempt.denials),
            disk=msgspec.UNSET if attempt.disk is None else attempt.disk,
            alarms=list(attempt.alarms),
        )


class PastAttemptJson(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt before the last one."""

    number: int
    agent: str
    outcome: AttemptOutcome | None
    started: Timestamp | None
    seconds: float | None
    cost: CostJson | None

    @classmethod
    def of(cls, attempt: PastAttempt) -> PastAttemptJson:
        """Return an attempt."""
        return cls(
            number=attempt.number,
            agent=attempt.agent,
            outcome=AttemptOutcome(attempt.outcome) if attempt.outcome in _OUTCOMES else None,
            started=known_time(attempt.started),
            seconds=attempt.seconds,
            cost=CostJson.of(attempt.usage) if attempt.usage else None,
        )


class RestackJson(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a finished task when tasks that it builds on changed."""

    rebased_on: list[str]
    """The tasks on whose new work it was rebased, so that it awaits its checks; empty if it was not rebased."""
    problem: str | None
    """Why it was not rebased; null if it was."""

    @classmethod
    def of(cls, restack: Restack) -> RestackJson:
        """Return what became of a task."""
        return cls(rebased_on=list(restack.dependencies), problem=restack.problem or None)


class RivalJson(msgspec.Struct, frozen=True, kw_only=True):
    """The place of a task among rival attempts, of which one is picked."""

    group: str
    """The id of the first rival; `approve` of it picks the proposed one."""
    number: int
    """Its own number, for `approve --pick`."""
    of: int
    diff_lines: int | None
    """Lines that its branch added and removed when its last attempt ended; null until then."""


class TaskJson(msgspec.Struct, frozen=True, kw_only=True):
    """A task and its current state."""

    id: str
    number: int
    title: str
    state: State
    agent: str | None
    """Null until an agent is chosen."""
    role: str | None
    priority: Priority
    after: list[str]
    """Ids of the tasks that this one waits for."""
    branch: str | None
    worktree: str | None
    base: ObjectId | None
    """The commit on which the branch starts."""
    tip: ObjectId | None
    """The last commit of the branch."""
    attempts: int
    """How many attempts were made."""
    attempt: AttemptJson | None
    """The last attempt."""
    past: list[PastAttemptJson]
    """The attempts before the last one."""
    checks: ChecksJson
    stale: bool
    """Whether a dependency changed since this task was done."""
    reason: str | None
    """Why the task is in this state."""
    restack: RestackJson | Absent = msgspec.UNSET
    """What became of a finished task when what it builds on changed; absent when nothing has, or when it is settled."""
    cost: CostJson | None
    """What all attempts consumed."""
    created: Timestamp | None
    comments: list[CommentJson]
    """Those that are not sent yet, or that the next attempt gets."""
    answered: list[CommentJson] | Absent = msgspec.UNSET
    """The questions that its last attempt with any has answered; absent when there are none."""
    question: str | Absent = msgspec.UNSET
    """What the agent asked, where a task waits for the answer."""
    wake: Timestamp | Absent = msgspec.UNSET
    """When a task that waits for a limit continues."""
    merged_as: ObjectId | Absent = msgspec.UNSET
    """The commit on the integration branch that the tip became."""
    adopted: bool | Absent = msgspec.UNSET
    """True for a task made from an existing branch; otherwise absent."""
    paths: list[str] | Absent = msgspec.UNSET
    """Globs that the work should stay in."""
    role_why: str | Absent = msgspec.UNSET
    """What the role was chosen by; absent when it was named."""
    rival: RivalJson | Absent = msgspec.UNSET
    """Absent for a task without rival attempts."""

    @classmethod
    def of(cls, task: Task) -> TaskJson:
        """Return a task."""
        spec = task.spec
        return cls(
            id=task.id,
            number=task.number,
            title=spec.title,
            state=task.state,
            agent=spec.agent or None,
            role=spec.role or None,
            priority=spec.priority,
            after=list(spec.after),
            branch=task.branch or None,
            worktree=task.worktree or None,
            base=task.base,
            tip=task.tip,
            attempts=task.attempts,
            attempt=AttemptJson.of(task.attempt) if task.attempt else None,
            past=[PastAttemptJson.of(attempt) for attempt in task.past],
            checks=ChecksJson(passed=task.passed, results=[CheckJson.of(result) for result in task.results]),
            stale=task.stale,
            reason=task.explanation or None,
            restack=RestackJson.of(task.restack) if task.restack and task.restack_words else msgspec.UNSET,
            cost=CostJson.of(task.usage) if task.usage else None,
            created=known_time(spec.created),
            comments=[CommentJson.of(comment) for comment in task.comments],
            answered=present([CommentJson.of(comment) for comment in task.answered]),
            question=present(task.question),
            wake=timestamp(task.wake) if task.wake else msgspec.UNSET,
            merged_as=msgspec.UNSET if task.merged_as is None else task.merged_as,
            adopted=present(task.adopted),
            paths=present(list(spec.paths)),
            role_why=present(spec.role_reason),
            rival=_rival_json(task),
        )


def _rival_json(task: Task) -> RivalJson | Absent:
    rival = task.spec.rival
    if rival is None:
        return msgspec.UNSET
    return RivalJson(group=rival.group, number=rival.number, of=rival.of, diff_lines=rivals.lines_changed(task))


class LaterCommitJson(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that was added to a task's branch after the work of its last attempt was collected."""

    oid: ObjectId
    author: str
    subject: str


class MovedJson(msgspec.Struct, frozen=True, kw_only=True):
    """A change outside of the tasks' own worktrees and branches that gitorch did not make."""

    what: str
    tasks: list[str]
    """The tasks that ran meanwhile."""
    time: Timestamp | None
    """When it was found."""


class TaskDetailsJson(TaskJson, frozen=True, kw_only=True):
    """A task with all that was asked for."""

    prompt: str
    goal: str | Absent = msgspec.UNSET
    """The goal of the plan that the task comes from."""
    acceptance: list[str] | Absent = msgspec.UNSET
    """What must be true when the task is done."""

    @classmethod
    def of(cls, task: Task) -> TaskDetailsJson:
        """Return a task with its prompt, goal and acceptance criteria."""
        fields = msgspec.structs.asdict(TaskJson.of(task))
        spec = task.spec
        return cls(**fields, prompt=spec.prompt, goal=present(spec.goal), acceptance=present(list(spec.acceptance)))


def moved_json(changes: Iterable[ForeignChange]) -> list[MovedJson]:
    """Return changes that gitorch did not make."""
    return [MovedJson(what=change.what, tasks=list(change.tasks), time=known_time(change.time)) for change in changes]


def later_json(commits: Iterable[LaterCommit]) -> list[LaterCommitJson] | Absent:
    """Return commits that were added by hand, or what leaves the field out where there are none."""
    return present(
        [LaterCommitJson(oid=commit.oid, author=commit.author, subject=commit.subject) for commit in commits]
    )


def tasks_json(tasks: Iterable[Task]) -> list[TaskJson]:
    """Return tasks."""
    return [TaskJson.of(task) for task in tasks]


class HeldJson(msgspec.Struct, frozen=True, kw_only=True):
    """A task that has to wait."""

    id: str
    reason: str
