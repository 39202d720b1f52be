"""Rewrite an agent's commits without the credentials that they add: in their files, their messages and their names."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from gitorch.git.collecting.credentials import Credential
from gitorch.git.lockfiles import SCRATCH
from gitorch.git.objects import Commit
from gitorch.git.repository import GitFailed, Repository
from gitorch.git.writing import unreferenced
from gitorch.model.credentials import redaction
from gitorch.model.naming import Oid, Ref

_BINARY = 8_000
"""Bytes in which a NUL makes a file binary, as git counts."""
_LARGEST = 32_000_000
_REMOVED = "000000"
_HEADERS = (b"author ", b"committer ", b"encoding ")
_IDENTITY = re.compile(rb"(author|committer) [^<>\n]*<[^<>\n]*> \d+ [+-]\d{4}")


class RedactedCommits(msgspec.Struct, frozen=True):
    """Rewritten commits, which no ref leads to yet: their tip, and what was replaced in them."""

    tip: Oid
    credentials: tuple[Credential, ...]


def rewrite(repository: Repository, start: Oid, tip: Oid, branch: Ref) -> RedactedCommits | None:
    """Rewrite the commits after `start` that only `branch` has; None if they add no credential.

    A credential that is anywhere in the tree of `start` is not new, and stays: its file may only have been moved. So
    does one in a binary file. Commits keep their authors and dates; a signature would be wrong, and is dropped.
    Raises `GitFailed` for a commit that git itself would not write.
    """
    writer = _Writer(repository, start)
    for commit in _own_commits(repository, start, tip, branch):
        writer.add(commit)
    if not writer.credentials:
        return None
    return RedactedCommits(writer.write(tip), tuple(writer.credentials.values()))


def _own_commits(repository: Repository, start: Oid, tip: Oid, branch: Ref) -> list[Commit]:
    """Return the commits of the branch that are on no other branch and no tag, parents first."""
    others = (f"--exclude={branch.removeprefix('refs/heads/')}", "--branches", "--tags", "--remotes")
    words = ("rev-list", "--topo-order", "--reverse", tip, "--not", start, *others)
    return repository.commits(map(Oid, repository.git(*words).text.split()))


class _Writer:
    """Collects a stream for `git fast-import`. `credentials` has each one once for a file."""

    def __init__(self, repository: Repository, start: Oid) -> None:
        self.credentials: dict[tuple[str, str, str], Credential] = {}
        self._repository = repository
        self._start = start
        self._stream = [b"feature done\n"]
        self._commits: dict[Oid, int] = {}
        self._blobs: dict[str, int | None] = {}
        self._is_new: dict[str, bool] = {}
        self._marks = 0

    def add(self, commit: Commit) -> None:
        """Add a commit to the stream if it differs from the one that the agent made."""
        parents = [self._commits.get(parent) for parent in commit.parents]
        before = len(self.credentials)
        headers, message = self._text(commit)
        changes = [*self._changes(commit)]
        is_redacted = len(self.credentials) > before or any(mark is not None for *_, mark in changes)
        is_redacted |= (headers, message) != (_kept_headers(commit), commit.raw.partition(b"\n\n")[2])
        if not is_redacted and not any(parents):
            return
        if any(_IDENTITY.fullmatch(line) is None for line in headers if not line.startswith(b"encoding ")):
            raise GitFailed("git-failed", f"commit {commit.oid} has a name or a date that cannot be rewritten")
        self._commits[commit.oid] = self._mark()
        self._stream += [b"commit %s\nmark :%d\n" % (SCRATCH.encode(), self._commits[commit.oid])]
        self._stream += [line + b"\n" for line in headers] + [_data(message)]
        for number, (parent, mark) in enumerate(zip(commit.parents, parents, strict=True)):
            self._stream.append(b"%s %s\n" % (b"merge" if number else b"from", _name(parent, mark)))
        if not commit.parents:
            self._stream.append(b"deleteall\n")
        # what is removed goes first: a folder may have become a file
        self._stream += [_file_line(*change) for change in sorted(changes, key=lambda change: change[0] != _REMOVED)]

    def write(self, tip: Oid) -> Oid:
        """Write the commits; return the one that replaces `tip`."""
        # the scratch ref is forgotten, and not deleted: that would lock it
        end = b"get-mark :%d\nreset %s\n\ndone\n" % (self._commits[tip], SCRATCH.encode())
        return unreferenced.fast_import(self._repository, b"".join([*self._stream, end]), [self._start])

    def _mark(self) -> int:
        self._marks += 1
        return self._marks

    def _text(self, commit: Commit) -> tuple[list[bytes], bytes]:
        """Return the headers and the message without credentials."""
        headers = [self._redacted(line, commit.oid, "", 0) or line for line in _kept_headers(commit)]
        message = commit.raw.partition(b"\n\n")[2]
        return headers, self._redacted(message, commit.oid, "", 1) or message

    def _changes(self, commit: Commit) -> Iterator[tuple[str, str, bytes, int | None]]:
        """Yield mode, blob, path, and the mark of the redacted blob, of what a commit changes to its first parent."""
        against = (commit.parents[0], commit.oid) if commit.parents else ("--root", commit.oid)
        words = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-commit-id", *against)
        fields = self._repository.git(*words).stdout.split(b"\0")[:-1]
        merged = self._merged_paths(commit)
        for raw, path in zip(fields[::2], fields[1::2], strict=True):
            _, mode, _, blob, _ = raw.decode("ascii").split(" ")
            is_scanned = mode.startswith("100") and path not in merged
            yield mode, blob, path, self._redacted_blob(blob, commit.oid, path) if is_scanned else self._blobs.get(blob)

    def _merged_paths(self, commit: Commit) -> frozenset[bytes]:
        """Return the paths that a merge took from one of its parents: what they have is not the merge's own."""
        if len(commit.parents) < 2:
            return frozenset()
        words = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-commit-id")
        first, *others = (
            frozenset(self._repository.git(*words, parent, commit.oid).stdout.split(b"\0")) for parent in commit.parents
        )
        return first - first.intersection(*others)

    def _redacted_blob(self, blob: str, commit: Oid, path: bytes) -> int | None:
        if blob not in self._blobs:
            (entry,) = self._repository.read_objects([blob])
            content = entry.content or b""
            name = path.decode("utf-8", "surrogateescape")
            is_text = b"\0" not in content[:_BINARY] and len(content) <= _LARGEST
            text = self._redacted(content, commit, name, 1) if is_text else None
            self._blobs[blob] = None if text is None else self._mark()
            if text is not None:
                self._stream.append(b"blob\nmark :%d\n%s" % (self._marks, _data(text)))
        return self._blobs[blob]

    def _redacted(self, content: bytes, commit: Oid, path: str, first_line: int) -> bytes | None:
        """Return content without new credentials, which are noted; None if it has none."""
        text = content.decode("utf-8", "surrogateescape")
        findings = [finding for finding in redaction.find(text) if self._is_added(text[finding.start : finding.end])]
        for finding in findings:
            line = first_line and first_line + text.count("\n", 0, finding.start)
            credential = Credential(finding.kind, commit, path, line, finding.digest)
            self.credentials.setdefault((finding.kind, path, finding.digest), credential)
        if not findings:
            return None
        return redaction.without(text, findings).encode("utf-8", "surrogateescape")

    def _is_added(self, secret: str) -> bool:
        """Return whether a credential is nowhere in the tree that the agent started on."""
        # a pattern is one line; of a private key the first and the last are the same in all
        lines = [line.strip() for line in secret.splitlines() if not line.lstrip().startswith("-----")]
        pattern = max(lines, key=len, default=secret)
        if pattern not in self._is_new:
            words = ("grep", "--quiet", "--fixed-strings", "--text", "-f", "-", self._start, "--", ":/")
            content = pattern.encode("utf-8", "surrogateescape") + b"\n"
            self._is_new[pattern] = self._repository.git(*words, input=content, ok=(0, 1)).code == 1
        return self._is_new[pattern]


def _kept_headers(commit: Commit) -> list[bytes]:
    lines = commit.raw.partition(b"\n\n")[0].split(b"\n")
    return [line for line in lines if line.startswith(_HEADERS)]


def _name(oid: Oid, mark: int | None) -> bytes:
    return b":%d" % mark if mark is not None else oid.encode()


def _file_line(mode: str, blob: str, path: bytes, mark: int | None) -> bytes:
    if mode == _REMOVED:
        return b"D %s\n" % _quoted(path)
    return b"M %s %s %s\n" % (mode.encode(), _name(Oid(blob), mark), _quoted(path))


def _quoted(path: bytes) -> bytes:
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % escaped


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)
