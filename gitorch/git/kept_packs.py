"""Packs that git must not rewrite, because no ref leads to their objects yet: each has a `.keep` file."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from gitorch.model.naming import Oid
from gitorch.storage import atomic

INCOMING = "gitorch-incoming-"
"""How folders of new objects begin, below `objects`; the process id follows."""

_OURS = re.compile(rb"gitorch (\d+)\n?")
_STALE_SECONDS = 86_400.0
"""When a file is removed although a process of this id lives: it may be another one."""

_kept: dict[Path, dict[Oid, list[Path]]] = defaultdict(dict)
"""The `.keep` files of this process, by git folder and tip. Only single operations: several threads use it."""


def content() -> str:
    """Return what a `.keep` file of this process says."""
    return f"gitorch {os.getpid()}"


def remember(common_dir: Path, keep: Path, tips: Iterable[Oid]) -> None:
    """Note which commits a `.keep` file is for."""
    for tip in tips:
        _kept[common_dir].setdefault(tip, []).append(keep)


def release(common_dir: Path, tips: Iterable[Oid]) -> None:
    """Let git treat the packs of these commits as any other: refs lead to them now."""
    for tip in tips if _kept.get(common_dir) else ():
        for path in _kept[common_dir].pop(tip, []):
            path.unlink(missing_ok=True)


def remove_stale(common_dir: Path) -> None:
    """Remove what killed processes left: `.keep` files of packs, and folders of objects that were not moved in."""
    objects = common_dir / "objects"
    for path in (objects / "pack").glob("*.keep"):
        owner = _OURS.fullmatch(atomic.read_or_empty(path))
        if owner and _is_stale(path, int(owner[1])):
            if not path.with_suffix(".idx").exists():  # it was killed before git could see the pack
                for suffix in (".pack", ".rev"):
                    path.with_suffix(suffix).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
    for path in objects.glob(f"{INCOMING}*"):
        if _is_stale(path, int(path.name.removeprefix(INCOMING).partition("-")[0])):
            shutil.rmtree(path, ignore_errors=True)


def _is_stale(path: Path, pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # another user's process
    with contextlib.suppress(FileNotFoundError):
        return pid != os.getpid() and time.time() - path.stat().st_mtime > _STALE_SECONDS
    return False
