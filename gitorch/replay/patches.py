"""Whether two commits are the same patch, as `git rebase` sees it: whitespace and line numbers do not count."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from gitorch.git.repository import BatchProcess, Repository
from gitorch.replay import trees
from gitorch.replay.history import Change, Changes
from gitorch.replay.objects import Entry, Objects
from gitorch.replay.quarantine import Quarantine

Outline = frozenset[tuple[bytes, bool, bool]]
"""What two equal patches have in common before their text is read: paths, and which are new or gone."""

_PATCH = (
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
_END = b"that is all\n"


def outline(changes: Changes) -> Outline:
    """Return what a patch has in common with all that are the same."""
    return frozenset((change.path, change.old is None, change.new is None) for change in changes)


class Patches:
    """Compares patches, reading each text once."""

    def __init__(self, repository: Repository, objects: Objects, quarantine: Quarantine) -> None:
        self.repository = repository
        self.objects = objects
        self.quarantine = quarantine
        self._dialogue: BatchProcess | None = None
        self._known: dict[Changes, bytes] = {}

    def close(self) -> None:
        if self._dialogue is not None:
            self._dialogue.close()

    def same(self, one: Changes, other: Changes) -> bool:
        """Tell whether two commits make the same change."""
        return one == other or self._digest(one) == self._digest(other)

    def _digest(self, changes: Changes) -> bytes:
        if changes not in self._known:
            self._known[changes] = self._read(changes)
        return self._known[changes]

    def _read(self, changes: Changes) -> bytes:
        old, new = self._tree(changes, lambda change: change.old), self._tree(changes, lambda change: change.new)
        if self._dialogue is None:
            self._dialogue = self.repository.start_batch(*_PATCH, env=self.quarantine.environment)
        self._dialogue.send(b"%s %s\n%s" % (old.hex().encode(), new.hex().encode(), _END))
        text = hashlib.sha1(usedforsecurity=False)
        self._dialogue.read_line()  # names both trees
        line, index = self._dialogue.read_line(), b""
        while line != _END:
            if line.startswith(b"index "):
                index = line
            elif line.startswith(b"Binary files "):
                text.update(index)
            elif not line.startswith((b"@@", b"\\ ")):
                text.update(b"".join(line.split()))
            line = self._dialogue.read_line()
        return text.digest()

    def _tree(self, changes: Changes, side: Callable[[Change], Entry | None]) -> bytes:
        """Make a tree that holds only what a patch touches."""
        tree = trees.changed(self.objects, b"", {one.path: entry for one in changes if (entry := side(one))})
        self.quarantine.write_tree(tree)
        return tree
