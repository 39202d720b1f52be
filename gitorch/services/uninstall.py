"""Take gitorch out of a repository: branches, commits and what no branch has stay; worktrees, refs and state go."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from gitorch.errors import Refused
from gitorch.git import worktree_list
from gitorch.git.layout import TRASH
from gitorch.git.repository import Repository
from gitorch.git.user_hooks import HookState
from gitorch.git.worktrees import linked_worktrees, rescue_points
from gitorch.git.worktrees.worktree_trash import carry_out, new_stamp, removal
from gitorch.model import naming
from gitorch.model.naming import NOTES, OWN_REFS, REMEMBERED_FOLDER, Oid, Ref, TaskId
from gitorch.model.refs import RefUpdate
from gitorch.model.task import State
from gitorch.rooms.paths import worktree_path
from gitorch.services import hooks, people_only
from gitorch.services.recovery.operations import operation_lock
from gitorch.services.run_lock import run_lock
from gitorch.services.workspace import Workspace

_RESCUE = f"{OWN_REFS}rescue/"
_COPIES = (f"{OWN_REFS}orig/", f"{OWN_REFS}building", f"{OWN_REFS}remote-notes/")
"""Refs whose commits are elsewhere: published by a merge under other ids, or notes."""

_CHECKED = re.compile(r"(integration|candidate)(_\d+)?|check_\d+")
"""Worktrees in which trees are checked: nobody works there, and no task can have these names."""


class UninstallPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What goes: worktrees, refs with their commits, hooks, and the folder of the state.

    `remaining` are refs that stay because no branch has their commits; `open` the tasks that are queued or unfinished.
    """

    worktrees: tuple[Path, ...]
    refs: dict[Ref, Oid]
    remaining: tuple[Ref, ...]
    hooks: tuple[Path, ...]
    folder: Path
    open: tuple[TaskId, ...]


