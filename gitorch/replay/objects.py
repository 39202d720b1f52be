"""The objects of a merge: read from the repository, made in memory, and stored in it as one pack."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from gitorch.git.repository import BatchProcess, GitFailed, Repository
from gitorch.model.naming import Oid

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_SHA1_BYTES = 20
TREE = b"40000"
"""A folder's mode; no other begins with a 4."""
_SHORT = 512
_SMALL_WINDOW, _SMALL_MEMORY = 12, 5
"""zlib's window (4 kB) and memory for what fits: to clear its usual 256 kB takes longer than to compress a tree."""
_CHUNK = 400
"""How many ids are asked for at once: the question fits into a pipe, so that asking never waits for the answers."""

Entry = tuple[bytes, bytes]
"""A tree's entry: mode, and the object's id in binary."""

Entries = Mapping[bytes, bytes]
"""A tree: by name and in git's order, its entries as git writes them (mode, space, name, NUL, binary id)."""

_NOTHING: Entries = MappingProxyType({})


class Made(msgspec.Struct, frozen=True, gc=False):
    """An object that the repository does not have yet.

    `below` are the ids of further such objects that it leads to. A tree was made from the tree `base`, all but a few of
    whose entries it has.
    """

    kind: bytes
    content: bytes
    below: tuple[bytes, ...] = ()
    base: bytes = b""


class Objects:
    """The objects of a repository and those made in memory, by binary id."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.made: dict[bytes, Made] = {}
        self._reader: BatchProcess | None = None
        self._trees: dict[bytes, Entries] = {}
        self._id_bytes = _SHA1_BYTES

    def use_ids_like(self, oid: Oid) -> None:
        """Take the repository's kind of object ids, SHA-1 or SHA-256, from one of them."""
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

    def add(self, made: Made) -> bytes:
        """Take in a new object, and return its id."""
        name = self.hash(b"%s %d\0%s" % (made.kind, len(made.content), made.content)).digest()
        self.made.setdefault(name, made)
        return name

    def read(self, name: bytes) -> bytes:
        """Return an object's content."""
        made = self.made.get(name)
        return made.content if made is not None else next(iter(self._asked([name])))

    def read_all(self, names: Iterable[bytes]) -> list[bytes]:
        """Return the contents of objects of the repository, in the order asked for."""
        wanted = list(names)
        return [content for at in range(0, len(wanted), _CHUNK) for content in self._asked(wanted[at : at + _CHUNK])]

    def commit(self, oid: Oid) -> bytes:
        """Return a commit's bytes."""
        return self.read(bytes.fromhex(oid))

    def entries(self, tree: bytes) -> Entries:
        """Return the entries of a tree; none for the empty id."""
        if not tree:
            return _NOTHING
        found = self._trees.get(tree)
        if found is None:
            found = self._trees[tree] = self.parsed(self.read(tree))
        return found

    def fetch_trees(self, trees: Iterable[bytes]) -> None:
        """Read trees that will be needed, all at once."""
        wanted = [tree for tree in trees if tree not in self._trees and tree not in self.made]
        for tree, content in zip(wanted, self.read_all(wanted), strict=True):
            self._trees[tree] = self.parsed(content)

    def know(self, tree: bytes, entries: Entries) -> None:
        """Remember the entries of a tree that was made from them."""
        self._trees[tree] = entries

    def parsed(self, content: bytes) -> dict[bytes, bytes]:
        """Read a tree object: one entry after the other."""
        return {name: whole for whole, name in self._pattern.findall(content)}

    def entry(self, whole: bytes) -> Entry:
        """Return what an entry says: mode and id."""
        return whole[: whole.index(b" ")], whole[-self._id_bytes :]

    def below(self, whole: bytes | None) -> bytes:
        """Return the tree that an entry leads to; the empty id where it is none, or a file."""
        return whole[-self._id_bytes :] if whole is not None and whole.startswith(TREE) else b""

    def _asked(self, names: list[bytes]) -> list[bytes]:
        if self._reader is None:
            self._reader = self.repository.start_batch("cat-file", "--batch")
        self._reader.send(b"".join(name.hex().encode() + b"\n" for name in names))
        return [self._answer(self._reader, name) for name in names]

    @staticmethod
    def _answer(reader: BatchProcess, name: bytes) -> bytes:
        words = reader.read_line().split()
        if len(words) != 3:
            raise GitFailed("object-missing", f"the repository has no object {name.hex()}")
        return reader.read(int(words[2]) + 1)[:-1]


def in_order(entries: Entries) -> dict[bytes, bytes]:
    """Sort entries as git does: folders as if their names ended with a slash."""
    return dict(sorted(entries.items(), key=lambda item: item[0] + b"/" if item[1].startswith(TREE) else item[0]))


def deflated(content: bytes) -> bytes:
    """Return content in zlib's format (RFC 1950), as it is where it is short: compressing costs more than it spares."""
    if len(content) > _SHORT:
        window, memory = (_SMALL_WINDOW, _SMALL_MEMORY) if len(content) <= 1 << _SMALL_WINDOW else (zlib.MAX_WBITS, 8)
        compressor = zlib.compressobj(1, zlib.DEFLATED, window, memory)
        return compressor.compress(content) + compressor.flush()
    length = len(content).to_bytes(2, "little")
    complement = (len(content) ^ 0xFFFF).to_bytes(2, "little")
    return b"\x78\x01\x01" + length + complement + content + zlib.adler32(content).to_bytes(4, "big")
