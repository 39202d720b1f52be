"""Read a process's standard error while something else is read: a full pipe would block the process."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from typing import IO


def start_drain(pipe: IO[bytes], chunks: deque[bytes]) -> threading.Thread:
    """Read a pipe in a thread, by a descriptor of its own; the last chunks of at most 4 kB are kept."""
    thread = threading.Thread(target=_drain, args=(os.dup(pipe.fileno()), chunks), daemon=True)
    thread.start()
    return thread


def _drain(descriptor: int, chunks: deque[bytes]) -> None:
    """Read a pipe to its end, keep the last chunks, and close it."""
    with suppress(OSError):
        while chunk := os.read(descriptor, 4_096):
            chunks.append(chunk)
    os.close(descriptor)
