"""The `.gitattributes` of a tree: they say how files are merged (`merge=union`, `binary`)."""

from __future__ import annotations

from collections.abc import Iterable

from gitorch.replay import trees
from gitorch.replay.merge_tree import Attributes
from gitorch.replay.objects import Objects

_NAME = b".gitattributes"


class AttributeReader:
    """Finds the `.gitattributes` files of trees."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self._by_tree: dict[bytes, Attributes] = {}

    def for_paths(self, root: bytes, paths: Iterable[bytes]) -> Attributes:
        """Return those that can apply to these paths: in their folders, and at the top."""
        folders = {b"", *(folder for path in paths for folder in trees.parent_folders(path))}
        files = {(folder + b"/" if folder else b"") + _NAME for folder in folders}
        entries = ((file, trees.find(self.objects, root, file)) for file in sorted(files))
        return tuple((file, entry[1]) for file, entry in entries if isinstance(entry, tuple) and _is_file(entry[0]))

    def all(self, root: bytes) -> Attributes:
        """Return all of a tree. Folders that were searched before are not read again."""
        pending = [root]
        while pending:  # one level at a time, so that many trees are read at once
            self.objects.fetch_trees(pending)
            records = (record for tree in pending for record in self.objects.entries(tree).values())
            subtrees = filter(None, map(self.objects.subtree, records))
            pending = [tree for tree in subtrees if tree not in self._by_tree]
        return self._collect(root)

    def _collect(self, tree: bytes) -> Attributes:
        if tree not in self._by_tree:
            attributes: list[tuple[bytes, bytes]] = []
            for name, record in self.objects.entries(tree).items():
                if subtree := self.objects.subtree(record):
                    attributes += [(name + b"/" + path, blob) for path, blob in self._collect(subtree)]
                elif name == _NAME and _is_file(record):
                    attributes.append((name, self.objects.entry(record)[1]))
            self._by_tree[tree] = tuple(sorted(attributes))
        return self._by_tree[tree]


def _is_file(mode: bytes) -> bool:
    return mode.startswith(b"100")
