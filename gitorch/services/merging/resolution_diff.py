"""What a resolution changed: the three sides of each conflict of a task, and the result, proposed or published."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from gitorch.errors import NotFound
from gitorch.git.notes import note_store
from gitorch.git.repository import Repository
from gitorch.model.credentials.redaction import redacted
from gitorch.model.naming import Oid, TaskId
from gitorch.model.note import ResolvedInput, ResolvedNote
from gitorch.model.resolution import ResolvedFile
from gitorch.model.task import State, Task
from gitorch.replay.resolved_hunks import ResolvedHunk, resolved_hunks
from gitorch.services.merging.forecast_record import saved_candidate, saved_resolutions
from gitorch.services.workspace import Workspace

_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MAX_COMMITS = 500
"""How far below a merged task's commit its other commits are looked for."""


class ShownFile(msgspec.Struct, frozen=True, kw_only=True):
    """One resolved file, and the hunks that the resolution changed (None: binary, or too large to compare)."""

    file: ResolvedFile
    hunks: tuple[ResolvedHunk, ...] | None


class ShownResolution(msgspec.Struct, frozen=True, kw_only=True):
    """A resolution to look at: in the candidate, or in the `commit` that published it.

    `partners` are the tasks whose changes meet in it, empty where that is not known. `checks` are those that passed.
    """

    task: TaskId
    partners: tuple[TaskId, ...] = ()
    commit: Oid | None = None
    proven: bool
    reason: str = ""
    checks: tuple[str, ...] = ()
    files: tuple[ShownFile, ...]


def shown_resolutions(workspace: Workspace, task: Task) -> list[ShownResolution]:
    """Return the resolutions of a task's conflicts: of its merged commits, else the proposed one.

    Raises `NotFound` if there is none.
    """
    resolutions = _published(workspace, task) if task.state is State.MERGED else _proposed(workspace, task)
    if not resolutions:
        reason = (
            "no conflict was resolved in it"
            if task.state is State.MERGED
            else "no conflict of this task has a proposal"
        )
        fixes = tuple(f"orchestrate diff {name} --resolution" for name in _proposals_with(workspace, task.id))
        if fixes:
            reason = "the proposal is that of the other task, which would be merged later"
        fix = fixes or ("orchestrate merge --dry-run",)
        raise NotFound("no-resolution", f"there is no resolution of {task.id}", why=reason, fix=fix)
    return resolutions


def _proposals_with(workspace: Workspace, partner: TaskId) -> list[TaskId]:
    """Return the other tasks whose conflict with a task has a proposal."""
    candidate = saved_candidate(workspace)
    return [entry.task for entry in candidate.resolutions if partner in entry.partners] if candidate else []


def _proposed(workspace: Workspace, task: Task) -> list[ShownResolution]:
    return [
        ShownResolution(
            task=entry.task,
            partners=entry.partners,
            proven=entry.proven,
            reason=entry.reason,
            checks=tuple(result.name for result in entry.checks if result.passed),
            files=_shown_files(workspace.repository, entry.files),
        )
        for entry in saved_resolutions(workspace, task.id)
    ]


def _published(workspace: Workspace, task: Task) -> list[ShownResolution]:
    """Return the resolutions that the notes on a task's merged commits name, oldest first."""
    repository, tip = workspace.repository, task.merged_as
    if tip is None:
        return []
    words = ("rev-list", "--first-parent", f"--max-count={_MAX_COMMITS}", tip)
    commits = [Oid(line) for line in repository.git(*words, ok=(0, 128)).text.split()]
    lines = note_store.read_many(repository, commits)
    entries = [(commit, line.note) for commit in reversed(commits) for line in lines[commit]]
    return [
        ShownResolution(
            task=task.id,
            commit=commit,
            proven=bool(note.tree),
            checks=note.checks or (),
            files=_shown_files(repository, _files(note)),
        )
        for commit, note in entries
        if isinstance(note, ResolvedNote) and note.task == task.id
    ]


def _files(note: ResolvedNote) -> list[ResolvedFile]:
    return [
        ResolvedFile(
            path=sides.path,
            kind=note.by,
            base=sides.base,
            ours=sides.ours,
            theirs=sides.theirs,
            result=sides.result,
            evidence=note.evidence or (),
        )
        for sides in note.inputs or ()
        if _is_sound(sides)
    ]


def _is_sound(sides: ResolvedInput) -> bool:
    """Return whether a note, which anybody can write, names objects by their ids."""
    return all(_ID.fullmatch(oid) for oid in (sides.base or sides.ours, sides.ours, sides.theirs, sides.result))


def _shown_files(repository: Repository, files: Iterable[ResolvedFile]) -> tuple[ShownFile, ...]:
    return tuple(ShownFile(file=file, hunks=_hunks(repository, file)) for file in files)


def _hunks(repository: Repository, file: ResolvedFile) -> tuple[ResolvedHunk, ...] | None:
    """Return what a resolution changed in a file; raise `NotFound` if git has removed one of its versions."""
    blobs = [file.ours, *([file.base] if file.base else []), file.theirs, file.result]
    contents = [entry.content for entry in repository.read_objects(blobs)]
    if None in contents:
        message = f"the resolution of {file.path} is no longer in the repository"
        raise NotFound("no-resolution", message, fix=("orchestrate merge --dry-run",))
    ours, *base, theirs, result = (content or b"" for content in contents)
    marked = _marked(repository, [ours, base[0] if base else b"", theirs], [file.ours, file.base, file.theirs])
    hunks = resolved_hunks(marked, result)
    return None if hunks is None else tuple(map(_without_credentials, hunks))


def _without_credentials(hunk: ResolvedHunk) -> ResolvedHunk:
    sides = {name: tuple(map(redacted, getattr(hunk, name))) for name in ("base", "ours", "theirs", "result")}
    return msgspec.structs.replace(hunk, **sides)


def _marked(repository: Repository, sides: Sequence[bytes], ids: Sequence[Oid | None]) -> bytes:
    """Return a merge of three versions with conflict markers, and with what both sides started from."""
    if any(b"\0" in side for side in sides):
        return b"\0"
    with tempfile.TemporaryDirectory(prefix="gitorch-") as folder:
        paths = [Path(folder, name) for name in ("ours", "base", "theirs")]
        for path, content in zip(paths, sides, strict=True):
            path.write_bytes(content)
        # markers are told from lines that look like some by these labels
        labels = [word for oid in ids for word in ("-L", oid or "0" * len(ids[0] or ""))]
        words = ("merge-file", "-p", "--diff3", *labels, *map(str, paths))
        # the exit code is the number of conflicts
        return repository.git(*words, ok=range(128)).stdout
