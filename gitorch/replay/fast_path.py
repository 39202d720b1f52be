"""Whether a commit's change can be taken over path by path, or needs a merge: decided without one."""

from __future__ import annotations

import msgspec

from gitorch.replay import trees
from gitorch.replay.history import Change, Changes
from gitorch.replay.objects import Entry, Objects

_FILES = (b"100644", b"100755")


class Overlay(msgspec.Struct, frozen=True):
    """A change that can be laid over what is there: paths with their new entries, and files to merge line by line.

    `contents` are changes of files that both sides changed, with our side's entry: `(change, ours)`.
    """

    entries: dict[bytes, Entry | None]
    contents: tuple[tuple[Change, Entry], ...] = ()


def overlay(objects: Objects, changes: Changes, here: bytes, before: bytes, after: bytes) -> Overlay | None:
    """Return how a commit's changes go onto the tree `here`; None where only git's whole merge can tell.

    `before` and `after` are the trees of the commit's parent and of the commit. A path that is the same here as
    before the commit takes the commit's entry, whatever else has happened, unless a rename can reach it: a rename of
    a file shows as a path that is not the same here, a rename of a folder as a folder that is gone (checked below).
    """
    entries: dict[bytes, Entry | None] = {}
    contents: list[tuple[Change, Entry]] = []
    for change in changes:
        ours = trees.find(objects, here, change.path)
        if isinstance(ours, trees.InTheWay):
            return None
        if ours == change.old:
            entries[change.path] = change.new
        elif change.old is None or change.new is None or ours is None:
            return None
        elif ours != change.new:
            if not all(entry[0] in _FILES for entry in (change.old, change.new, ours)):
                return None
            contents.append((change, ours))
    if _folder_renamed(objects, changes, here, before, after):
        return None
    return Overlay(entries, tuple(contents))


def _folder_renamed(objects: Objects, changes: Changes, here: bytes, before: bytes, after: bytes) -> bool:
    """Tell whether either side may have renamed a folder that the other side has put something into."""
    added = {folder for change in changes if change.old is None for folder in trees.parents(change.path)}
    if any(trees.folder(objects, here, one) is None and trees.folder(objects, before, one) for one in added):
        return True
    if not any(change.old is None for change in changes):
        return False
    left = {folder for change in changes if change.new is None for folder in trees.parents(change.path)}
    return any(
        trees.folder(objects, here, one) != trees.folder(objects, before, one)
        and trees.folder(objects, after, one) is None
        for one in left
    )
