"""The locks of a run: one run at a time in a repository."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gitorch.errors import Refused
from gitorch.services.workspace import Workspace
from gitorch.storage import locks

_PAUSE_SECONDS = 0.05
_REFUSALS = 5
"""Attempts before reporting that a run is active."""
_TRIES = 200
"""Limits the wait for a process that was suspended while it held the shared lock."""


@contextmanager
def run_lock(workspace: Workspace) -> Iterator[None]:
    """Hold the run lock. Raises `Refused` if another run holds it."""
    workspace.folder.mkdir(parents=True, exist_ok=True)
    with locks.open_file(workspace.folder / "run.lock") as file:
        if not _locked_soon(file):
            file.seek(0)
            raise Refused(
                "run-held",
                "another run is active in this repository",
                why=f"process {file.read().strip()}",
                fix=("orchestrate watch",),
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def git_lock(workspace: Workspace) -> Iterator[None]:
    """Wait for the git processes of a killed run; the next run waits for those started in this block."""
    with locks.file_lock(workspace.folder / "git.lock") as file, workspace.repository.inherit_lock(file):
        yield


def is_running(workspace: Workspace) -> bool:
    """Return whether a run is active in this repository."""
    return is_locked(workspace.folder)


def is_locked(folder: Path) -> bool:
    """Return whether a run holds the lock in a state folder."""
    return locks.is_locked(folder / "run.lock")


def _locked_soon(file: IO[str]) -> bool:
    """Take the lock, which others hold for a whole run, or briefly to check whether a run is active."""
    refusals = 0
    for _ in range(_TRIES):
        if locks.try_lock(file):
            return True
        # a checking process holds a shared lock, and may release it late; a run holds an exclusive one
        refusals += not _is_shared(file)
        if refusals == _REFUSALS:
            break
        threading.Event().wait(_PAUSE_SECONDS)
    return False


def _is_shared(file: IO[str]) -> bool:
    shared = locks.try_lock(file, shared=True)
    if shared:
        fcntl.flock(file, fcntl.LOCK_UN)
    return shared
