"""The lines of git notes: the history of commits, readable in any clone.

A line is one JSON object with a `kind`. Lines that this version cannot parse keep their text, so that nothing is lost
when notes are rewritten or copied to new commits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType, field

from gitorch import typed
from gitorch.model import handoff
from gitorch.model.clock import now
from gitorch.model.credentials.redaction import redacted
from gitorch.model.handoff import Handoff
from gitorch.model.naming import Oid, TaskId
from gitorch.model.outcome import Usage
from gitorch.model.resolution import Resolution, ResolvedFile
from gitorch.model.task import CheckResult, Comment, RivalSpec, Task, current_attempt

LONGEST = 65_536
"""Characters of a prompt or a goal in a note."""


class AttemptNote(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="attempt"):
    """An ended attempt, on the branch's tip: task, agent, base, and exit reason.

    `questions` are the reviewer's questions that it answered, with the answers.
    """

    v: int = 1
    task: str
    number: int = 1
    agent: str = ""
    role: str = ""
    session: str = ""
    base: Oid | None = None
    started: datetime | None = None
    seconds: float | None = None
    usage: Usage | None = None
    exit_reason: str = field(default="", name="exit")
    state: str = ""
    title: str = ""
    prompt: str = ""
    after: tuple[str, ...] = ()
    task_number: int = 0
    created: datetime | None = None
    handoff: Handoff | None = None
    goal: str | UnsetType = UNSET
    acceptance: tuple[str, ...] | UnsetType = UNSET
    rival: RivalSpec | UnsetType = UNSET
    questions: tuple[Comment, ...] | UnsetType = UNSET


class AdoptedNote(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="adopted"):
    """A branch that became a task, on the branch's tip."""

    v: int = 1
    task: str
    branch: str
    base: Oid | None = None
    tip: Oid
    title: str = ""
    prompt: str = ""
    after: tuple[str, ...] = ()
    task_number: int = 0
    created: datetime | None = None


class CheckNote(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="check"):
    """One check's result on a tree."""

    v: int = 1
    name: str
    tree: Oid
    command: str
    exit_code: int | None = None
    seconds: float = 0.0
    flaky: bool | UnsetType = UNSET


class VerdictNote(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="verdict"):
    """A reviewer's verdict, on the tip that was reviewed: approve, revise, reject, or ask (questions only)."""

    v: int = 1
    task: str
    reviewer: str = field(default="", name="who")
    verdict: str
    comments: tuple[Comment, ...] = ()
    time: str = field(default="", name="when")


class MergedNote(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="merged"):
    """A commit that a merge made from a task's commit."""

    v: int = 1
    task: str
    commit: Oid
    integration: str = ""
    time: str = field(default="", name="when")


class ResolvedInput(msgspec.Struct, frozen=True, kw_only=True):
    """The blobs of one resolved file: its three sides (no base if both added it), and the result."""

    path: str
    base: Oid | None = None
    ours: Oid
    theirs: Oid
    result: Oid


class ResolvedNote(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="resolved"):
    """A commit whose conflict in these files was resolved during a merge.

    `by` is the kind of resolution (`memory`, `rerere`, `regenerate`, `structure`, `both`, `renamed`). A resolution that
    no person made also has its evidence, the tree that was checked, and the checks that passed on it.
    """

    v: int = 1
    task: str
    paths: tuple[str, ...] = ()
    by: str = ""
    evidence: tuple[str, ...] | UnsetType = UNSET
    inputs: tuple[ResolvedInput, ...] | UnsetType = UNSET
    tree: Oid | UnsetType = UNSET
    checks: tuple[str, ...] | UnsetType = UNSET


class ViewedNote(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="viewed"):
    """The patches of a tip that a reviewer has viewed, by patch id (`gitorch.git.diff.hunk_ids`).

    With a `verdict` they are all patches of the tip, which the reviewer judged; `attempt` is its number. Without one,
    they are marks, and `unmarked` takes marks back.
    """

    v: int = 1
    task: str
    reviewer: str = field(default="", name="who")
    patch_ids: tuple[str, ...] = ()
    unmarked: tuple[str, ...] | UnsetType = UNSET
    verdict: str | UnsetType = UNSET
    attempt: int | UnsetType = UNSET
    base: Oid | UnsetType = UNSET
    tip: Oid | UnsetType = UNSET
    time: str = field(default="", name="when")


Note = AttemptNote | AdoptedNote | CheckNote | VerdictNote | MergedNote | ResolvedNote | ViewedNote


class Line(msgspec.Struct, frozen=True):
    """One line of a note: its JSON text and its value (None: unknown to this version)."""

    text: bytes
    note: Note | None

    @property
    def key(self) -> tuple[str, str, int] | None:
        """The identity of the noted event; None if it can be noted repeatedly."""
        return ("attempt", self.note.task, self.note.number) if isinstance(self.note, AttemptNote) else None


