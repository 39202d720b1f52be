"""The space that tasks take on the disk, and what is left for worktrees."""

from __future__ import annotations

import os
import shutil

import msgspec

from gitorch.config import size
from gitorch.executors.resource_watch import disk_usage
from gitorch.model.task import Task
from gitorch.rooms.paths import worktree_path
from gitorch.services.workspace import Workspace

_GIGABYTE = 1_000_000_000

SECONDS = 2.0
"""The longest look at a worktree: an agent can have made any number of files."""


class TaskDisk(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes on the disk: of a task's worktree, and of its room (private repositories, HOME, temporary files).

    None: there are too many files to look at.
    """

    worktree: int | None
    room: int | None


class FreeDisk(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are free where worktrees are, in whole gigabytes, and the `floor` below which a run starts nothing."""

    free: int
    floor: int


def of_task(workspace: Workspace, task: Task) -> TaskDisk:
    """Return what a task takes, by looking at all of its files for a few seconds at most."""
    return TaskDisk(
        worktree=disk_usage(task.worktree, SECONDS) if task.worktree else 0,
        room=disk_usage(os.fspath(workspace.folder / "rooms" / task.id), SECONDS),
    )


def for_worktrees(workspace: Workspace) -> FreeDisk:
    """Return what is free where worktrees are made."""
    parent = worktree_path(workspace.repository, workspace.config, "task").parent
    existing = next(folder for folder in (parent, *parent.parents) if folder.exists())
    # two answers in a row are the same where nothing has changed
    free = shutil.disk_usage(existing).free // _GIGABYTE * _GIGABYTE
    return FreeDisk(free=free, floor=size(workspace.config.run.min_free_disk))
