"""The fast path of a pick: whether a commit's change can be taken over path by path, without a merge of whole trees."""

from __future__ import annotations

import msgspec

from gitorch.replay import trees
from gitorch.replay.history import Change, Changes
from gitorch.replay.objects import Entry, Objects

_FILES = (b"100644", b"100755")


class FastPath(msgspec.Struct, frozen=True):
    """A change that can be put on a tree: paths with their new entries, and files to merge line by line.

    `contents` are the files that both sides changed, as `(change, our entry)`.
    """

    entries: dict[bytes, Entry | None]
    contents: tuple[tuple[Change, Entry], ...] = ()


def find_fast_path(objects: Objects, changes: Changes, target: bytes, before: bytes, after: bytes) -> FastPath | None:
    """Return how a commit's changes go onto the tree `target`; None if only git's merge of whole trees can tell.

    `before` and `after` are the trees of the commit's parent and of the commit. A path that `target` has as it was
    before the commit takes the commit's entry, whatever else has changed, unless a rename can reach it. A renamed file
    shows as a path that differs; a renamed folder as a folder that is missing, which is checked below.
    """
    entries: dict[bytes, Entry | None] = {}
    contents: list[tuple[Change, Entry]] = []
    for change in changes:
        current = trees.find(objects, target, change.path)
        if isinstance(current, trees.NotAFolder):
            return None
        if current == change.old:
            entries[change.path] = change.new
        elif change.old is None or change.new is None or current is None:
            return None
        elif current != change.new:
            if not all(entry[0] in _FILES for entry in (change.old, change.new, current)):
                return None
            contents.append((change, current))
    if may_rename_folder(objects, changes, target, before, after):
        return None
    return FastPath(entries, tuple(contents))


def may_rename_folder(objects: Objects, changes: Changes, target: bytes, before: bytes, after: bytes) -> bool:
    """Return whether either side may have renamed a folder into which the other side has put something."""
    if not any(change.old is None for change in changes):
        return False
    added = {folder for change in changes if change.old is None for folder in trees.parent_folders(change.path)}
    if any(
        trees.find_folder(objects, target, folder) is None and trees.find_folder(objects, before, folder)
        for folder in added
    ):
        return True
    removed = {folder for change in changes if change.new is None for folder in trees.parent_folders(change.path)}
    return any(
        trees.find_folder(objects, target, folder) != trees.find_folder(objects, before, folder)
        and trees.find_folder(objects, after, folder) is None
        for folder in removed
    )
