"""List, show and restore the rescue points of uncommitted work."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gitorch.errors import NotFound, Refused
from gitorch.git.worktrees.rescue_points import skipped_of
from gitorch.model.naming import OWN_REFS, Oid, Ref, rescue_ref
from gitorch.regular_files import open_plain
from gitorch.rooms.paths import worktree_path
from gitorch.services import people_only
from gitorch.services.workspace import Workspace

_PREFIX = f"{OWN_REFS}rescue/"
_MOST = 1_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class RescuePoint(msgspec.Struct, frozen=True, kw_only=True):
    """A rescue point of a task: `number` counts from 1, the newest; `head` is the commit that was checked out."""

    task: str
    number: int
    commit: Oid
    head: Oid | None
    time: datetime
    subject: str
    skipped: tuple[str, ...]


class SavedFile(msgspec.Struct, frozen=True):
    """A path that a rescue point changes; `mode` and `blob` are None for a deleted one."""

    path: str
    mode: str | None
    blob: Oid | None


def rescued_tasks(workspace: Workspace) -> list[str]:
    """Return the tasks that have rescue points, including those that `cleanup` has removed."""
    return [ref.removeprefix(_PREFIX) for ref in workspace.repository.refs(_PREFIX.rstrip("/"))]


def list_points(workspace: Workspace, task: str) -> list[RescuePoint]:
    """Return a task's rescue points, the newest first; raise `NotFound` if it has none."""
    repository = workspace.repository
    ref = rescue_ref(task)
    if repository.read_ref(ref) is None:
        raise NotFound("no-rescue-point", f"{task} has no rescue point", fix=("orchestrate rescue list",))
    chain = list(_chain(workspace, ref))
    points = []
    for number, (commit, (oid, head)) in enumerate(
        zip(repository.commits(oid for oid, _ in chain), chain, strict=True)
    ):
        point = RescuePoint(
            task=task,
            number=number + 1,
            commit=oid,
            head=head,
            time=_committed(commit.raw),
            subject=commit.subject,
            skipped=tuple(skipped_of(commit.message)),
        )
        points.append(point)
    return points


def find_point(workspace: Workspace, task: str, number: int) -> RescuePoint:
    """Return a rescue point by its number; raise `NotFound` if there is none."""
    points = list_points(workspace, task)
    if number > len(points):
        raise NotFound(
            "no-rescue-point",
            f"{task} has no rescue point {number}",
            why=f"it has {len(points)}",
            fix=(f"orchestrate rescue list {task}",),
        )
    return points[number - 1]


def saved_files(workspace: Workspace, point: RescuePoint) -> list[SavedFile]:
    """Return what a rescue point has besides the commit that was checked out."""
    repository = workspace.repository
    options = ("-r", "-z", "--raw", "--no-renames", "--no-abbrev")
    before = repository.tree(point.head) if point.head else repository.git("mktree", input=b"").text
    fields = repository.git("diff-tree", *options, before, repository.tree(point.commit)).fields()
    return [_saved_file(change, path) for change, path in zip(fields[::2], fields[1::2], strict=True)]


def _saved_file(change: str, path: str) -> SavedFile:
    _, mode, _, blob, _ = change.split()
    return SavedFile(path, None, None) if mode == "000000" else SavedFile(path, mode, Oid(blob))


def default_folder(workspace: Workspace, point: RescuePoint) -> Path:
    """Return the folder that `restore` writes to if none is named: next to the worktrees."""
    worktree = worktree_path(workspace.repository, workspace.config, point.task)
    return worktree.parent / f"{worktree.name}.rescued-{point.commit[:8]}"


def restore(workspace: Workspace, point: RescuePoint, folder: Path) -> list[SavedFile]:
    """Write the saved files into a new folder; return them. Nothing that exists is overwritten.

    A restore that was killed is completed by the next one of the same point: until its end, the folder has a mark.
    Raises `Refused` if the folder exists and is not empty, or if somebody has changed what a killed one had written.
    """
    people_only.require_person("restore rescue points")
    mark = f".gitorch-restore-{point.commit}"  # no saved file has the name of the commit that it is in
    is_begun = not folder.is_symlink() and (folder / mark).exists()
    in_the_way = folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir())))
    if in_the_way and not is_begun:
        raise Refused(
            "folder-in-the-way",
            f"{folder} exists and is not empty",
            fix=(f"orchestrate rescue restore {point.task} --to FOLDER",),
        )
    files = [file for file in saved_files(workspace, point) if file.blob and file.mode != "160000"]
    folder.mkdir(parents=True, exist_ok=True)
    top = os.open(folder, _FOLDER)
    try:
        if not is_begun:
            os.close(os.open(mark, _NEW_FILE, dir_fd=top))
        _write_files(workspace, top, files)
        os.unlink(mark, dir_fd=top)
    except FileExistsError as error:
        raise Refused(
            "folder-in-the-way",
            f"{folder / os.fsdecode(error.filename)} has changed since a restore was interrupted",
            fix=(f"orchestrate rescue restore {point.task} --to FOLDER",),
        ) from error
    finally:
        os.close(top)
    return files


def _write_files(workspace: Workspace, top: int, files: Sequence[SavedFile]) -> None:
    process = workspace.repository.start_batch("cat-file", "--batch")
    try:
        for file in files:
            process.send(f"{file.blob}\n".encode())
            size = int(process.read_line().split()[2])
            _write_file(top, file, process.read(size + 1)[:-1])
    finally:
        process.close()


def _write_file(top: int, file: SavedFile, content: bytes) -> None:
    *folders, name = file.path.split("/")
    parent = os.dup(top)
    try:
        for folder in folders:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, dir_fd=parent)
            child = os.open(folder, _FOLDER, dir_fd=parent)
            os.close(parent)
            parent = child
        _remove_part(parent, name, content, is_link=file.mode == "120000")
        if file.mode == "120000":
            os.symlink(content, name, dir_fd=parent)
            return
        mode = 0o755 if file.mode == "100755" else 0o644
        with os.fdopen(os.open(name, _NEW_FILE, mode, dir_fd=parent), "wb") as target:
            target.write(content)
    finally:
        os.close(parent)


def _remove_part(parent: int, name: str, content: bytes, *, is_link: bool) -> None:
    """Remove what a killed restore has written of a file; leave anything else, which then is in the way."""
    try:
        if is_link:
            part = os.readlink(os.fsencode(name), dir_fd=parent)
            is_part = part == content
        else:
            with open_plain(name, within=parent) as file:
                is_part = content.startswith(file.read(len(content) + 1))
    except OSError:
        return
    if is_part:
        os.unlink(name, dir_fd=parent)


def _chain(workspace: Workspace, ref: Ref) -> Iterator[tuple[Oid, Oid | None]]:
    """Yield a task's rescue points, each with the commit that was checked out.

    A rescue point's parents are the one before it, if any, and that commit.
    """
    lines = workspace.repository.git("rev-list", "--first-parent", "--parents", f"-n{_MOST}", ref).text.split("\n")
    for oid, *parents in (line.split() for line in lines):
        yield Oid(oid), Oid(parents[-1]) if parents else None
        if len(parents) < 2:
            return


def _committed(raw: bytes) -> datetime:
    line = next(line for line in raw.split(b"\n") if line.startswith(b"committer "))
    return datetime.fromtimestamp(int(line.rsplit(b" ", 2)[1]), UTC)
