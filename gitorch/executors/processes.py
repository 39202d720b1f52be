"""The processes of local executions: found by the environment variable that all of them inherit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psutil

from gitorch.executors.base import ResourceUsage
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


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return {} if process.status() == psutil.STATUS_ZOMBIE else process.environ()
    except (psutil.Error, OSError):
        return {}
