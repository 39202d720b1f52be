"""Processes as psutil shows them, on systems without `/proc`; see `proc_files`."""

from __future__ import annotations

from collections.abc import Iterator

import psutil


def parents(pid: int) -> Iterator[int]:
    """Yield the ids of the processes above one, the nearest first."""
    try:
        yield from (process.pid for process in psutil.Process(pid).parents())
    except (psutil.Error, OSError):
        return


def variable(pid: int, name: str) -> str:
    """Return a variable of the environment that a process was started with; empty without it."""
    try:
        return psutil.Process(pid).environ().get(name, "")
    except (psutil.Error, OSError):
        return ""


def arguments(pid: int) -> list[str]:
    """Return the command line of a process."""
    try:
        return psutil.Process(pid).cmdline()
    except (psutil.Error, OSError):
        return []


def open_paths(pid: int) -> list[str]:
    """Return the paths of the files that a process has open."""
    try:
        return [file.path for file in psutil.Process(pid).open_files()]
    except (psutil.Error, OSError):
        return []
