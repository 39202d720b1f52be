"""What git lists of an index: a run asks for the same one many times, so it is remembered by the file's content."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from gitorch.git.repository import Repository
from gitorch.regular_files import read_start

_FLAGGED = frozenset(b"abcdefghijklmnopqrstuvwxyzS")
"""Tags of `git ls-files -v`: assumed unchanged, or not checked out."""

_PLAIN = b"DIRC\0\0\0\2"
"""How an index of version 2 begins. Git shows the entries of later ones by what is in the checkout, too."""

_MOST_BYTES = 32 << 20
_MOST_REMEMBERED = 256


class IndexListing(msgspec.Struct, frozen=True):
    """A digest of all entries of an index, and the paths that git passes over: assumed unchanged, or not there."""

    digest: str
    flagged: tuple[bytes, ...]


_remembered: dict[tuple[Path, bytes], IndexListing] = {}


def read(repository: Repository, work_tree: Path, git_dir: Path) -> IndexListing:
    """Return what git lists of the index of a checkout; raise `GitFailed` if it cannot read it.

    Takes no lock on the index, and fetches nothing that a partial clone lacks.
    """
    key = _content(git_dir)
    if key and (known := _remembered.get((git_dir, key))):
        return known
    env = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
    answer = repository.git("ls-files", "--stage", "-v", "-z", cwd=work_tree, git_dir=git_dir, env=env)
    # a tag, mode, object and stage, and after a tab the path
    entries = answer.stdout.split(b"\0")
    flagged = tuple(entry.split(b"\t", 1)[1] for entry in entries if entry and entry[0] in _FLAGGED)
    listing = IndexListing(hashlib.sha256(answer.stdout).hexdigest(), flagged)
    if key and _content(git_dir) == key:  # it was this content that git has read
        if len(_remembered) >= _MOST_REMEMBERED:
            _remembered.clear()
        _remembered[git_dir, key] = listing
    return listing


def _content(git_dir: Path) -> bytes:
    """Return a digest of an index that alone decides what git lists of it; empty if more than the file does."""
    try:
        content = read_start(git_dir / "index", _MOST_BYTES)
        is_split = any(git_dir.glob("sharedindex.*"))
    except OSError:
        return b""
    if is_split or not content.startswith(_PLAIN) or len(content) == _MOST_BYTES:
        return b""
    return hashlib.sha256(content).digest()
