"""The processes of local executions: found by the environment variable that all of them inherit."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection

import psutil

from gitorch.executors.ancestors import supervised_folder
from gitorch.executors.process_tree import is_subreaper
from gitorch.executors.protocol import ResourceUsage
from gitorch.model.naming import EXECUTION_VARIABLE

_ROUNDS = 20


def kill_marked(marker: str) -> int:
    """Kill every process of an execution; return how many there were."""
    killed = clean = 0
    for _ in range(_ROUNDS):
        members = [
            process for process in psutil.process_iter() if _environment(process).get(EXECUTION_VARIABLE) == marker
        ]
        for process in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        # a process shows no environment while it executes another program: one empty listing proves nothing
        clean = 0 if members else clean + 1
        if clean == 2:
            break
        killed += len(members)
        psutil.wait_procs(members, timeout=1)
    return killed


def kill_orphans(keep: Collection[int]) -> list[str]:
    """Kill what an agent that ended its supervisor has left below this process; return the programs' names.

    Processes of gitorch, which this one did not start either, are known by their arguments; `keep` are those started.
    There are none where the processes of a dead parent do not come to this one.
    """
    if sys.platform != "linux" or not is_subreaper():
        return []
    this = psutil.Process()
    identity = (this.cmdline(), os.getsid(0))
    killed = []
    for process in this.children():
        with contextlib.suppress(psutil.Error, OSError):
            is_own = process.pid in keep or process.cmdline() == identity[0] or os.getsid(process.pid) == identity[1]
            if not is_own and not supervised_folder(process.cmdline()):
                descendants = process.children(recursive=True)
                for member in (process, *descendants):
                    killed.append(member.name())
                    member.kill()
    return killed


def usage_below(pid: int) -> ResourceUsage:
    """Return what all descendants of a process use; zeros when it is gone."""
    memory, seconds = 0, 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid).children(recursive=True):
            memory += process.memory_info().rss
            times = process.cpu_times()
            seconds += times.user + times.system
    return ResourceUsage(memory=memory, cpu_seconds=round(seconds, 1))


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return {} if process.status() == psutil.STATUS_ZOMBIE else process.environ()
    except (psutil.Error, OSError):
        return {}
