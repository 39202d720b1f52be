"""The processes of local executions: found by the environment variable that all of them inherit."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection, Iterator
from itertools import pairwise

import psutil

from gitorch.executors.base import ResourceUsage
from gitorch.executors.process_tree import is_subreaper
from gitorch.model.naming import EXECUTION_VARIABLE

_ROUNDS = 20
_SUPERVISOR = "/gitorch/executors/supervisor.py"
_RUN_LOCK = "/gitorch/run.lock"


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
    own = (this.cmdline(), os.getsid(0))
    killed = []
    for process in this.children():
        with contextlib.suppress(psutil.Error, OSError):
            is_own = process.pid in keep or process.cmdline() == own[0] or os.getsid(process.pid) == own[1]
            if not is_own and not _supervised_folder(process):
                below = process.children(recursive=True)
                for member in (process, *below):
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


def inherited_markers() -> Iterator[str]:
    """Yield the markers of this process and its ancestors, innermost first.

    A supervisor is an ancestor of everything its agent starts, even of what detaches itself, and no agent can change a
    supervisor's environment. Processes of other users are skipped.
    """
    for process in (psutil.Process(), *psutil.Process().parents()):
        with contextlib.suppress(psutil.Error, OSError):
            yield process.environ().get(EXECUTION_VARIABLE, "")


def enclosing_execution() -> str | None:
    """Return the folder of the outermost execution that this process runs in, in any repository; None outside of one.

    A supervisor whose environment cannot be read, because another user owns it, is known by its arguments. What an
    agent that killed its supervisor has left is below the run: the answer is then the path of the run's lock.
    """
    this = psutil.Process()
    parents = this.parents()
    folders = [_environment(this).get(EXECUTION_VARIABLE, "")]
    for process in parents:
        folders.append(
            _environment(process).get(EXECUTION_VARIABLE, "") or _supervised_folder(process) or _run_lock(process)
        )
    return next(filter(None, reversed(folders)), None)


def _run_lock(process: psutil.Process) -> str:
    """Return the lock file of a run, if a process has one open; empty otherwise."""
    try:
        paths = [file.path for file in process.open_files()]
    except (psutil.Error, OSError):
        return ""
    return next((path for path in paths if path.endswith(_RUN_LOCK)), "")


def _supervised_folder(process: psutil.Process) -> str:
    """Return the folder of the execution that a process supervises; empty for any other process."""
    try:
        arguments = process.cmdline()
    except (psutil.Error, OSError):
        return ""
    return next((after for script, after in pairwise(arguments) if script.endswith(_SUPERVISOR)), "")


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return {} if process.status() == psutil.STATUS_ZOMBIE else process.environ()
    except (psutil.Error, OSError):
        return {}