def line_of(note: Note) -> Line:
    """Return a note as a line. It is ASCII: `git notes show` prints to a terminal, and texts may control one."""
    return Line(json.dumps(msgspec.to_builtins(note), ensure_ascii=True, separators=(",", ":")).encode(), note)


def parse_lines(content: bytes) -> Iterator[Line]:
    """Yield the lines of a note; skip any other text."""
    for text in content.splitlines():
        if (line := _parse(text)) is not None:
            yield line


def _parse(text: bytes) -> Line | None:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
        return None
    try:
        return Line(text, typed.from_object(fields, Note))
    except msgspec.ValidationError:
        return Line(text, None)


def attempt_line(task: Task, files: Sequence[str] = (), answered: tuple[Comment, ...] = ()) -> Line:
    """Return the note of a task's ended attempt: the paths that it changed, and the questions that it answered."""
    last, spec = current_attempt(task), task.spec
    note = AttemptNote(
        task=task.id,
        number=last.number,
        agent=last.agent,
        role=spec.role,
        session=last.session,
        base=task.base,
        started=last.started,
        seconds=last.seconds,
        usage=last.usage,
        exit_reason=last.ending,
        state=task.state,
        title=redacted(task.title),
        prompt=redacted(spec.prompt)[:LONGEST],
        after=spec.after,
        task_number=task.number,
        created=spec.created,
        handoff=handoff.read(last.summary, files),
        goal=redacted(spec.goal)[:LONGEST] if spec.goal else UNSET,
        acceptance=tuple(map(redacted, spec.acceptance)) if spec.acceptance else UNSET,
        rival=spec.rival or UNSET,
        questions=answered or UNSET,
    )
    return line_of(note)


def adopted_line(task: Task) -> Line:
    """Return the note of a branch that became a task; it is for the branch's tip."""
    assert task.tip is not None, task.id
    note = AdoptedNote(
        task=task.id,
        branch=task.branch,
        base=task.base,
        tip=task.tip,
        title=redacted(task.title),
        prompt=redacted(task.spec.prompt)[:LONGEST],
        after=task.spec.after,
        task_number=task.number,
        created=task.spec.created,
    )
    return line_of(note)


def check_line(result: CheckResult) -> Line:
    """Return the note of one check's result on a tree."""
    note = CheckNote(
        name=result.name,
        tree=result.tree,
        command=redacted(result.command),
        exit_code=result.exit_code,
        seconds=result.seconds,
        flaky=True if result.flaky else UNSET,
    )
    return line_of(note)


def verdict_line(task: Task, verdict: str, reviewer: str, comments: Sequence[Comment] = ()) -> Line:
    """Return the note of a reviewer's verdict: approve, revise or reject."""
    return line_of(VerdictNote(task=task.id, reviewer=reviewer, verdict=verdict, comments=tuple(comments), time=now()))


def viewed_line(
    task: Task, reviewer: str, patch_ids: Sequence[str] = (), unmarked: Sequence[str] = (), verdict: str = ""
) -> Line:
    """Return the note of the patches that a reviewer viewed, or of all patches of the tip that a verdict is about."""
    note = ViewedNote(
        task=task.id,
        reviewer=reviewer,
        patch_ids=tuple(patch_ids),
        unmarked=tuple(unmarked) or UNSET,
        verdict=verdict or UNSET,
        attempt=task.attempts or UNSET if verdict else UNSET,
        base=task.base or UNSET if verdict else UNSET,
        tip=task.tip or UNSET if verdict else UNSET,
        time=now(),
    )
    return line_of(note)


def merged_line(task: TaskId, commit: Oid, integration: str) -> Line:
    """Return the note of a commit that a merge made from a task's commit."""
    return line_of(MergedNote(task=task, commit=commit, integration=integration, time=now()))


def resolved_line(
    task: TaskId, by: str, paths: Sequence[str], files: Sequence[ResolvedFile] = (), proof: Resolution | None = None
) -> Line:
    """Return the note of a commit whose conflict in these files was resolved during a merge.

    `proof` is the resolution that was proven, for one that no person made.
    """
    evidence = dict.fromkeys(redacted(sentence) for file in files for sentence in file.evidence)
    note = ResolvedNote(
        task=task,
        paths=tuple(map(redacted, paths)),
        by=by,
        evidence=tuple(evidence) or UNSET,
        inputs=tuple(map(_resolved_input, files)) or UNSET,
        tree=proof.tree if proof else UNSET,
        checks=tuple(redacted(result.name) for result in proof.checks) if proof else UNSET,
    )
    return line_of(note)


def _resolved_input(file: ResolvedFile) -> ResolvedInput:
    path = redacted(file.path)
    return ResolvedInput(path=path, base=file.base, ours=file.ours, theirs=file.theirs, result=file.result)
