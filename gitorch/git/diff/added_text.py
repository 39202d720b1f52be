"""The text that commits add, as a stream: however much it is, a block of it is in memory at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_OPTIONS = (
    "--patch",
    "--unified=0",
    "--text",  # an attribute must not hide a change
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
    "--diff-merges=remerge",  # of a merge, what it adds itself
    "--format=commit %H",
)


class AddedLine(msgspec.Struct, frozen=True):
    """A line that a commit adds, with its line end: of a file, or with no `path` of the commit's message.

    With `is_name`, it is the path of a file that the commit adds.
    """

    commit: Oid
    path: str
    number: int
    text: bytes
    is_name: bool = False


def added_lines(repository: Repository, base: Oid, tip: Oid) -> Iterator[AddedLine]:
    """Yield every line that the commits after `base` add, also one that a later commit removes again."""
    yield from _message_lines(repository, base, tip)
    yield from _patch_lines(repository.lines("log", *_OPTIONS, f"{base}..{tip}", "--"))


def _message_lines(repository: Repository, base: Oid, tip: Oid) -> Iterator[AddedLine]:
    commit, number = Oid(""), 0
    for line in repository.lines("log", "--format=raw", f"{base}..{tip}", "--"):
        if line.startswith(b"commit "):
            commit, number = Oid(line[7:].decode().strip()), 0
        elif line.startswith(b"    "):
            number += 1
            yield AddedLine(commit, "", number, line[4:])
        elif line.startswith((b"author ", b"committer ")):
            yield AddedLine(commit, "", 0, line)


def _patch_lines(lines: Iterable[bytes]) -> Iterator[AddedLine]:
    commit, path, names = Oid(""), "", b""
    removed = added = number = 0  # lines of the hunk that are still to come, and the number of the next added one
    is_part, is_added = False, False  # of a line that is longer than a part, what comes after its first
    for line in lines:
        was_part, is_part = is_part, not line.endswith(b"\n")
        if was_part:
            if is_added:
                yield AddedLine(commit, path, number - 1, line)
            continue
        is_added = bool(added) and line.startswith(b"+")
        if removed and line.startswith(b"-"):
            removed -= 1
        elif is_added:
            added -= 1
            yield AddedLine(commit, path, number, line[1:])
            number += 1
        elif hunk := _HUNK.match(line):
            old, start, new = hunk.groups()
            removed, number, added = int(old or 1), int(start), int(new or 1)
        elif line.startswith(b"diff --git "):
            names = line.removeprefix(b"diff --git ")
        elif line.startswith(b"new file mode "):
            yield AddedLine(commit, "", 0, names[len(names) // 2 :], is_name=True)  # twice the same
        elif line.startswith(b"+++ "):
            path = _path(line[4:].rstrip(b"\n"))
        elif line.startswith(b"commit "):
            commit, path = Oid(line[7:].decode().strip()), ""


def _path(word: bytes) -> str:
    """Return the path of a `+++` line; one with special characters stays in git's quotes."""
    text = word.removesuffix(b"\t").decode("utf-8", "surrogateescape")
    return text.removeprefix("b/") if not text.startswith('"') else '"' + text[1:].removeprefix("b/")
