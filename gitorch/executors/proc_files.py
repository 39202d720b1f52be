"""Processes as `/proc` shows them (Linux). It stands in for psutil where a command must start fast.

A process that is gone, or that this user may not look at, has nothing to show: no error is raised.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_PARENT, _START = 1, 19
"""Fields of `/proc/PID/stat`, counted after the name of the program, which may contain anything."""


def parents(pid: int) -> Iterator[int]:
    """Yield the ids of the processes above one, the nearest first."""
    fields = _stat(pid)
    while fields and (parent := int(fields[_PARENT])):
        parent_fields = _stat(parent)
        # an id that was used again since belongs to a younger process, which is no parent
        if not parent_fields or int(parent_fields[_START]) > int(fields[_START]):
            return
        yield parent
        fields = parent_fields


def variable(pid: int, name: str) -> str:
    """Return a variable of the environment that a process was started with; empty without it."""
    prefix = f"{name}="
    values = (entry.removeprefix(prefix) for entry in _strings(pid, "environ") if entry.startswith(prefix))
    return next(values, "")


def arguments(pid: int) -> list[str]:
    """Return the command line of a process."""
    return _strings(pid, "cmdline")


def open_paths(pid: int) -> list[str]:
    """Return what the descriptors of a process refer to: paths, and the kernel's names of what has no path."""
    try:
        links = [*Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []
    return [path for link in links if (path := _target(link))]


def _stat(pid: int) -> list[str]:
    content = _read(pid, "stat")
    return content.rpartition(")")[2].split()


def _strings(pid: int, name: str) -> list[str]:
    return _read(pid, name).removesuffix("\0").split("\0")


def _read(pid: int, name: str) -> str:
    try:
        return os.fsdecode(Path(f"/proc/{pid}/{name}").read_bytes())
    except OSError:
        return ""


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
