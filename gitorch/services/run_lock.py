"""The locks of a run: one run at a time in a repository."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from gitorch.errors import Refused
from gitorch.services.workspace import Workspace
from gitorch.storage import locks

_PAUSE_SECONDS = 0.05
_REFUSALS = 5
"""Attempts before reporting that a run is active."""
_TRIES = 200
"""A bound for a process that was stopped while it held the lock for a question."""


@contextmanager
def run_lock(workspace: Workspace) -> Iterator[None]:
    """Hold the run lock; raise `Refused` when another run holds it."""
    workspace.folder.mkdir(parents=True, exist_ok=True)
    with (workspace.folder / "run.lock").open("a+") as file:
        if not _locked_soon(file):
            file.seek(0)
            raise Refused(
                "run-held",
                "another run is at work in this repository",
                why=f"process {file.read().strip()}",
                fix=("orchestrate watch",),
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def git_lock(workspace: Workspace) -> Iterator[None]:
    """Wait for the git processes of a killed run; the next run waits for those that start here."""
    with locks.file_lock(workspace.folder / "git.lock") as file, workspace.repository.inherit_lock(file):
        yield


def is_running(workspace: Workspace) -> bool:
    """Tell whether a run is active in this repository."""
    try:
        with (workspace.folder / "run.lock").open("a+") as file:
            return not locks.try_lock(file, shared=True)
    except FileNotFoundError:
        return False


def _locked_soon(file: IO[str]) -> bool:
    """Take a lock that others hold for a whole run, or for the moment in which they ask whether there is one."""
    refusals = 0
    for _ in range(_TRIES):
        if locks.try_lock(file):
            return True
        # a process that asks shares the lock, and may be slow to release it; a run does not share
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
