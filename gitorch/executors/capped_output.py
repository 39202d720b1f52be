"""Store the output of a program up to a limit: its beginning and its end. Uses only the standard library.

The first half of the limit goes to the file `stdout`. What follows goes to segments, `stdout.HEAD.START`: HEAD is the
size of the beginning, START the segment's position in the stream. The two newest segments are kept. When the program
has ended, `stdout` gets a line that says how many bytes are missing, and the content of the segments. These stay, so
that readers that are further on find their place.

Redacting takes longer than reading. From output that comes too fast for it, after the beginning, parts are dropped
before they are redacted; what a program printed last is always there.
"""

from __future__ import annotations

import contextlib
import os
import time

from gitorch.executors.output_redaction import OutputRedactor

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would delay the start of every agent and every check
    from collections.abc import Iterator

    from gitorch.executors.write_times import TimesFile

_PENDING = 131_072
"""Bytes that wait to be redacted while a program prints too fast: the least that is kept of its end."""

_BLOCK = 16_384
_SHARE = 0.25
_START_SECONDS = 0.5
"""Redacting may take this share of the time, and so many seconds in advance."""

_CREATE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def missing_line(count: int, *, at_line_start: bool = True) -> bytes:
    """Return the line that stands where output is missing."""
    return b"" if not count else b"\n" * (not at_line_start) + f"[gitorch: {count} bytes are missing here]\n".encode()


class _Segment:
    """A file with a part of the stream: where it starts, and its size."""

    def __init__(self, descriptor: int, name: str, start: int) -> None:
        self.descriptor = descriptor
        self.name = name
        self.start = start
        self.size = 0

    @property
    def end(self) -> int:
        return self.start + self.size


class CappedOutput:
    """One output stream of a program, in a folder that is open as a descriptor; `times` notes when it was written."""

    def __init__(
        self, folder: int, name: str, limit: int, redactor: OutputRedactor, times: TimesFile | None = None
    ) -> None:
        self._folder = folder
        self._name = name
        self._head = _Segment(os.open(name, _CREATE | os.O_APPEND, 0o600, dir_fd=folder), name, 0)
        self._head_limit = limit // 2
        self._segment_limit = max(1, limit // 8)
        self._segments: list[_Segment] = []
        self._redactor = redactor
        self._times = times
        self._pending: list[bytes] = []
        self._skipped = False
        self._end = 0
        self._is_full = False
        self._fast_since = 0.0
        self._spent = 0.0
        self.received = 0

    def take(self, data: bytes) -> None:
        """Store the next bytes of the program's output."""
        self.received += len(data)
        if not self._is_full:
            self._redact(data)
            return
        self._pending.append(data)
        if self._spent <= _SHARE * (time.monotonic() - self._fast_since) + _START_SECONDS:
            self.settle()
        while sum(map(len, self._pending)) > _PENDING:
            self._lose(len(self._pending.pop(0)))

    def settle(self) -> None:
        """Store what waits: the program prints nothing at the moment."""
        if not self._pending:
            return
        started = time.monotonic()
        data, self._pending = b"".join(self._pending), []
        if self._skipped:
            lost, data = self._redactor.skip(data)
            self._end += lost
        self._redact(data)
        self._spent += time.monotonic() - started

    def _redact(self, data: bytes) -> None:
        for position in range(0, len(data), _BLOCK):
            self._store(self._redactor.feed(data[position : position + _BLOCK]))

    def finish(self) -> None:
        """Store the rest, and complete the file."""
        self.settle()
        self._store(self._redactor.finish())
        with contextlib.suppress(OSError):  # the disk is full: readers take the segments
            self._complete()
        for segment in (self._head, *self._segments):
            os.close(segment.descriptor)
        if self._times:
            self._times.close()

    def _lose(self, count: int) -> None:
        self._end += count
        self._skipped = True

    def _store(self, data: bytes) -> None:
        if data and self._times:
            self._times.note(self._end)
        while data:
            try:
                segment, room = self._current()
                written = os.write(segment.descriptor, data[:room])
            except OSError:  # the disk is full: what is missing is said, and the program goes on
                self._is_full = True
                self._fast_since = self._fast_since or time.monotonic()
                self._lose(len(data))
                return
            segment.size += written
            self._end += written
            data = data[written:]

    def _current(self) -> tuple[_Segment, int]:
        """Return the file that the next bytes go to, and how many."""
        if not self._is_full:
            if room := self._head_limit - self._head.size:
                return self._head, room
            self._is_full = True
            self._fast_since = time.monotonic()
        last = self._segments[-1] if self._segments else None
        if last is None or self._skipped or last.size >= self._segment_limit:
            last = self._new_segment()
        return last, self._segment_limit - last.size

    def _new_segment(self) -> _Segment:
        name = f"{self._name}.{self._head.size}.{self._end}"
        segment = _Segment(os.open(name, _CREATE | os.O_EXCL, 0o600, dir_fd=self._folder), name, self._end)
        # a part without what comes before it and after it is of no use
        count = 0 if self._skipped else 1
        old = self._segments[: len(self._segments) - count]
        self._segments = [*self._segments[len(self._segments) - count :], segment]
        self._skipped = False
        for removed in old:
            os.close(removed.descriptor)
            with contextlib.suppress(OSError):
                os.unlink(removed.name, dir_fd=self._folder)
        return segment

    def _complete(self) -> None:
        """Append the segments to the file, with a line about what is missing."""
        if self._head.end == self._end:
            return
        position, at_line_start = self._head.end, _ends_line(self._head)
        try:
            for segment in self._segments:
                _write(self._head.descriptor, missing_line(segment.start - position, at_line_start=at_line_start))
                for block in _blocks(segment):
                    _write(self._head.descriptor, block)
                position, at_line_start = segment.end, _ends_line(segment)
            _write(self._head.descriptor, missing_line(self._end - position, at_line_start=at_line_start))
        except OSError:
            os.ftruncate(self._head.descriptor, self._head.size)
            raise


def _ends_line(segment: _Segment) -> bool:
    return not segment.size or os.pread(segment.descriptor, 1, segment.size - 1) == b"\n"


def _blocks(segment: _Segment) -> Iterator[bytes]:
    for position in range(0, segment.size, _BLOCK):
        yield os.pread(segment.descriptor, _BLOCK, position)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
