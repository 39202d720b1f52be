"""The processor time of a git and of what it started: submodules have gits of their own."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import psutil


def seconds_of(pid: int) -> float:
    """Return the processor time of a process and all that it started."""
    return sum(map(_seconds, _tree(pid)))


def terminate(pid: int) -> list[psutil.Process]:
    """Ask a process and what it started to end, and return them; a git removes its lock files first."""
    members = _tree(pid)
    for member in members:
        with suppress(psutil.Error):
            member.terminate()
    return members


def kill(members: Iterable[psutil.Process]) -> None:
    """End those that have not ended."""
    for member in members:
        with suppress(psutil.Error):
            member.kill()


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    # what the children have that were waited for is only known on Linux
    return float(times.user + times.system + times.children_user + times.children_system)
