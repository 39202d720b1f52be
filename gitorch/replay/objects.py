"""The objects of a merge: read from the repository, and made in memory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from gitorch.git.repository import BatchProcess, GitFailed, Repository
from gitorch.git.writing.pack_format import NewObject
from gitorch.model.naming import Oid

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_SHA1_BYTES = 20
TREE = b"40000"
"""A folder's mode; no other begins with a 4."""
SUBMODULE = b"160000"
"""The mode of a submodule's commit, which is an object of another repository."""
_CHUNK = 400
"""How many ids are requested at once: they fit into a pipe, so that sending never waits for the answers."""

_HEADER_WORDS = 3
"""How many words say what an object is: its id, kind and size. A missing one has two."""

Entry = tuple[bytes, bytes]
"""A tree's entry: mode, and the object's id in binary."""

Entries = Mapping[bytes, bytes]
"""A tree: by name and in git's order, its entries as records, the way git writes them (mode, space, name, NUL, id)."""

_NO_ENTRIES: Entries = MappingProxyType({})


class Objects:
    """The objects of a repository and those made in memory, by binary id."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.new: dict[bytes, NewObject] = {}
        self._reader: BatchProcess | None = None
        self._trees: dict[bytes, Entries] = {}
        self._found: set[bytes] = set()
        self._id_bytes = _SHA1_BYTES

    def use_id_format(self, oid: Oid) -> None:
        """Use the repository's kind of object ids, SHA-1 or SHA-256, as in this one."""
        self._id_bytes = len(oid) // 2

    @cached_property
    def hash(self) -> Callable[[bytes], Hash]:
        """The hash that makes ids."""
        return hashlib.sha1 if self._id_bytes == _SHA1_BYTES else hashlib.sha256

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        return re.compile(rb"([0-7]+ ([^\0]+)\0.{%d})" % self._id_bytes, re.DOTALL)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def add(self, new: NewObject) -> bytes:
        """Add a new object, and return its id."""
        name = self.hash(b"%s %d\0%s" % (new.kind, len(new.content), new.content)).digest()
        self.new.setdefault(name, new)
        return name

    def read(self, name: bytes) -> bytes:
        """Return an object's content."""
        new = self.new.get(name)
        return new.content if new is not None else next(iter(self._request([name])))

    def read_all(self, names: Iterable[bytes]) -> list[bytes]:
        """Return the contents of objects of the repository, in the order of the names."""
        ids = list(names)
        chunks = (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
        return [content for chunk in chunks for content in self._request(chunk)]

    def require(self, names: Iterable[bytes]) -> None:
        """Raise `GitFailed` if one of these objects is neither in the repository nor in memory.

        In a partial clone nothing is asked: git would fetch what is not there.
        """
        if self.repository.settings.is_partial_clone:
            return
        missing = [name for name in dict.fromkeys(names) if name not in self._found and name not in self.new]
        for start in range(0, len(missing), _CHUNK):
            chunk = missing[start : start + _CHUNK]
            reader = self._ask(b"info", chunk)
            lines = [reader.read_line() for _ in chunk]
            if absent := [name for name, line in zip(chunk, lines, strict=True) if len(line.split()) != _HEADER_WORDS]:
                raise _missing(absent[0])
            self._found.update(chunk)

    def commit(self, oid: Oid) -> bytes:
        """Return a commit's bytes."""
        return self.read(bytes.fromhex(oid))

    def entries(self, tree: bytes) -> Entries:
        """Return the entries of a tree; none for the empty id."""
        if not tree:
            return _NO_ENTRIES
        entries = self._trees.get(tree)
        if entries is None:
            entries = self._trees[tree] = self.parse_tree(self.read(tree))
        return entries

    def fetch_trees(self, trees: Iterable[bytes]) -> None:
        """Read trees that will be needed, all at once."""
        missing = [tree for tree in trees if tree not in self._trees and tree not in self.new]
        for tree, content in zip(missing, self.read_all(missing), strict=True):
            self._trees[tree] = self.parse_tree(content)

    def remember_tree(self, tree: bytes, entries: Entries) -> None:
        """Remember the entries of a tree that was made from them."""
        self._trees[tree] = entries

    def parse_tree(self, content: bytes) -> dict[bytes, bytes]:
        """Read a tree object: one record after the other."""
        return {name: record for record, name in self._pattern.findall(content)}

    def entry(self, record: bytes) -> Entry:
        """Return the mode and id of a record."""
        return record[: record.index(b" ")], record[-self._id_bytes :]

    def subtree(self, record: bytes | None) -> bytes:
        """Return the tree that a record refers to; the empty id if there is no record, or it is a file's."""
        return record[-self._id_bytes :] if record is not None and record.startswith(TREE) else b""

    def _request(self, names: list[bytes]) -> list[bytes]:
        reader = self._ask(b"contents", names)
        # all answers are read before an error: the next request must not read them
        contents = [self._answer(reader) for _ in names]
        if None in contents:
            raise _missing(names[contents.index(None)])
        return [content for content in contents if content is not None]

    def _ask(self, question: bytes, names: list[bytes]) -> BatchProcess:
        """Ask the same about each of these objects, and return the process that answers."""
        if self._reader is None:
            # buffered: without it, git writes each object in four parts
            self._reader = self.repository.start_batch("cat-file", "--batch-command", "--buffer")
        self._reader.send(b"".join(b"%s %s\n" % (question, name.hex().encode()) for name in names) + b"flush\n")
        return self._reader

    @staticmethod
    def _answer(reader: BatchProcess) -> bytes | None:
        words = reader.read_line().split()
        return reader.read(int(words[2]) + 1)[:-1] if len(words) == _HEADER_WORDS else None


def _missing(name: bytes) -> GitFailed:
    return GitFailed("object-missing", f"the repository has no object {name.hex()}")


def sort_entries(entries: Entries) -> dict[bytes, bytes]:
    """Sort entries as git does: folders as if their names ended with a slash."""
    return dict(sorted(entries.items(), key=lambda item: item[0] + b"/" if item[1].startswith(TREE) else item[0]))
