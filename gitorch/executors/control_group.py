"""The kernel's control group of one program: limits that it cannot exceed. Uses only the standard library.

Run as a script, it makes a group, and says what is wrong where that is impossible: `groups` asks it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` would delay the start of every agent and every check
    from collections.abc import Mapping

THREADS = 4
"""Processes and threads that a program may have for each process of its limit: the kernel counts threads, too."""
PREFIX = "gitorch-"
_SWEPT_SECONDS = 1.0
_PAUSE_SECONDS = 0.02


class ControlGroup:
    """A new group below `parents`, the folders by controller: `memory` and `pids`, the same one in version 2.

    `memory` is in bytes, `processes` a number, 0 for no limit. Raises `OSError` where the kernel refuses.
    """

    def __init__(self, parents: Mapping[str, str], memory: int, processes: int) -> None:
        self.folders = sorted({os.path.join(parent, f"{PREFIX}{os.getpid()}") for parent in parents.values()})
        self._memory = os.path.join(parents["memory"], f"{PREFIX}{os.getpid()}")
        pids = os.path.join(parents["pids"], f"{PREFIX}{os.getpid()}")
        try:
            for parent, folder in zip(sorted(set(parents.values())), self.folders, strict=True):
                _sweep(parent)
                os.mkdir(folder)
            if processes:
                _write(pids, "pids.max", str(processes * THREADS))
            if memory:
                self._limit_memory(memory)
        except OSError:
            self.remove()
            raise

    def _limit_memory(self, memory: int) -> None:
        is_second = os.path.exists(os.path.join(self._memory, "memory.max"))
        _write(self._memory, "memory.max" if is_second else "memory.limit_in_bytes", str(memory))
        # a kernel without accounts of swap has no such file; one that runs out of memory ends the group as a whole
        further = (("memory.swap.max", "0"), ("memory.oom.group", "1"), ("memory.memsw.limit_in_bytes", str(memory)))
        for name, value in further:
            if os.path.exists(os.path.join(self._memory, name)):
                _write(self._memory, name, value)

    def enter(self) -> None:
        """Move this process into the group, as far as the kernel lets it: `holds` says whether it did."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                _write(folder, "cgroup.procs", "0")

    def holds(self, pid: int) -> bool:
        """Return whether a process is in the group, or has ended."""
        try:
            with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            return True
        name = os.path.basename(self.folders[0])
        return sum(name in line.split("/") for line in lines) >= len(self.folders) or not lines

    def killed(self) -> bool:
        """Return whether the kernel ended a process of the group because its memory was used up."""
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError), open(os.path.join(self._memory, name), encoding="ascii") as file:
                return any(line.startswith("oom_kill ") and int(line.split()[1]) > 0 for line in file)
        return False

    def remove(self) -> None:
        """Remove the group once its processes have ended; the next group's start removes what stays."""
        end = time.monotonic() + _SWEPT_SECONDS
        for folder in self.folders:
            while not _removed(folder) and time.monotonic() < end:
                time.sleep(_PAUSE_SECONDS)


def of(parents: Mapping[str, str] | str, memory: int, processes: int) -> ControlGroup | None:
    """Return a new group for a program; None without a limit, and where the kernel refuses, which is printed.

    `parents` is empty where there are no groups, or `scope` where this process is alone in a delegated group.
    """
    if not parents or not (memory or processes):
        return None
    try:
        return ControlGroup(_divided() if isinstance(parents, str) else parents, memory, processes)
    except OSError as error:
        sys.stderr.write(f"no control group, only a watchdog: {error}\n")
        return None


def _divided() -> dict[str, str]:
    """Make room for groups in this process's own one, which was delegated to it alone; return the parents."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        own = "/sys/fs/cgroup" + next(line.strip()[3:] for line in file if line.startswith("0::"))
    # no group that has groups below it may have processes of its own
    aside = os.path.join(own, "supervisor")
    os.mkdir(aside)
    _write(aside, "cgroup.procs", "0")
    _write(own, "cgroup.subtree_control", "+memory +pids")
    return {"memory": own, "pids": own}


def _sweep(parent: str) -> None:
    """Remove groups whose supervisors were killed: the kernel refuses for those that still have processes."""
    with contextlib.suppress(OSError):
        for name in os.listdir(parent):
            owner = name.removeprefix(PREFIX)
            is_over = owner.isdigit() and (owner == str(os.getpid()) or not os.path.exists(f"/proc/{owner}"))
            if name.startswith(PREFIX) and is_over:
                _removed(os.path.join(parent, name))


def _removed(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _write(folder: str, name: str, text: str) -> None:
    with open(os.path.join(folder, name), "w", encoding="ascii") as file:
        file.write(text)


def main(parents: Mapping[str, str] | str) -> None:
    """Try what a supervisor does: make a group with limits, and let a process enter it."""
    group = ControlGroup(_divided() if isinstance(parents, str) else parents, 1 << 30, 100)
    try:
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(writer)
            group.enter()
            os.read(reader, 1)
            os._exit(0 if group.holds(os.getpid()) else 1)
        os.close(writer)
        if os.waitpid(pid, 0)[1]:
            sys.exit("a process cannot enter it")
    finally:
        group.remove()


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except OSError as error:
        sys.exit(str(error))
