"""Take worktrees away without deleting them: they are renamed into a trash, and removed from it after a time."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from gitorch.git.layout import TRASH
from gitorch.git.repository import Repository
from gitorch.git.worktree_list import find, find_admin

_STAMP = "%Y%m%dT%H%M%S%fZ"
_STAMPED = re.compile(r"(?:.*-)?(\d{8}T\d{12}Z)", re.DOTALL)


class Move(NamedTuple):
    """A folder (or a link) that is renamed."""

    old: Path
    new: Path


def new_stamp() -> str:
    """Return the time as the trash writes it in names."""
    return datetime.now(UTC).strftime(_STAMP)


def removal(repository: Repository, path: Path, stamp: str) -> list[Move]:
    """Return the renames that take a worktree away: its folder, and its git folder.

    A link in the place of the folder is taken away itself. Any other thing there is not gitorch's, and stays.
    """
    moves = []
    if path.is_symlink() or find(repository, path) is not None:
        moves.append(Move(path, path.parent / TRASH / f"{path.name}-{stamp}"))
    if (admin := find_admin(repository, path)) is not None:
        moves.append(Move(admin, repository.common_dir / "gitorch" / "trash" / stamp / f"{path.name}.git"))
    return moves


def carry_out(moves: Iterable[Move]) -> None:
    """Rename; one that a crash interrupted can be carried out again."""
    for move in moves:
        if os.path.lexists(move.old) and not os.path.lexists(move.new):
            move.new.parent.mkdir(parents=True, exist_ok=True)
            move.old.rename(move.new)


def expire(folders: Iterable[Path], keep_seconds: float) -> Iterator[str]:
    """Remove what has been in these trash folders for longer; yield a message for each that cannot be removed."""
    limit = (datetime.now(UTC) - timedelta(seconds=keep_seconds)).strftime(_STAMP)
    for folder in folders:
        for entry in sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else ():
            match = _STAMPED.fullmatch(entry.name)
            if match and match[1] < limit:
                yield from _remove(entry)


def _remove(entry: Path) -> Iterator[str]:
    try:
        if entry.is_symlink():
            entry.unlink()
        else:
            shutil.rmtree(entry)
    except OSError as error:
        yield f"{entry} cannot be removed from the trash: {error.strerror}"
