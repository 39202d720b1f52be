"""The processes below this one. Uses only the standard library: see `supervisor`."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal

_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37


def children_seconds() -> float:
    """Return the processor time of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def processor_seconds(pid: int) -> float:
    """Return the processor time of a live process and its ended children; 0 without `/proc`."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def start_ticks(pid: int | str) -> int:
    """Return when a process started, in clock ticks since the start of the machine; 0 if that is unknown."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])
    return 0


def descendants() -> list[int]:
    """Return all live descendants. This process is a subreaper, so those that detached themselves are among them."""
    children: dict[int, list[int]] = {}
    for pid, parent in processes():
        children.setdefault(parent, []).append(pid)
    result: list[int] = []
    pending = children.get(os.getpid(), [])
    while pending:
        result += pending
        pending = [pid for parent in pending for pid in children.get(parent, [])]
    return result


def processes() -> list[tuple[int, int]]:
    """Return all processes that have not ended, with their parents."""
    if not os.path.isdir("/proc/self"):
        import subprocess  # 1 MB in every supervisor, and needed only where there is no `/proc`

        listing = subprocess.run(["/bin/ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True, check=False)
        rows = [line.split() for line in listing.stdout.splitlines()]
        return [(int(row[0]), int(row[1])) for row in rows if not row[2].startswith("Z")]
    pairs = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    pairs.append((int(name), int(parent)))
    return pairs


def signal_quietly(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def reap() -> bool:
    """Reap exited children; return whether others are alive."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


def become_subreaper() -> None:
    """Make orphans below this process its children, so that none escapes (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def is_subreaper() -> bool:
    """Return whether orphans below this process become its children."""
    answer = ctypes.c_int(0)
    return ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0) == 0 and bool(answer.value)
