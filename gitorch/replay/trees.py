"""Trees as values: find a path, change some paths, compare; only what differs is read or made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gitorch.git.writing.pack_format import NewObject
from gitorch.replay.objects import TREE, Entry, Objects, sort_entries

Changes = Mapping[bytes, Entry | None]
"""Paths with their new entries; None deletes."""

_Nested = dict[bytes, Any]


EMPTY = b""
"""The id that stands for a tree without entries."""


class NotAFolder:
    """What a search met instead of a folder: a file at one of the path's folders."""


NOT_A_FOLDER = NotAFolder()


def find(objects: Objects, root: bytes, path: bytes) -> Entry | NotAFolder | None:
    """Return the entry at a path; None if there is none, `NOT_A_FOLDER` if one of its folders is a file."""
    *folders, name = path.split(b"/")
    tree = root
    for folder in folders:
        record = objects.entries(tree).get(folder)
        if record is None:
            return None
        tree = objects.subtree(record)
        if not tree:
            return NOT_A_FOLDER
    record = objects.entries(tree).get(name)
    return objects.entry(record) if record is not None else None


def find_folder(objects: Objects, root: bytes, path: bytes) -> bytes | None:
    """Return the tree at a path; None if there is no folder."""
    entry = find(objects, root, path)
    return entry[1] if isinstance(entry, tuple) and entry[0] == TREE else None


def fetch_folders(objects: Objects, root: bytes, paths: Iterable[bytes]) -> None:
    """Read the folders of these paths that a tree has, one level at a time: each question costs as much as a tree."""
    pending = {b"": root}
    deeper = {folder for path in paths for folder in parent_folders(path)}
    while pending:
        objects.fetch_trees(dict.fromkeys(pending.values()))
        level = [folder for folder in deeper if folder.rpartition(b"/")[0] in pending]
        deeper.difference_update(level)
        records = {
            folder: objects.entries(pending[parent]).get(name)
            for folder in level
            for parent, _, name in (folder.rpartition(b"/"),)
        }
        pending = {folder: tree for folder, record in records.items() if (tree := objects.subtree(record))}


def parent_folders(path: bytes) -> Iterator[bytes]:
    """Yield the folders of a path, the innermost first, without the top."""
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def change_paths(objects: Objects, root: bytes, changes: Changes) -> bytes:
    """Return the tree with these paths changed. Folders that become empty are left out; the top may be empty."""
    nested: _Nested = {}
    for path, entry in changes.items():
        *folders, name = path.split(b"/")
        level = nested
        for folder in folders:
            level = level.setdefault(folder, {})
        level[name] = entry
    return _change(objects, root, nested) or objects.add(NewObject(b"tree", b""))


def _change(objects: Objects, tree: bytes, nested: _Nested) -> bytes | None:
    old = objects.entries(tree)
    entries = dict(old)
    children: list[bytes] = []
    must_sort = False
    for name, change in nested.items():
        before = old.get(name)
        if isinstance(change, dict):
            changed = _change(objects, objects.subtree(before), change)
            entry = (TREE, changed) if changed is not None else None
        else:
            entry = change
        if entry is None:
            entries.pop(name, None)
            continue
        mode, oid = entry
        must_sort = must_sort or before is None or before.startswith(TREE) != (mode == TREE)
        entries[name] = b"%s %s\0%s" % (mode, name, oid)
        children.append(oid)
    if not entries:
        return None
    if must_sort:
        entries = sort_entries(entries)
    new = objects.add(NewObject(b"tree", b"".join(entries.values()), tuple(children), tree))
    objects.remember_tree(new, entries)
    return new


OldAndNew = tuple[Entry | None, Entry | None]


def diff(objects: Objects, old: bytes, new: bytes, prefix: bytes = b"") -> dict[bytes, OldAndNew]:
    """Return the paths in which two trees differ, with both entries."""
    if old == new:
        return {}
    old_entries, new_entries = objects.entries(old), objects.entries(new)
    differences: dict[bytes, OldAndNew] = {}
    for name in old_entries.keys() | new_entries.keys():
        old_record, new_record = old_entries.get(name), new_entries.get(name)
        if old_record == new_record:
            continue
        old_tree, new_tree = objects.subtree(old_record), objects.subtree(new_record)
        if old_tree or new_tree:
            differences |= diff(objects, old_tree, new_tree, prefix + name + b"/")
        files = (_file(objects, old_record), _file(objects, new_record))
        if files != (None, None):
            differences[prefix + name] = files
    return differences


def _file(objects: Objects, record: bytes | None) -> Entry | None:
    return objects.entry(record) if record is not None and not record.startswith(TREE) else None
