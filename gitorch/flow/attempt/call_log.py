"""Read what an agent's own log says about its calls, while it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from gitorch.agents.protocol import CallLog, LoggedCall
from gitorch.regular_files import open_plain

_BLOCK_BYTES = 1 << 20
_LONGEST_LINE = 1 << 20
_MOST_BYTES = 64 << 20
"""What is read of a log at once: the rest has to wait."""

_LOOKS = 40
"""How often a log is looked for before it counts as not written at all."""


class CallLogReader:
    """Yields the calls of one execution from the log of its session, each once.

    `environment` is that of the agent. `started` returns when the execution started (Unix seconds), None if it is not
    known yet: what is older belongs to earlier executions of the session.
    """

    def __init__(self, log: CallLog, environment: Mapping[str, str], started: Callable[[], float | None]) -> None:
        self._log = log
        self._environment = environment
        self._started = started
        self._session = ""
        self._path: Path | None = None
        self._looks = 0
        self._offset = 0
        self._rest = b""

    def see(self, line: bytes) -> None:
        """Look at a line of the agent's stream, which may name the session."""
        self._session = self._session or self._log.session(line)

    def new_calls(self) -> list[LoggedCall]:
        """Return the calls that were logged since the last time."""
        started = self._started()
        if started is None or not self._find():
            return []
        calls = (self._log.call(line) for line in self._new_lines())
        return [call for call in calls if call and call.time >= started]

    def _find(self) -> bool:
        if self._path is None and self._session and self._looks < _LOOKS:
            self._looks += 1
            self._path = self._log.find(self._environment, self._session)
        return self._path is not None

    def _new_lines(self) -> Iterator[bytes]:
        assert self._path is not None
        try:
            file = open_plain(self._path, buffering=0)
        except OSError:  # the agent's file is the agent's
            return
        with file:
            file.seek(self._offset)
            end = self._offset + _MOST_BYTES
            while self._offset < end and (data := file.read(_BLOCK_BYTES)):
                self._offset += len(data)
                *lines, unfinished = (self._rest + data).split(b"\n")
                self._rest = unfinished[:_LONGEST_LINE]
                yield from lines
