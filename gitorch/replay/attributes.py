"""The `.gitattributes` of a tree: they say how files are merged (`merge=union`, `binary`)."""

from __future__ import annotations

from collections.abc import Iterable

from gitorch.replay import trees
from gitorch.replay.merge_tree import Attributes
from gitorch.replay.objects import Objects

_NAME = b".gitattributes"


class AttributesOf:
    """Finds the `.gitattributes` files of trees."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self._known: dict[bytes, Attributes] = {}

    def paths(self, root: bytes, paths: Iterable[bytes]) -> Attributes:
        """Return those that can say something of these paths: in their folders, and at the top."""
        folders = {b"", *(folder for path in paths for folder in trees.parents(path))}
        files = {(folder + b"/" if folder else b"") + _NAME for folder in folders}
        found = ((file, trees.find(self.objects, root, file)) for file in sorted(files))
        return tuple((file, entry[1]) for file, entry in found if isinstance(entry, tuple) and _is_file(entry[0]))

    def all(self, root: bytes) -> Attributes:
        """Return all of a tree. Folders that were looked through before are not read again."""
        waiting = [root]
        while waiting:  # a level at a time, so that many trees are read at once
            self.objects.fetch_trees(waiting)
            entries = (whole for tree in waiting for whole in self.objects.entries(tree).values())
            below = filter(None, map(self.objects.below, entries))
            waiting = [tree for tree in below if tree not in self._known]
        return self._collected(root)

    def _collected(self, tree: bytes) -> Attributes:
        if tree not in self._known:
            found: list[tuple[bytes, bytes]] = []
            for name, whole in self.objects.entries(tree).items():
                if below := self.objects.below(whole):
                    found += [(name + b"/" + path, blob) for path, blob in self._collected(below)]
                elif name == _NAME and _is_file(whole):
                    found.append((name, self.objects.entry(whole)[1]))
            self._known[tree] = tuple(sorted(found))
        return self._known[tree]


def _is_file(mode: bytes) -> bool:
    return mode.startswith(b"100")
