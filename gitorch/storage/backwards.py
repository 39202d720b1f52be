"""Read a log from its end."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from gitorch import regular_files

_BLOCK = 65_536
_MOST_BLOCKS = 250
"""What does not end within these is no line of a log: some program has made the file large."""


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the complete lines of a file with their offsets, last one first; reads blocks on demand.

    Raises `OSError` at a line of more than 16 MB.
    """
    try:
        file = os.fdopen(regular_files.open_at_once(path), "rb")
    except FileNotFoundError:
        return
    with file:
        start = file.seek(0, os.SEEK_END)
        offset = start + 1  # of the line end after the line that is read next
        parts: list[bytes] = []  # the blocks of a line whose start is not read yet, last one first
        is_complete = False
        while start:
            end, start = start, max(0, start - _BLOCK)
            file.seek(start)
            *pieces, first = reversed(file.read(end - start).split(b"\n"))
            for piece in pieces:
                line = b"".join(reversed([*parts, piece]))
                parts = []
                offset -= len(line) + 1
                if is_complete and line:
                    yield offset, line
                is_complete = True
            parts.append(first)
            if len(parts) > _MOST_BLOCKS:
                raise OSError(errno.EFBIG, "a line of it is too long", str(path))
        if is_complete and (line := b"".join(reversed(parts))):
            yield 0, line
