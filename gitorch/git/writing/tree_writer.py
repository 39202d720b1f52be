"""Write a tree that differs from another one in some files, through one `git fast-import`.

Git reads and writes only the folders that change, and no index.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from gitorch.git.lockfiles import SCRATCH
from gitorch.git.repository import BatchProcess, Repository
from gitorch.model.naming import Oid

Entries = dict[str, tuple[str, str] | None]
"""The mode and the blob of each path, None for a deleted one. A blob is an id, or what `TreeWriter.blob` returned."""


class TreeWriter:
    """One `git fast-import`, started when it is needed: first the blobs, then the tree. No ref is written."""

    def __init__(self, repository: Repository, env: Mapping[str, str]) -> None:
        self._repository, self._env = repository, env
        self._process: BatchProcess | None = None
        self._blobs = 0

    def blob(self, content: bytes) -> str:
        """Store a blob; return its name in the entries of `tree`."""
        self._blobs += 1
        self._send(b"blob\nmark :%d\ndata %d\n%s\n" % (self._blobs, len(content), content))
        return f":{self._blobs}"

    def tree(self, commit: Oid | None, entries: Entries) -> Oid:
        """Return the tree of a commit (None: an empty one) with these entries in it; nothing can follow."""
        start = f"from {commit}" if commit else "deleteall"
        lines = [f"commit {SCRATCH}\ncommitter gitorch <gitorch> 0 +0000\ndata 0\n{start}\n".encode()]
        # what is deleted goes first: a folder may have become a file
        lines += [b"D %s\n" % _quoted(path) for path, entry in entries.items() if entry is None]
        saved = ((*entry, path) for path, entry in entries.items() if entry is not None)
        lines += [b"M %s %s %s\n" % (mode.encode(), blob.encode(), _quoted(path)) for mode, blob, path in saved]
        # `done` writes each ref that has a commit: after `reset`, this one has none
        lines.append(b'ls ""\n\nreset %s\n\ndone\n' % SCRATCH.encode())
        self._send(b"".join(lines))
        assert self._process is not None
        answer = self._process.read_line()  # MODE tree ID, a tab, and the path
        self.close()
        return Oid(answer.split()[2].decode("ascii"))

    def close(self) -> None:
        """End the process; without `tree` before, git keeps nothing."""
        if self._process is not None:
            self._process.close()

    def _send(self, request: bytes) -> None:
        if self._process is None:
            self._process = self._repository.start_batch("fast-import", "--quiet", "--done", env=self._env)
        self._process.send(request)


def _quoted(path: str) -> bytes:
    escaped = os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % escaped
