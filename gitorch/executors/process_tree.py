"""The processes below this one, detached ones included. Uses only the standard library: see `supervisor`."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # `collections.abc` would delay the start of every agent and every check
    from collections.abc import Iterable

_FORGET_SECONDS = 60.0
_MOST_CHILDREN = 1 << 20
"""Bytes of a list of children that are read."""

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
    return _below(os.getpid(), processes())


def _below(top: int, pairs: list[tuple[int, int]]) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in pairs:
        children.setdefault(parent, []).append(pid)
    result: list[int] = []
    pending = children.get(top, [])
    while pending:
        result += pending
        pending = [pid for parent in pending for pid in children.get(parent, [])]
    return result


class Descendants:
    """The live descendants, looked for again and again, without a look at every process each time.

    Where the kernel names the children of a process (`names_children`), only descendants are looked at, those included
    that have ended and nobody has waited for yet. Elsewhere, what is known to be another's is not read each time.
    """

    def __init__(self, *, names_children: bool | None = None) -> None:
        self._names_children = _names_children() if names_children is None else names_children
        self._others: set[str] = set()
        self._candidates: set[str] = set()
        self._next_forget = 0.0

    def pids(self) -> list[int]:
        """Return all live descendants, as `descendants` does."""
        if self._names_children:
            return _named_children()
        if not os.path.isdir("/proc/self"):
            return descendants()
        now = time.monotonic()
        if now >= self._next_forget:  # a number may belong to another process by now
            self._others, self._next_forget = set(), now + _FORGET_SECONDS
        names = {name for name in os.listdir("/proc") if name.isdigit()}
        unknown = names - self._others
        below = _below(os.getpid(), _read(unknown))
        foreign = unknown - {str(pid) for pid in below}
        # twice: one whose parent ended between two reads is ours at the next look
        self._others = (self._others & names) | (foreign & self._candidates)
        self._candidates = foreign
        return below


def _names_children() -> bool:
    return os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def _named_children() -> list[int]:
    """Return the descendants as the kernel names them: the children of each thread of each."""
    result: list[int] = []
    pending = [os.getpid()]
    while pending:
        children = [child for pid in pending for child in _children(pid)]
        result += children
        pending = children
    return result


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
                children += map(int, file.read(_MOST_CHILDREN).split())
    return children


def processes() -> list[tuple[int, int]]:
    """Return all processes that have not ended, with their parents."""
    if not os.path.isdir("/proc/self"):
        import subprocess  # 1 MB in every supervisor, and needed only where there is no `/proc`

        listing = subprocess.run(["/bin/ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True, check=False)
        rows = [line.split() for line in listing.stdout.splitlines()]
        return [(int(row[0]), int(row[1])) for row in rows if not row[2].startswith("Z")]
    return _read(name for name in os.listdir("/proc") if name.isdigit())


def _read(names: Iterable[str]) -> list[tuple[int, int]]:
    pairs = []
    for name in names:
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
