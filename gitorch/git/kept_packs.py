"""Packs that git must not rewrite, because no ref leads to their objects yet: each has a `.keep` file."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from gitorch.model.naming import Oid

INCOMING = "gitorch-incoming-"
"""How folders of new objects begin, below `objects`; the process id follows."""

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
