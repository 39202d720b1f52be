"""Open the replayer of a merge: the engine, known resolutions, and squashing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec

from gitorch import regular_files, services, typed
from gitorch.flow import merge
from gitorch.flow.merge import KnownResolutions
from gitorch.flow.merge.resolution.remembered import OpenConflict, sides
from gitorch.git.repository import GitFailed, Repository
from gitorch.model.naming import Oid
from gitorch.model.task import State
from gitorch.replay import Conflicted, MemoryReplayer, Replayer
from gitorch.replay.rebase import RebaseReplayer
from gitorch.rooms.paths import worktree_path
from gitorch.services.workspace import Workspace
from gitorch.storage.atomic import replace


class Engine(StrEnum):
    """The engine that replays commits. All give the same result, at different speeds."""

    AUTO = "auto"
    MERGE_TREE = "merge-tree"
    GIT_REBASE = "git-rebase"


@contextmanager
def open_replayer(
    workspace: Workspace, *, squash: bool = False, dry_run: bool = False, engine: Engine = Engine.AUTO
) -> Iterator[Replayer]:
    """Yield the replayer of a merge: it resolves known conflicts and, with `squash`, makes one commit of each task.

    A dry run runs no commands and saves nothing. The result does not depend on the `engine`.
    """
    commands = {} if dry_run else workspace.config.merge.regenerate
    regenerator = services.merging.regenerating.open_regenerator(workspace) if commands else None
    with _engine(workspace, engine) as base_engine:
        resolutions = KnownResolutions(workspace.repository, base_engine.blob)
        if not dry_run:
            _learn(workspace, resolutions)
        replayer = merge.merge_replayer(
            base_engine,
            workspace.config.merge.regenerate,
            regenerator.regenerate if regenerator else None,
            tasks=workspace.tasks.values(),
            squash=squash,
            resolutions=resolutions,
        )
        yield replayer
        if not dry_run and replayer.unsolved:
            _save_open_conflicts(workspace, replayer.unsolved)
        workspace.store.notices.extend(regenerator.failures if regenerator else ())


def learn_resolutions(workspace: Workspace) -> None:
    """Learn from the tasks that were in conflict and came back resolved."""
    if any(_folder(workspace).glob("*.json")):
        _learn(workspace, KnownResolutions(workspace.repository))


def _engine(workspace: Workspace, engine: Engine) -> Replayer:
    if engine is Engine.GIT_REBASE:
        # no task can have this name, so no task worktree is at this path
        return RebaseReplayer(workspace.repository, worktree_path(workspace.repository, workspace.config, ".rebase"))
    return MemoryReplayer(workspace.repository, whole_trees=engine is Engine.MERGE_TREE)


def _learn(workspace: Workspace, resolutions: KnownResolutions) -> None:
    """Learn from the tasks that were in conflict and came back with another tip."""
    for file in sorted(_folder(workspace).glob("*.json")):
        conflict = _read_open_conflict(file)
        if conflict is None:
            file.unlink()  # not a record of this version: nothing can be learned from it
            continue
        task = workspace.tasks.get(conflict.task)
        if task is not None and task.tip in (conflict.tip, None):
            continue
        if task is not None and task.tip is not None:
            try:
                _learn_from_branch(workspace.repository, resolutions, conflict, task.base, task.tip)
            except GitFailed as error:
                workspace.store.notices.append(f"nothing was learned from the conflict of {task.id}: {error.what}")
        file.unlink()


def _read_open_conflict(file: Path) -> OpenConflict | None:
    try:
        return typed.from_object(json.loads(regular_files.read(file)), OpenConflict)
    except (ValueError, RecursionError):  # msgspec's ValidationError is one of the first
        return None


def _learn_from_branch(
    repository: Repository, resolutions: KnownResolutions, conflict: OpenConflict, base: Oid | None, tip: Oid
) -> None:
    for commit in merge.resolving_commits(repository, conflict.files, base, tip):
        resolutions.learn(merge.resolved_files(repository, commit, conflict.files))


def _save_open_conflicts(workspace: Workspace, conflicts: Mapping[Oid, Conflicted]) -> None:
    tips = {task.tip: task for task in workspace.tasks.values() if task.state is State.CONFLICTED}
    for tip, conflict in conflicts.items():
        files = {path: three for path, three in sides(conflict).items() if three is not None}
        if tip in tips and files:
            folder = _folder(workspace)
            folder.mkdir(exist_ok=True)
            record = OpenConflict(tips[tip].id, tip, files)
            # not msgspec's encoder: a path that is not UTF-8 keeps its bytes as escapes
            replace(folder / f"{record.task}.json", json.dumps(msgspec.to_builtins(record)).encode("ascii"))


def _folder(workspace: Workspace) -> Path:
    return workspace.folder / "conflicts"
