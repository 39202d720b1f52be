"""Answers about objects from one `git cat-file --batch-command`, in place of a process for each question."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence

from gitorch.git.objects import BatchEntry, parse_batch
from gitorch.git.process import BatchProcess, GitFailed, GitRunner

_MOST = 64
"""More objects are worth a process of their own, which gets all its requests at once."""

_FOUND = re.compile(rb"[0-9a-f]{40,64} (?:blob|tree|commit|tag) [0-9]+\n")
"""The first line of an answer. That for a missing object is its name and ` missing`."""


class ObjectReader:
    """Reads objects through one git process, which is started at the first question. Threads take turns.

    Git sees refs and objects that were written after its start, also by other processes.
    """

    def __init__(self, runner: GitRunner) -> None:
        self._runner = runner
        self._process: BatchProcess | None = None
        self._lock = threading.Lock()

    def inspect(self, names: Sequence[str]) -> list[BatchEntry]:
        """Return the ids and types of objects, without their content, by id or by name."""
        if len(names) <= _MOST:
            return [self._ask("info", name) for name in names]
        lines = self._runner.run("cat-file", "--batch-check", input=_requests(names)).text.split("\n")
        return [_inspected(line) for line in lines]

    def read(self, names: Sequence[str]) -> list[BatchEntry]:
        """Return objects by id or by name, such as `COMMIT:PATH`."""
        if len(names) <= _MOST:
            return [self._ask("contents", name) for name in names]
        stream = self._runner.run("cat-file", "--batch", input=_requests(names)).stdout
        return list(parse_batch(stream, len(names)))

    def _ask(self, command: str, name: str) -> BatchEntry:
        encoded = name.encode("utf-8", "surrogateescape")
        if not name or "\0" in name or _FOUND.match(encoded):
            return BatchEntry(name)  # git has no such object, and its answer could not be told from another
        with self._lock:
            try:
                return self._answer(command, name, encoded)
            except GitFailed:  # it was killed, or the object cannot be read: the second answer counts
                return self._answer(command, name, encoded)

    def _start(self) -> BatchProcess:
        # without locks, since it may outlive the block that holds them
        return self._runner.start_batch("cat-file", "--batch-command", "-z", locks=False)

    def _answer(self, command: str, name: str, encoded: bytes) -> BatchEntry:
        # after an interrupt, the rest of the answer would be taken for that to the next question: a new process
        process, self._process = self._process or self._start(), None
        process.send(b"%s %s\0" % (command.encode(), encoded))
        header = process.read_line()
        if _FOUND.fullmatch(header):
            oid, kind, size = header.decode().split()
            content = process.read(int(size) + 1)[:-1] if command == "contents" else b""
            entry = BatchEntry(oid, kind, content)
        else:
            if encoded.startswith(header):  # the rest of a name with line ends
                for _ in range(encoded.count(b"\n")):
                    process.read_line()
            entry = BatchEntry(name)
        self._process = process
        return entry


def _requests(names: Sequence[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape")


def _inspected(line: str) -> BatchEntry:
    name, *words = line.rsplit(" ", 2)
    return BatchEntry(name, words[0], b"") if words[1:] and words[1].isdigit() else BatchEntry(line)
