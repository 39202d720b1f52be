"""Credentials in what a branch adds. What was merged once stays in the history, so they are found before approval."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from gitorch.git.diff.added_text import AddedLine, added_lines
from gitorch.git.repository import Repository
from gitorch.model.credentials import redaction
from gitorch.model.credentials.scan import Effort
from gitorch.model.naming import Oid

LIMIT = 32_000_000
"""Bytes of added text that are searched."""

EFFORT = 600_000_000
"""Steps of the rules' expressions that a search takes: however a text was made, seconds of work."""

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,4096}={0,2}")
"""A word that may be text in base64, as in the secrets of Kubernetes; a longer one is read in parts."""

_WIDE = re.compile(rb"(?:[\t -~]\0{1,3}){8,}(?:[\t -~]\Z)?")
"""Text in UTF-16 or UTF-32: between NULs."""

_PRINTABLE = bytes([*b"\t\n\r", *range(0x20, 0x7F)])
_BLOCK = 65_536
_NAMED = 3


class Credential(msgspec.Struct, frozen=True):
    """A credential in a commit: its kind, its file and line (no path: the message), and a short hash of its value.

    With `is_name`, it is in the name of a file, which is not repeated.
    """

    kind: str
    commit: Oid
    path: str
    line: int
    digest: str
    is_name: bool = False

    @property
    def place(self) -> str:
        """The file and the line, or the commit that has it in its message or in the name of a file."""
        if self.is_name:
            return f"name of a file in {self.commit[:12]}"
        return f"{self.path}:{self.line}" if self.path else f"message of {self.commit[:12]}"

    def __str__(self) -> str:
        return f"{self.kind} in {self.place} (sha256 {self.digest})"


class Search(msgspec.Struct, frozen=True):
    """The credentials that were found, each once for a file.

    `only`: how many bytes of the added text were searched, where that was not all of it.
    """

    credentials: tuple[Credential, ...] = ()
    only: int | None = None

    @property
    def megabytes(self) -> str:
        """How much was searched, where that was not all."""
        return f"{(self.only or 0) / 1e6:.1f}".removesuffix(".0")


def named(credentials: Iterable[Credential]) -> str:
    """Return the first credentials in words, and how many more there are."""
    words = [str(credential) for credential in credentials]
    more = [f"and {len(words) - _NAMED} more"] if len(words) > _NAMED else []
    return ", ".join([*words[:_NAMED], *more])


@lru_cache(256)  # a review asks again for each list, page and verdict
def search(repository: Repository, base: Oid, tip: Oid) -> Search:
    """Search the text that the commits after `base` add."""
    credentials: dict[tuple[str, str, str], Credential] = {}
    effort = Effort(EFFORT)
    size = 0
    for block in _blocks(added_lines(repository, base, tip)):
        if size > LIMIT:
            return Search(tuple(credentials.values()), only=size)
        for credential in _in_block(block, effort):
            credentials.setdefault((credential.kind, credential.path, credential.digest), credential)
        if effort.is_spent:
            return Search(tuple(credentials.values()), only=size)
        size += sum(len(line.text) for line in block)
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


def _in_block(block: list[AddedLine], effort: Effort) -> Iterator[Credential]:
    yield from _in_texts([(line, line.text) for line in block], effort)
    yield from _in_texts([(line, text + b"\n") for line in block for text in _other_readings(line.text)], effort)


def _in_texts(lines: Sequence[tuple[AddedLine, bytes]], effort: Effort) -> Iterator[Credential]:
    texts = [text.decode("utf-8", "surrogateescape") for _, text in lines]
    findings = iter(redaction.find("".join(texts), effort))
    finding = next(findings, None)
    end = 0
    for (line, _), text in zip(lines, texts, strict=True):
        end += len(text)
        while finding is not None and finding.start < end:
            yield Credential(finding.kind, line.commit, line.path, line.number, finding.digest, line.is_name)
            finding = next(findings, None)


def _other_readings(line: bytes) -> Iterator[bytes]:
    """Yield what else a line says: in UTF-16 or UTF-32, where letters have NULs around them, or in base64."""
    wide = [text.replace(b"\0", b"") for text in _WIDE.findall(line)] if b"\0" in line else []
    yield from wide
    for text in (line, *wide):
        for word in _BASE64.findall(text):
            decoded = binascii.a2b_base64(word[: len(word) // 4 * 4])
            if not decoded.translate(None, _PRINTABLE):
                yield decoded
