"""Objects as git prints and stores them: commits, and the answers of `git cat-file --batch`."""

from __future__ import annotations

import msgspec

from gitorch.model.naming import Oid


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A commit as git stores it: `raw` is the object's bytes."""

    oid: Oid
    raw: bytes
    tree: Oid
    parents: tuple[Oid, ...]

    @property
    def message(self) -> str:
        return self.raw.partition(b"\n\n")[2].decode("utf-8", "replace")

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]


class BatchEntry(msgspec.Struct, frozen=True):
    """One answer of `git cat-file --batch`: the object's id, type, content and size in bytes.

    If there is no such object, `name` is what was asked for, and `content` is None.
    """

    name: str
    kind: str = ""
    content: bytes | None = None
    size: int = 0


def parse_commit(oid: Oid, raw: bytes) -> Commit:
    """Read the headers of a commit object (`gitformat-commit`: `tree`, then any number of `parent`)."""
    headers = raw.partition(b"\n\n")[0].split(b"\n")
    tree = headers[0].removeprefix(b"tree ").decode()
    parents = tuple(Oid(line[7:].decode()) for line in headers[1:] if line.startswith(b"parent "))
    return Commit(oid=oid, raw=raw, tree=Oid(tree), parents=parents)
