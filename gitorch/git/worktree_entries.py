"""What `git worktree list --porcelain -z` prints, as values."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gitorch.model.naming import Ref

LIST = ("worktree", "list", "--porcelain", "-z")
"""The arguments of git."""


class WorktreeEntry(msgspec.Struct, frozen=True):
    """A worktree that git has registered: the folder, and the branch it has checked out (None: detached or bare).

    If it is locked, its folder may be on a disk that is not there at times.
    """

    path: Path
    branch: Ref | None
    is_locked: bool = False


def parse(listing: bytes) -> list[WorktreeEntry]:
    """Return the worktrees of a listing, the main one first; their folders may be gone."""
    return [_entry(block) for block in listing.decode("utf-8", "surrogateescape").split("\0\0") if block]


def _entry(block: str) -> WorktreeEntry:
    """Read one block: `worktree PATH`, then lines of a word and a value, each ended by NUL."""
    attributes = dict(line.partition(" ")[::2] for line in block.split("\0"))
    branch = attributes.get("branch")
    return WorktreeEntry(Path(attributes["worktree"]), Ref(branch) if branch else None, "locked" in attributes)
