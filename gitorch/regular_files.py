"""Read what should be a file: not a pipe, which would be waited for, nor a device, which has no end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

LARGEST_BYTES = 256_000_000
"""More than the state of a hundred thousand tasks, and less than what a machine has."""


def open_at_once(path: str | Path, flags: int = os.O_RDONLY, *, within: int | None = None) -> int:
    """Open a regular file without waiting, and return its descriptor; raise `OSError` if something else is there.

    The path starts `within` an open folder if one is given.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666, dir_fd=within)
    except OSError as error:
        if error.errno == errno.ENXIO:  # to write: a pipe that nobody reads, or a socket
            raise _in_the_way(path) from None
        raise
    if not stat.S_ISREG((status := os.fstat(descriptor)).st_mode):
        os.close(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise _in_the_way(path)
    return descriptor


def read(path: Path) -> bytes:
    """Return the content of a file; raise `OSError` if it is no regular file, or larger than any of gitorch's."""
    with os.fdopen(open_at_once(path), "rb") as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content


def open_plain(path: str | Path, *, within: int | None = None, buffering: int = -1) -> BinaryIO:
    """Open a file that another program may have replaced, as `open_at_once` does; a link is an `OSError`, too.

    `buffering` is that of `open`.
    """
    return os.fdopen(open_at_once(path, os.O_RDONLY | os.O_NOFOLLOW, within=within), "rb", buffering)


def read_start(path: Path, limit: int) -> bytes:
    """Return the first bytes of what `open_plain` opens."""
    with open_plain(path) as file:
        return file.read(limit)


def _in_the_way(path: str | Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, "a pipe or a device is in the place of the file", str(path))
