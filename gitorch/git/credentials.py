"""Credentials in what a branch adds. What was merged once stays in the history, so they are found before approval."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

from gitorch.git.added_text import AddedLine, added_lines
from gitorch.git.repository import Repository
from gitorch.model import redact
from gitorch.model.naming import Oid

LIMIT = 32_000_000
"""Bytes of added text that are searched: 10 seconds of work."""

_BLOCK = 65_536
_NAMED = 3


class Credential(msgspec.Struct, frozen=True):
    """A credential in a commit: its kind, its file and line (no path: the message), and a short hash of its value."""

    kind: str
    commit: Oid
    path: str
    line: int
    digest: str

    @property
    def place(self) -> str:
        """The file and the line, or the commit whose message it is in."""
        return f"{self.path}:{self.line}" if self.path else f"message of {self.commit[:12]}"

    def __str__(self) -> str:
        return f"{self.kind} in {self.place} (sha256 {self.digest})"


class Search(msgspec.Struct, frozen=True):
    """The credentials that were found, each once for a file, and whether all added text was searched."""

    credentials: tuple[Credential, ...] = ()
    is_complete: bool = True


def named(credentials: Iterable[Credential]) -> str:
    """Return the first credentials in words, and how many more there are."""
    words = [str(credential) for credential in credentials]
    more = [f"and {len(words) - _NAMED} more"] if len(words) > _NAMED else []
    return ", ".join([*words[:_NAMED], *more])


@lru_cache(256)  # a review asks again for each list, page and verdict
def search(repository: Repository, base: Oid, tip: Oid) -> Search:
    """Search the text that the commits after `base` add."""
    credentials: dict[tuple[str, str, str], Credential] = {}
    size = 0
    for block in _blocks(added_lines(repository, base, tip)):
        size += sum(len(line.text) for line in block)
        for credential in _in_block(block):
            credentials.setdefault((credential.kind, credential.path, credential.digest), credential)
        if size > LIMIT:
            return Search(tuple(credentials.values()), is_complete=False)
    return Search(tuple(credentials.values()))


def _blocks(lines: Iterable[AddedLine]) -> Iterator[list[AddedLine]]:
    block: list[AddedLine] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line.text)
        if size > _BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _in_block(block: list[AddedLine]) -> Iterator[Credential]:
    texts = [line.text.decode("utf-8", "surrogateescape") for line in block]
    findings = iter(redact.find("".join(texts)))
    finding = next(findings, None)
    end = 0
    for line, text in zip(block, texts, strict=True):
        end += len(text)
        while finding is not None and finding.start < end:
            yield Credential(finding.kind, line.commit, line.path, line.number, finding.digest)
            finding = next(findings, None)
