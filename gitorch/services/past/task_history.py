"""Everything that is known of one task, also after it has left the board: verdicts, commits, refs, logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from gitorch.git.notes import note_store
from gitorch.model.credentials.redaction import redacted
from gitorch.model.naming import OWN_REFS, Oid, Ref, branch_ref, rescue_ref
from gitorch.model.note import Line, MergedNote, VerdictNote
from gitorch.model.task import Task
from gitorch.services.past.past_tasks import find_any
from gitorch.services.workspace import Workspace

_MOST_COMMITS = 200


class OwnCommit(msgspec.Struct, frozen=True, kw_only=True):
    """A commit of the task; `merged_as` is what it became on the integration branch (None: it was not merged)."""

    oid: Oid
    subject: str
    merged_as: Oid | None = None


class NotedVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """A reviewer's verdict on the commit `tip`, with its comments."""

    tip: Oid
    note: VerdictNote


class TaskHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One task with what became of it.

    `on_board` tells whether it is still among the live tasks, `removed` when `cleanup` took it off (None: unknown).
    `refs` are those that hold its commits and its rescued files now, `logs` the folder of its attempts.
    """

    task: Task
    on_board: bool
    removed: datetime | None = None
    verdicts: tuple[NotedVerdict, ...] = ()
    commits: tuple[OwnCommit, ...] = ()
    refs: Mapping[Ref, Oid] = {}
    logs: Path | None = None


def task_history(workspace: Workspace, name: str) -> TaskHistory:
    """Return what is known of the task of this name."""
    task, past = find_any(workspace, name)
    root = past.logs if past else workspace.folder
    logs = root / "attempts" / task.id if root else None
    lines = note_store.read_all(workspace.repository)
    return TaskHistory(
        task=task,
        on_board=past is None,
        removed=past.removed if past else None,
        verdicts=tuple(_verdicts(lines, task)),
        commits=tuple(_commits(workspace, lines, task)),
        refs=_refs(workspace, task),
        logs=logs if logs and logs.is_dir() else None,
    )


def _verdicts(lines: Mapping[Oid, Sequence[Line]], task: Task) -> Iterator[NotedVerdict]:
    """Yield the verdicts on a task, oldest first; a merge copies notes to the commits that it makes."""
    verdicts: dict[tuple[str, str, str], NotedVerdict] = {}
    copies = {commit for commit, noted in lines.items() if any(isinstance(line.note, MergedNote) for line in noted)}
    for commit, noted in sorted(lines.items(), key=lambda entry: entry[0] in copies):
        for line in noted:
            if isinstance(line.note, VerdictNote) and line.note.task == task.id:
                key = (line.note.time, line.note.reviewer, line.note.verdict)
                verdicts.setdefault(key, NotedVerdict(tip=commit, note=line.note))
    yield from (verdicts[key] for key in sorted(verdicts))


def _commits(workspace: Workspace, lines: Mapping[Oid, Sequence[Line]], task: Task) -> Iterator[OwnCommit]:
    """Yield the task's own commits, oldest first: from its branch, or else from the notes of the merge."""
    merged = {
        line.note.commit: (line.note.time, new)
        for new, noted in lines.items()
        for line in noted
        if isinstance(line.note, MergedNote) and line.note.task == task.id
    }
    commits = _own_commits(workspace, task) or [(old, "") for old in sorted(merged, key=merged.__getitem__)]
    for oid, subject in commits:
        yield OwnCommit(oid=oid, subject=redacted(subject), merged_as=merged[oid][1] if oid in merged else None)


def _own_commits(workspace: Workspace, task: Task) -> list[tuple[Oid, str]]:
    repository = workspace.repository
    if task.base is None or task.tip is None or None in repository.object_ids(task.base, task.tip):
        return []
    words = ("log", "-z", "--reverse", "--topo-order", f"--max-count={_MOST_COMMITS}", "--format=%H%x00%s")
    fields = repository.git(*words, f"{task.base}..{task.tip}", "--").fields()
    return [(Oid(oid), subject) for oid, subject in zip(fields[::2], fields[1::2], strict=True)]


def _refs(workspace: Workspace, task: Task) -> dict[Ref, Oid]:
    """Return the refs that hold what is kept of a task."""
    folders = [f"{OWN_REFS}{kind}/{task.id}/" for kind in ("attempts", "trash")]
    branch = [branch_ref(task.branch)] if task.branch else []
    return workspace.repository.refs(*branch, rescue_ref(task.id), f"{rescue_ref(task.id)}/", *folders)
