"""Read the output of an execution, which its supervisor may still be writing: see `capped_output`."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from gitorch.executors.capped_output import missing_line
from gitorch.executors.protocol import ExecutionEvent, NotStarted, Status, Stream
from gitorch.model.outcome import Exit
from gitorch.regular_files import open_plain

LONGEST_LINE = 1 << 20
"""Bytes. A longer line is read in parts, so that it costs little memory."""

_EVENT_SECONDS = 0.2
LONGER = 1.5
"""By how much the pause before the next look grows while there is nothing new."""

BLOCK_BYTES = 65_536
_TRIES = 100


class _Part(NamedTuple):
    """A part of the stream in a file, without what comes before its start there and after its end."""

    path: Path
    start: int
    end: int


def open_output(folder: Path, stream: Stream, *, tail: int | None = None) -> BinaryIO:
    """Open the output, or its last `tail` bytes; a line says where bytes are missing. Empty when there is none.

    Iterating yields lines, longer ones in parts of `LONGEST_LINE`.
    """
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):  # the supervisor has just removed a segment
            return _Output(_Joined(folder, stream), tail)
    return io.BytesIO()


def follow(
    folder: Path, stream: Stream, poll: Callable[[], Status], *, pause: float = _EVENT_SECONDS
) -> Iterator[ExecutionEvent]:
    """Yield what `Executor.events` promises; `pause` is the seconds between two looks."""

    def read(position: int, at_line_start: bool) -> Iterator[tuple[int, bytes]]:
        return after(folder, stream, position, at_line_start=at_line_start)

    return follow_lines(read, poll, pauses=(pause, pause))


def follow_lines(
    read: Callable[[int, bool], Iterable[tuple[int, bytes]]],
    poll: Callable[[], Status],
    *,
    pauses: tuple[float, float],
) -> Iterator[ExecutionEvent]:
    """Yield the lines of an output, and then the exit; `read` is given a position, and whether a line starts there.

    `pauses` are the seconds from one look to the next: the fewest, and the most while there is nothing new.
    """
    timer = threading.Event()
    fewest, most = pauses
    pause, lines = fewest, NewLines(read)
    while not isinstance(status := poll(), NotStarted):
        # what is read after the end is all that there is
        before = lines.position
        yield from lines.read(is_end=isinstance(status, Exit))
        if isinstance(status, Exit):
            yield status
            return
        pause = min(most, LONGER * pause) if lines.position == before else fewest
        timer.wait(pause)


class NewLines:
    """The lines of an output that grows: each look returns those that are new."""

    def __init__(self, read: Callable[[int, bool], Iterable[tuple[int, bytes]]]) -> None:
        self.position = 0
        self._read = read
        self._rest = b""

    def read(self, *, is_end: bool) -> Iterator[bytes]:
        """Yield the lines that are complete by now; at the end, also what is left."""
        for end, data in self._read(self.position, not self._rest):
            self.position = end
            *lines, self._rest = (self._rest + data).split(b"\n")
            yield from (line + b"\n" for line in lines)
            if len(self._rest) > LONGEST_LINE:
                yield self._rest
                self._rest = b""
        if is_end and self._rest:
            yield self._rest
            self._rest = b""


def after(folder: Path, stream: Stream, position: int, *, at_line_start: bool) -> Iterator[tuple[int, bytes]]:
    """Yield what there is of the stream after a position, with the position after each block."""
    for part in _parts(folder, stream):
        if position < part.start:
            yield part.start, missing_line(part.start - position, at_line_start=at_line_start)
            position = part.start
        with suppress(FileNotFoundError), _opened(part.path) as file:
            file.seek(position - part.start)
            while position < part.end and (data := file.read(min(BLOCK_BYTES, part.end - position))):
                position += len(data)
                at_line_start = data.endswith(b"\n")
                yield position, data


def _parts(folder: Path, stream: Stream) -> list[_Part]:
    """Return the files with the stream, in order. A file of which segments were made ends where the first could."""
    segments = []
    head_end = None
    for entry in os.scandir(folder) if folder.is_dir() else ():
        name, _, numbers = entry.name.partition(".")
        head, _, start = numbers.partition(".")
        if name == stream and head.isdecimal() and start.isdecimal():
            with suppress(FileNotFoundError):
                size = entry.stat(follow_symlinks=False).st_size
                segments.append(_Part(Path(entry.path), int(start), int(start) + size))
                head_end = int(head)
    path = folder / stream
    with suppress(FileNotFoundError, NotADirectoryError):
        size = path.stat(follow_symlinks=False).st_size
        segments.append(_Part(path, 0, size if head_end is None else min(size, head_end)))
    return sorted(segments, key=lambda part: part.start)


def _opened(path: Path) -> BinaryIO:
    """Open a regular file; a link, a pipe or a device in its place counts as missing."""
    try:
        return open_plain(path, buffering=0)
    except OSError as error:
        raise FileNotFoundError(str(path)) from error


class _Joined(io.RawIOBase):
    """The parts of a stream as one file."""

    def __init__(self, folder: Path, stream: Stream) -> None:
        self._pieces: list[tuple[BinaryIO, int]] = []
        self._files = ExitStack()
        self._position = 0
        try:
            self._open_parts(_parts(folder, stream))
        except BaseException:
            self._files.close()
            raise
        self._size = sum(size for _, size in self._pieces)

    def _open_parts(self, parts: list[_Part]) -> None:
        end, at_line_start = 0, True
        for part in parts:
            if part.start > end:
                line = missing_line(part.start - end, at_line_start=at_line_start)
                self._pieces.append((io.BytesIO(line), len(line)))
            file = self._files.enter_context(_opened(part.path))
            size = part.end - part.start
            self._pieces.append((file, size))
            if size:
                file.seek(size - 1)
                at_line_start = file.read(1) == b"\n"
            end = part.end

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        start = 0
        for file, size in self._pieces:
            if self._position < start + size:
                file.seek(self._position - start)
                data = file.read(min(len(buffer), start + size - self._position))
                buffer[: len(data)] = data
                self._position += len(data)
                return len(data)
            start += size
        return 0

    def close(self) -> None:
        self._files.close()
        super().close()


class _Output(io.BufferedReader):
    """A stream whose lines have a bounded length."""

    def __init__(self, joined: _Joined, tail: int | None) -> None:
        super().__init__(joined, BLOCK_BYTES)
        if tail is not None:
            self.seek(max(0, self.seek(0, os.SEEK_END) - tail))

    def __next__(self) -> bytes:
        line = self.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        return line
