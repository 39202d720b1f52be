"""Tasks that have left the board, as the operation log and the notes describe them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from gitorch.errors import NotFound
from gitorch.git.notes import note_store
from gitorch.model import noted_task
from gitorch.model.naming import Oid, TaskId
from gitorch.model.note import AdoptedNote, AttemptNote, Line, MergedNote
from gitorch.model.task import State, Task, commit_range
from gitorch.services.lookup import find_among, find_task
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import UNDO, FolderMove, restored


class PastTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that has left the board.

    `removed` is when `cleanup` removed it (None: only notes describe it); `logs` is the folder that took the place of
    the state folder for its executions, if they are still in the trash.
    """

    task: Task
    removed: datetime | None = None
    logs: Path | None = None


def find_any(workspace: Workspace, name: str) -> tuple[Task, PastTask | None]:
    """Return the task of this id, unique prefix or number: on the board, or else as it left the board.

    Raises `NotFound` for a name that means no task, or several.
    """
    board = workspace.tasks
    if name in board or name.isdigit():
        with suppress(NotFound):
            return find_task(workspace, name), None
    past = {item.task.id: item for item in past_tasks(workspace)}
    if name not in past:  # a whole name of the past counts more than a prefix on the board
        try:
            return find_task(workspace, name), None
        except NotFound as error:
            if error.code == "ambiguous":
                raise
    # with those on the board, for the near misses of a name that means none
    task = find_among({**board, **{task_id: item.task for task_id, item in past.items()}}, name)
    return task, past[task.id]


def past_tasks(workspace: Workspace) -> list[PastTask]:
    """Return the tasks that have left the board, those that left last first, then those that only notes describe."""
    board = workspace.tasks
    removed: dict[TaskId, PastTask] = {}
    for past in _removed(workspace):
        removed.setdefault(past.task.id, past)
    noted = (past for past in _noted(workspace) if past.task.id not in removed)
    return [past for past in (*removed.values(), *noted) if past.task.id not in board]


def _removed(workspace: Workspace) -> Iterator[PastTask]:
    """Yield the tasks that `cleanup` removed, latest first."""
    for operation in workspace.operations.completed():
        if operation.requested_kind != "cleanup" or operation.kind == UNDO:
            continue
        for change in operation.changes:
            if change.new is None and (task := restored(change, None)) is not None:
                logs = _trashed_logs(workspace.folder, task.id, operation.folders)
                yield PastTask(task=task, removed=operation.created, logs=logs)


def _trashed_logs(state: Path, task: TaskId, moves: Sequence[FolderMove]) -> Path | None:
    key = f"attempts/{task}"
    for move in moves:
        if move.old == key and move.new.endswith(f"/{key}") and (state / move.new).is_dir():
            return state / move.new.removesuffix(f"/{key}")
    return None


def _noted(workspace: Workspace) -> Iterator[PastTask]:
    """Yield the tasks that the notes on commits describe, of which no operation is recorded."""
    lines = note_store.read_all(workspace.repository)
    merges = {(note.task, note.commit): commit for commit, noted in lines.items() for note in _notes(noted, MergedNote)}
    merged = {task for task, _ in merges}
    for name, tip in _last_tips(lines, merges).items():
        task = noted_task.read_adopted(lines[tip], tip)
        if task is None or task.id != name:
            branch = workspace.config.branch_of(TaskId(name))
            task = noted_task.read_task(name, 0, branch, tip, None, lines[tip])
        if name in merged and task.state is not State.REJECTED:
            task = msgspec.structs.replace(task, state=State.MERGED, merged_as=merges.get((name, tip)))
        yield PastTask(task=task)


def _last_tips(lines: Mapping[Oid, Sequence[Line]], merges: Mapping[tuple[str, Oid], Oid]) -> dict[str, Oid]:
    """Return for each task the commit of its branch with the note of its last attempt, not what that was merged as."""
    copies = {(task, new) for (task, old), new in merges.items() if old != new}
    tips: dict[str, tuple[int, Oid]] = {}
    for commit, noted in lines.items():
        for line in noted:
            if not isinstance(line.note, (AttemptNote, AdoptedNote)) or (line.note.task, commit) in copies:
                continue
            number = line.note.number if isinstance(line.note, AttemptNote) else 0
            if number >= tips.get(line.note.task, (-1, ""))[0]:
                tips[line.note.task] = (number, commit)
    return {name: tip for name, (_, tip) in tips.items()}


def _notes(lines: Sequence[Line], kind: type[MergedNote]) -> Iterator[MergedNote]:
    return (line.note for line in lines if isinstance(line.note, kind))


def with_logs(workspace: Workspace, past: PastTask) -> Workspace:
    """Return a workspace to read the executions of a task that has left the board; raise `NotFound` without logs."""
    if past.logs is None:
        raise NotFound(
            "no-log",
            f"the logs of {past.task.id} are gone",
            why="cleanup moves logs to the trash, which is emptied after trash.keep",
            fix=(f"orchestrate history {past.task.id}",),
        )
    return msgspec.structs.replace(workspace, folder=past.logs)


def require_commits(workspace: Workspace, task: Task) -> None:
    """Raise `NotFound` if the commits of a task that has left the board are not in the repository any more."""
    if task.tip is None or None in workspace.repository.object_ids(*commit_range(task)):
        raise NotFound(
            "no-commits",
            f"the commits of {task.id} are not in this repository",
            why="no ref holds them any more, or they were never fetched",
            fix=(f"orchestrate history {task.id}",),
        )
