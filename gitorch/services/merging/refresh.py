"""Refresh the forecast and the candidate after a command has answered, in a process that nobody waits for."""

from __future__ import annotations

import fcntl
import os
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO

import msgspec

from gitorch import services
from gitorch.executors.detached_work import fork_detached
from gitorch.git.repository import Repository
from gitorch.model.credentials.redaction import redacted
from gitorch.services.merging import pending_refresh
from gitorch.services.run_lock import is_running
from gitorch.services.workspace import Workspace
from gitorch.storage import locks


def start(workspace: Workspace) -> None:
    """Start a refresh if there are marks: a fork of this process, which has imported what it needs.

    It has a session of its own, none of the caller's files, and holds the lock from the beginning. If it cannot start,
    its marks stay: `status` says so, and starts another one.
    """
    with suppress(OSError):
        if not pending_refresh.marks(workspace.folder):
            return
        with locks.open_file(workspace.folder / pending_refresh.LOCK) as lock:
            locks.try_lock(lock)  # so that it is at work before the command has ended
            fork_detached(lambda: _refresh_alone(workspace, lock), keep=[lock.fileno()])


def _refresh_alone(workspace: Workspace, lock: IO[str]) -> None:
    fcntl.flock(lock, fcntl.LOCK_EX)  # where another one is at work, it may have begun too early
    # a repository without the git processes of the caller
    old = workspace.repository
    fresh = Repository(old.common_dir, old.work_tree, old.checkout)
    fresh.head_name = old.head_name
    _refresh(msgspec.structs.replace(workspace, repository=fresh), lock)


def _refresh(workspace: Workspace, lock: IO[str]) -> None:
    """Refresh what the marks say is out of date. A repository that is being removed gets no new files."""
    folder = workspace.folder

    def is_wanted() -> bool:
        with suppress(OSError):
            return os.path.samestat((folder / pending_refresh.LOCK).stat(), os.fstat(lock.fileno()))
        return False

    while done := pending_refresh.marks(folder):
        # a run that has begun in the meantime does it by itself
        trouble = "" if is_running(workspace) else _trouble(workspace, is_wanted)
        if not is_wanted():
            return
        pending_refresh.settle(folder, done, trouble)
        if trouble:
            return


def _trouble(workspace: Workspace, is_wanted: Callable[[], bool]) -> str:
    """Refresh; return why it failed, empty if it did not."""
    try:
        return "; ".join(services.merging.candidate.refresh(workspace, is_wanted))
    except Exception as error:  # a bug: save the traceback; the next command says it
        if not is_wanted():
            return ""
        path = workspace.folder / "crashes" / f"refresh-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(redacted(traceback.format_exc()), "utf-8", "backslashreplace")
        return f"the candidate was not rebuilt: unexpected error: {type(error).__name__}; the traceback is in {path}"
