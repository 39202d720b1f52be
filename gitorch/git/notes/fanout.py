"""The tree of a notes commit, of which only the folders on the way to some notes are read and written.

git keeps the note of a commit at its id, cut into folders of two digits once there are many: `ab/cd/ef...`. It reads
any mix of depths. A new note goes as deep as its neighbours are; a folder with many notes is cut up as git does.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from gitorch.git.repository import GitFailed, Repository
from gitorch.git.writing import unreferenced
from gitorch.git.writing.pack_format import NewObject, pack
from gitorch.model.naming import Oid

_FOLDER = b"40000"
_FILE = b"100644"
_DIGITS = 2
"""How many digits of an id are the name of a folder."""
_MOST = 255
"""How many notes a folder has before it is cut up."""
_SHA1_DIGITS = 40


class _Entry(NamedTuple):
    mode: bytes
    oid: bytes


_Entries = Mapping[bytes, _Entry]
_Changes = list[tuple[bytes, bytes | None]]
"""The rest of an id below a folder, and the blob of its note; None removes it."""


class _Search(NamedTuple):
    """How far the search for the note of a commit has come."""

    commit: Oid
    digits_left: bytes
    tree: bytes


class NotesTree:
    """The notes at a ref; `tip` is their commit, None if there are none yet."""

    def __init__(self, repository: Repository, tip: Oid | None) -> None:
        self.repository = repository
        self.tip = tip
        tree = repository.tree(tip) if tip else ""
        self._root = bytes.fromhex(tree)
        self._read: dict[bytes, _Entries] = {}
        self._new: dict[bytes, NewObject] = {}
        self._hash: Callable[[bytes], hashlib._Hash] = hashlib.sha1

    def contents(self, commits: Iterable[Oid]) -> dict[Oid, bytes]:
        """Return the note on each of these commits; empty where there is none."""
        blobs = self._find(commits)
        answers = self.repository.read_objects(blob.hex() for blob in blobs.values())
        contents = {commit: answer.content or b"" for commit, answer in zip(blobs, answers, strict=True)}
        return {commit: contents.get(commit, b"") for commit in commits}

    def write(self, contents: Mapping[Oid, bytes], message: str) -> Oid:
        """Store a commit on top of the tip that has these notes, and return its id; empty content removes a note."""
        digits = len(next(iter(contents)))
        self._hash = hashlib.sha1 if digits == _SHA1_DIGITS else hashlib.sha256
        self._find(contents)
        changes = [
            (commit.encode(), self._add(b"blob", content) if content else None) for commit, content in contents.items()
        ]
        root = self._change(self._root, changes, digits) or self._add(b"tree", b"")
        committer = self.repository.committer()
        parent = f"parent {self.tip}\n" if self.tip else ""
        raw = f"tree {root.hex()}\n{parent}author {committer}\ncommitter {committer}\n\n{message}\n"
        tip = Oid(self._add(b"commit", raw.encode("utf-8", "surrogateescape")).hex())
        packed = pack([*self._new], self._new)
        unreferenced.store_pack(self.repository, packed + self._hash(packed).digest(), [tip], roll_up=True)
        return tip

    def _find(self, commits: Iterable[Oid]) -> dict[Oid, bytes]:
        """Return the blobs of the notes on commits, and read the folders on the way: each level in one request."""
        notes: dict[Oid, bytes] = {}
        searches = [_Search(commit, commit.encode(), self._root) for commit in commits if self._root]
        while searches:
            self._fetch({search.tree for search in searches})
            deeper = []
            for search in searches:
                entries, digits_left = self._read[search.tree], search.digits_left
                note, folder = entries.get(digits_left), entries.get(digits_left[:_DIGITS])
                if note is not None and note.mode != _FOLDER:
                    notes.setdefault(search.commit, note.oid)
                if folder is not None and folder.mode == _FOLDER:
                    deeper.append(_Search(search.commit, digits_left[_DIGITS:], folder.oid))
            searches = deeper
        return notes

    def _fetch(self, trees: Iterable[bytes]) -> None:
        missing = [tree for tree in trees if tree not in self._read]
        for tree, answer in zip(missing, self.repository.read_objects(map(bytes.hex, missing)), strict=True):
            if answer.kind != "tree" or answer.content is None:
                raise GitFailed("object-missing", f"the notes have no tree {tree.hex()}")
            self._read[tree] = _parse(answer.content, len(tree))

    def _entries(self, tree: bytes) -> _Entries:
        if not tree:
            return {}
        if tree not in self._read:
            self._fetch([tree])
        return self._read[tree]

    def _change(self, tree: bytes, changes: _Changes, digits: int) -> bytes:
        """Return a folder with notes changed, empty if nothing is left; `digits` are left of the ids in it."""
        entries = dict(self._entries(tree))
        is_cut_up = any(_is_folder(name, entry) for name, entry in entries.items())
        folder_changes: dict[bytes, _Changes] = defaultdict(list)
        for digits_left, blob in changes:
            folder = digits_left[:_DIGITS]
            note = entries.get(digits_left)
            if note is not None and note.mode != _FOLDER:
                del entries[digits_left]
            if (folder in entries and entries[folder].mode == _FOLDER) or (blob is not None and is_cut_up):
                folder_changes[folder].append((digits_left[_DIGITS:], blob))
            elif blob is not None:
                entries[digits_left] = _Entry(_FILE, blob)
        notes = [name for name, entry in entries.items() if len(name) == digits and entry.mode == _FILE]
        if len(notes) > _MOST:
            for name in notes:
                folder_changes[name[:_DIGITS]].append((name[_DIGITS:], entries.pop(name).oid))
        for folder, changes_inside in folder_changes.items():
            old = entries.get(folder)
            new = self._change(old.oid if old else b"", changes_inside, digits - _DIGITS)
            if new:
                entries[folder] = _Entry(_FOLDER, new)
            else:
                entries.pop(folder, None)
        return self._add_tree(entries)

    def _add_tree(self, entries: _Entries) -> bytes:
        if not entries:
            return b""
        # git compares folders as if their names ended with a slash
        ordered = sorted(entries.items(), key=lambda item: item[0] + (b"/" if item[1].mode == _FOLDER else b""))
        return self._add(b"tree", b"".join(b"%s %s\0%s" % (entry.mode, name, entry.oid) for name, entry in ordered))

    def _add(self, kind: bytes, content: bytes) -> bytes:
        digest = self._hash(b"%s %d\0%s" % (kind, len(content), content)).digest()
        self._new[digest] = NewObject(kind, content)
        return digest


def _is_folder(name: bytes, entry: _Entry) -> bool:
    return len(name) == _DIGITS and entry.mode == _FOLDER


def _parse(content: bytes, id_bytes: int) -> _Entries:
    """Read a tree object."""
    pattern = re.compile(rb"([0-7]+) ([^\0]+)\0(.{%d})" % id_bytes, re.DOTALL)
    return {name: _Entry(mode, oid) for mode, name, oid in pattern.findall(content)}
