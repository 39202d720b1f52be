"""Answers about objects from one `git cat-file --batch-command`, in place of a process for each question."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Iterator, Sequence

from gitorch.git.objects import BatchEntry
from gitorch.git.process import BatchProcess, GitFailed, GitRunner

_REQUEST_BYTES = 32_768
"""How much is asked before answers are read: it fits into a pipe, so that neither side waits for the other."""

_FOUND = re.compile(rb"[0-9a-f]{40,64} (?:blob|tree|commit|tag) [0-9]+\n")
"""The first line of an answer. That for a missing object is its name and ` missing`."""


class ObjectReader:
    """Reads objects through one git process, which is started at the first question. Threads take turns.

    Git sees refs and objects that were written after its start, also by other processes. A fork starts a git of its
    own: answers to what it asks would mix with those to its parent.
    """

    def __init__(self, runner: GitRunner) -> None:
        self._runner = runner
        self._process: BatchProcess | None = None
        self._inherited: BatchProcess | None = None  # not closed: it is the parent's
        self._owner = os.getpid()
        self._lock = threading.Lock()

    def inspect(self, names: Sequence[str]) -> list[BatchEntry]:
        """Return the ids and types of objects, without their content, by id or by name."""
        return [entry for part in _parts(names) for entry in self._ask("info", part)]

    def read(self, names: Sequence[str]) -> list[BatchEntry]:
        """Return objects by id or by name, such as `COMMIT:PATH`."""
        return [entry for part in _parts(names) for entry in self._ask("contents", part)]

    def _ask(self, command: str, names: Sequence[str]) -> list[BatchEntry]:
        with self._lock:
            try:
                return self._answers(command, names)
            except GitFailed:  # it was killed, or an object cannot be read: the second answer counts
                return self._answers(command, names)

    def _start(self) -> BatchProcess:
        # without locks, since it may outlive the block that holds them
        return self._runner.start_batch("cat-file", "--batch-command", "-z", locks=False)

    def _answers(self, command: str, names: Sequence[str]) -> list[BatchEntry]:
        if self._owner != os.getpid():
            self._owner, self._inherited, self._process = os.getpid(), self._process, None
        # after an interrupt, the rest of the answers would be taken for those to the next question: a new process
        process, self._process = self._process or self._start(), None
        process.send(b"".join(b"%s %s\0" % (command.encode(), _encoded(name)) for name in filter(_is_possible, names)))
        entries = [_answer(process, command, name) if _is_possible(name) else BatchEntry(name) for name in names]
        self._process = process
        return entries


def _answer(process: BatchProcess, command: str, name: str) -> BatchEntry:
    header = process.read_line()
    if _FOUND.fullmatch(header):
        oid, kind, size = header.decode().split()
        content = process.read(int(size) + 1)[:-1] if command == "contents" else b""
        return BatchEntry(oid, kind, content, int(size))
    encoded = _encoded(name)
    if encoded.startswith(header):  # the rest of a name with line ends
        for _ in range(encoded.count(b"\n")):
            process.read_line()
    return BatchEntry(name)


def _is_possible(name: str) -> bool:
    """Return whether an object can have this name, and the answer for a missing one be told from another."""
    return bool(name) and "\0" not in name and not _FOUND.match(_encoded(name))


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _parts(names: Iterable[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for name in names:
        size += len(_encoded(name)) + len("contents ") + 1
        if part and size > _REQUEST_BYTES:
            yield part
            part, size = [], len(_encoded(name))
        part.append(name)
    if part:
        yield part
