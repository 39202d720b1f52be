"""Whether two commits are the same patch, as `git rebase` compares them: without whitespace and line numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from gitorch.git.repository import BatchProcess, Repository
from gitorch.replay import trees
from gitorch.replay.history import Change, Changes
from gitorch.replay.objects import Entry, Objects
from gitorch.replay.quarantine import Quarantine

Outline = frozenset[tuple[bytes, bool, bool]]
"""What two equal patches have in common before their text is read: paths, and which are new or deleted."""

_DIFF = (
    "diff-tree",
    "--stdin",
    "-p",
    "-r",
    "--root",
    "--no-renames",
    "--no-textconv",
    "--no-ext-diff",
    "--full-index",
)
_END = b"end of patch\n"


def outline(changes: Changes) -> Outline:
    """Return what a patch has in common with all equal ones."""
    return frozenset((change.path, change.old is None, change.new is None) for change in changes)


class Patches:
    """Compares patches, reading each text once."""

    def __init__(self, repository: Repository, objects: Objects, quarantine: Quarantine) -> None:
        self.repository = repository
        self.objects = objects
        self.quarantine = quarantine
        self._process: BatchProcess | None = None
        self._digests: dict[Changes, bytes] = {}

    def close(self) -> None:
        if self._process is not None:
            self._process.close()

    def are_same(self, first: Changes, second: Changes) -> bool:
        """Return whether two commits make the same change."""
        return first == second or self._digest(first) == self._digest(second)

    def _digest(self, changes: Changes) -> bytes:
        if changes not in self._digests:
            self._digests[changes] = self._read(changes)
        return self._digests[changes]

    def _read(self, changes: Changes) -> bytes:
        old, new = self._tree(changes, lambda change: change.old), self._tree(changes, lambda change: change.new)
        if self._process is None:
            self._process = self.repository.start_batch(*_DIFF, env=self.quarantine.environment)
        process = self._process
        process.send(b"%s %s\n%s" % (old.hex().encode(), new.hex().encode(), _END))
        digest = hashlib.sha1(usedforsecurity=False)
        process.read_line()  # the names of both trees
        line, index = process.read_line(), b""
        while line != _END:
            if line.startswith(b"index "):
                index = line
            elif line.startswith(b"Binary files "):
                digest.update(index)
            elif not line.startswith((b"@@", b"\\ ")):
                digest.update(b"".join(line.split()))
            line = process.read_line()
        return digest.digest()

    def _tree(self, changes: Changes, side: Callable[[Change], Entry | None]) -> bytes:
        """Make a tree of only what a patch touches."""
        entries = {change.path: entry for change in changes if (entry := side(change))}
        tree = trees.change_paths(self.objects, b"", entries)
        self.quarantine.write_tree(tree)
        return tree
