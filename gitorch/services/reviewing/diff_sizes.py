"""The sizes of the diffs of tasks, computed once for each pair of commits."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec

from gitorch import typed
from gitorch.git.diff.file_changes import LineCounts, line_counts
from gitorch.git.repository import GitFailed
from gitorch.model.naming import TaskId
from gitorch.model.task import Task, commit_range
from gitorch.services.workspace import Workspace
from gitorch.storage import atomic

_FILE = "line-counts.json"
_MIN_KEPT = 2_000


def diff_sizes(workspace: Workspace, tasks: Iterable[Task]) -> dict[TaskId, LineCounts]:
    """Return the lines that the branch of each task adds and removes; tasks without commits are left out."""
    pairs = {task.id: commit_range(task) for task in tasks if task.base and task.tip}
    keys = {name: f"{base} {tip}" for name, (base, tip) in pairs.items()}
    sizes = _read(workspace)
    missing = {name for name, key in keys.items() if key not in sizes}
    if missing:
        with suppress(GitFailed):  # a commit is missing: the sizes of these stay unknown
            counts = line_counts(workspace.repository, (pairs[name] for name in missing))
            sizes |= {keys[name]: counts[pairs[name]] for name in missing if pairs[name] in counts}
            _save(workspace, sizes, keep=max(_MIN_KEPT, 2 * len(keys)))
    return {name: sizes[key] for name, key in keys.items() if key in sizes}


def _read(workspace: Workspace) -> dict[str, LineCounts]:
    try:
        return typed.from_json(atomic.read_or_empty(workspace.folder / _FILE) or b"{}", dict[str, LineCounts])
    except (msgspec.DecodeError, OSError):
        return {}


def _save(workspace: Workspace, sizes: dict[str, LineCounts], *, keep: int) -> None:
    latest = dict(list(sizes.items())[-keep:])
    with suppress(OSError):  # a disk that is full or read-only: the next command computes them again
        atomic.replace(workspace.folder / _FILE, msgspec.json.encode(latest), durable=False, concurrent=True)