class Uninstalled(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be taken away: worktrees with files that no rescue point holds, and hooks changed by hand."""

    worktrees: tuple[Path, ...] = ()
    hooks: tuple[Path, ...] = ()


def plan(workspace: Workspace, *, purge: bool = False) -> UninstallPlan:
    """Return what `uninstall` would do; `purge` also takes rescue points, earlier attempts, and notes."""
    removed, remaining = _refs(workspace, purge=purge)
    closed = (State.MERGED, State.REJECTED, State.CANCELLED)
    return UninstallPlan(
        worktrees=tuple(_own_worktrees(workspace)),
        refs=removed,
        remaining=remaining,
        hooks=tuple(hook.path for hook in hooks.status(workspace)[1] if hook.state is not HookState.ABSENT),
        folder=workspace.folder,
        open=tuple(task.id for task in workspace.tasks.values() if task.state not in closed),
    )


def uninstall(workspace: Workspace, *, purge: bool = False) -> Uninstalled:
    """Take gitorch out of the repository. A killed uninstall goes on when it is called again.

    Uncommitted files go to rescue points first. Raises `Refused` while a run or an agent is active.
    """
    people_only.require_person("uninstall gitorch")
    running = [task.id for task in workspace.tasks.values() if task.state is State.RUNNING]
    if running:
        raise Refused("agents-running", f"agents are running: {', '.join(running)}", fix=("orchestrate kill --all",))
    workspace.folder.mkdir(parents=True, exist_ok=True)
    with run_lock(workspace), operation_lock(workspace):
        trash_folders = _trash_folders(workspace)
        unsaved = tuple(_take_worktrees(workspace))
        for trash in trash_folders:
            _empty(trash, unsaved)
        _drop_worktrees_folder(workspace.repository)
        changed = _remove_hooks(workspace)
        removed, _ = _refs(workspace, purge=purge)
        workspace.repository.update_refs([RefUpdate(ref, None, oid) for ref, oid in removed.items()], "uninstall")
        shutil.rmtree(workspace.folder)
    return Uninstalled(worktrees=unsaved, hooks=changed)


def _own_worktrees(workspace: Workspace) -> Iterator[Path]:
    for entry in worktree_list.list_entries(workspace.repository):
        admin = worktree_list.find_admin(workspace.repository, entry.path)
        if admin is not None and (admin / REMEMBERED_FOLDER).exists():
            yield entry.path


def _take_worktrees(workspace: Workspace) -> Iterator[Path]:
    """Take the worktrees away; yield where those are whose files are not all in a rescue point."""
    repository, stamp = workspace.repository, new_stamp()
    for path in [*_own_worktrees(workspace)]:
        worktree, saved = linked_worktrees.find(repository, path), None
        if worktree is not None and not _CHECKED.fullmatch(path.name):
            ref = naming.rescue_ref(path.name)
            saved = linked_worktrees.rescue(
                repository, worktree, ref, f"uncommitted files of {path.name}", complete=True
            )
        moves = removal(repository, path, stamp)
        with linked_worktrees.lock(repository):
            carry_out(moves)
        if saved and rescue_points.skipped_of(repository.commits([saved])[0].message):
            yield from (move.new for move in moves if move.old == path)


def _trash_folders(workspace: Workspace) -> set[Path]:
    parents = {worktree_path(workspace.repository, workspace.config, "task").parent}
    parents |= {Path(task.worktree).parent for task in workspace.tasks.values() if task.worktree}
    parents |= {path.parent for path in _own_worktrees(workspace)}
    return {parent / TRASH for parent in parents}


def _empty(trash: Path, unsaved: Sequence[Path]) -> None:
    """Delete what is in a trash folder, but for `unsaved`, and the folders that are empty then."""
    for entry in trash.iterdir() if trash.is_dir() and not trash.is_symlink() else ():
        if entry in unsaved:
            continue
        if entry.is_symlink() or not entry.is_dir():
            entry.unlink()
        else:
            shutil.rmtree(entry)
    for folder in (trash, trash.parent):
        if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()


def _drop_worktrees_folder(repository: Repository) -> None:
    """Remove git's folder of linked worktrees where it is empty, as git does with the last of them."""
    with linked_worktrees.lock(repository), suppress(OSError):  # it has the worktrees of a person
        (repository.common_dir / "worktrees").rmdir()


def _remove_hooks(workspace: Workspace) -> tuple[Path, ...]:
    """Remove the installed hooks; return those that a person has changed, which stay."""
    changed = tuple(hook.path for hook in hooks.status(workspace)[1] if hook.state is HookState.CHANGED)
    if not changed:
        hooks.remove(workspace)
    return changed


def _refs(workspace: Workspace, *, purge: bool) -> tuple[dict[Ref, Oid], tuple[Ref, ...]]:
    """Return the refs that go, and those that stay because no other kept ref has their commits."""
    own_refs = workspace.repository.refs(OWN_REFS.rstrip("/"))
    if purge:
        return own_refs | workspace.repository.refs(NOTES), ()
    rescued = {ref: tip for ref, tip in own_refs.items() if ref.startswith(_RESCUE)}
    other_refs = {ref: tip for ref, tip in own_refs.items() if ref not in rescued}
    copies = [ref for ref in other_refs if ref.startswith(_COPIES)]
    bounds = ("--not", f"--exclude={OWN_REFS}*", "--all", f"--glob={_RESCUE}*")
    tips = [f"{tip}\n" for tip in other_refs.values()]
    listing = workspace.repository.git("rev-list", "--stdin", *bounds, input="".join(tips).encode()).text
    alone = {*listing.split()} if tips else set()
    # one ref for each commit: what came in from an agent may be kept by a later ref, too
    unique = {tip: ref for ref, tip in other_refs.items() if tip in alone and ref not in copies}.values()
    removed = {ref: tip for ref, tip in other_refs.items() if ref not in unique}
    return removed, (*rescued, *unique)
