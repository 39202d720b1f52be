"""Ctrl-C while a terminal is set up or restored."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Answer Ctrl-C at the end of this block: half of it would leave the terminal unusable."""
    if threading.current_thread() is not threading.main_thread():  # only that one sets handlers, and is interrupted
        yield
        return
    waiting: list[FrameType | None] = []
    handler = signal.signal(signal.SIGINT, lambda _number, frame: waiting.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if waiting and callable(handler):
            handler(signal.SIGINT, waiting[0])
