"""Trees as values: look a path up, change some paths, compare; only what differs is read or made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitorch.replay.objects import TREE, Entry, Made, Objects, in_order

Changes = Mapping[bytes, Entry | None]
"""Paths with their new entries; None deletes."""

_Nested = dict[bytes, Any]


class InTheWay:
    """What a look-up met instead of a folder: a file at one of the path's folders."""


IN_THE_WAY = InTheWay()


def find(objects: Objects, root: bytes, path: bytes) -> Entry | InTheWay | None:
    """Return the entry at a path; None where there is none, `IN_THE_WAY` where one of its folders is a file."""
    *folders, name = path.split(b"/")
    tree = root
    for folder in folders:
        whole = objects.entries(tree).get(folder)
        if whole is None:
            return None
        tree = objects.below(whole)
        if not tree:
            return IN_THE_WAY
    found = objects.entries(tree).get(name)
    return objects.entry(found) if found is not None else None


def folder(objects: Objects, root: bytes, path: bytes) -> bytes | None:
    """Return the tree at a path; None where there is no folder."""
    entry = find(objects, root, path)
    return entry[1] if isinstance(entry, tuple) and entry[0] == TREE else None


def parents(path: bytes) -> Iterator[bytes]:
    """Yield the folders of a path, the innermost first, without the top."""
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def changed(objects: Objects, root: bytes, changes: Changes) -> bytes:
    """Return the tree with these paths changed. Folders that end empty are left out; the top may be empty."""
    nested: _Nested = {}
    for path, entry in changes.items():
        *folders, name = path.split(b"/")
        place = nested
        for one in folders:
            place = place.setdefault(one, {})
        place[name] = entry
    return _changed(objects, root, nested) or objects.add(Made(b"tree", b""))


def _changed(objects: Objects, tree: bytes, nested: _Nested) -> bytes | None:
    old = objects.entries(tree)
    entries = dict(old)
    below: list[bytes] = []
    grown = False
    for name, change in nested.items():
        before = old.get(name)
        entry = _entry(objects, before, change)
        if entry is None:
            entries.pop(name, None)
            continue
        grown |= before is None or before.startswith(TREE) != (entry[0] == TREE)
        entries[name] = b"%s %s\0%s" % (entry[0], name, entry[1])
        below.append(entry[1])
    if not entries:
        return None
    if grown:
        entries = in_order(entries)
    made = objects.add(Made(b"tree", b"".join(entries.values()), tuple(below), tree))
    objects.know(made, entries)
    return made


def _entry(objects: Objects, old: bytes | None, change: Any) -> Entry | None:
    if not isinstance(change, dict):
        entry: Entry | None = change
        return entry
    tree = _changed(objects, objects.below(old), change)
    return (TREE, tree) if tree is not None else None


Sides = tuple[Entry | None, Entry | None]


def differences(objects: Objects, old: bytes, new: bytes, at: bytes = b"") -> dict[bytes, Sides]:
    """Return the paths in which two trees differ, with both entries."""
    if old == new:
        return {}
    before, after = objects.entries(old), objects.entries(new)
    found: dict[bytes, Sides] = {}
    for name in before.keys() | after.keys():
        one, other = before.get(name), after.get(name)
        if one == other:
            continue
        ours, theirs = objects.below(one), objects.below(other)
        if ours or theirs:
            found |= differences(objects, ours, theirs, at + name + b"/")
        files = (_file(objects, one), _file(objects, other))
        if files != (None, None):
            found[at + name] = files
    return found


def _file(objects: Objects, whole: bytes | None) -> Entry | None:
    return objects.entry(whole) if whole is not None and not whole.startswith(TREE) else None
