"""The processor time of a git that reads a work tree: patterns of an agent's can keep it busy for ever.

Git matches `**/a/**/a/**/b` by trying all ways, which takes time that doubles with each folder.
"""

from __future__ import annotations

import math
import os
import resource
from contextlib import suppress
from pathlib import Path

from gitorch.model.naming import REMEMBERED_FOLDER
from gitorch.storage import atomic

READ_SECONDS = 60.0
"""The processor time of a git that only looks at files: the status of 100,000 takes less than 1 s."""
PACK_SECONDS = 300.0
"""The processor time of a git that packs files: 2 GB take 50 s, and gitorch packs no files that large."""
UNPACK_SECONDS = 1_200.0
"""The processor time of a git that writes files: a work tree can be as large as a person wants."""
_HURRY = 5.0
"""By what the limits are divided once the run is asked to stop: honest work still fits in."""
_GRACE_SECONDS = 10
"""How much later the system ends a process that nobody has ended."""
_READS = frozenset(("check-attr", "check-ignore", "clean", "diff", "diff-files", "ls-files", "status"))
_PACKS = frozenset(("add", "commit", "hash-object", "merge-tree", "update-index"))
_UNPACKS = frozenset(("checkout", "checkout-index", "read-tree", "reset"))
_LIMITED = _READS | _PACKS | _UNPACKS
_RECORD = "gitorch-patterns"
"""The file in a worktree's git folder that names the patterns which took too long."""


def seconds_for(word: str, *, is_hurried: bool = False) -> float:
    """Return how much processor time a command of git has: any, if it reads no patterns, or goes over a network."""
    if word not in _LIMITED:
        return math.inf
    limit = READ_SECONDS if word in _READS else PACK_SECONDS if word in _PACKS else UNPACK_SECONDS
    return limit / _HURRY if is_hurried else limit


def bound(pid: int, limit: float) -> None:
    """Let the system end a process that outlives the one that watches it (Linux)."""
    if limit == math.inf or not hasattr(resource, "prlimit"):
        return
    seconds = int(limit) + _GRACE_SECONDS
    # it has ended, or a lower limit is set for all that the user starts
    with suppress(OSError, ValueError):
        resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds))


def remember(admin: Path, cause: Path) -> None:
    """Record which patterns took too long, so that no later command of git waits for them."""
    if not (admin / REMEMBERED_FOLDER).exists():  # the user's own
        return
    with suppress(OSError):
        atomic.write(admin / _RECORD, os.fsencode(f"{_state(cause)} {cause}"))


def remembered(admin: Path, word: str) -> Path | None:
    """Return the file of patterns that took too long, if a command may read it and it is still the same."""
    if word not in _LIMITED:
        return None
    state, _, path = os.fsdecode(atomic.read_or_empty(admin / _RECORD)).partition(" ")
    return Path(path) if state and state == _state(Path(path)) else None


def _state(path: Path) -> str:
    try:
        status = path.lstat()
    except OSError:
        return ""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
