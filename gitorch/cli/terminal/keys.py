"""Single keys of a person at the terminal. What is typed ahead is kept: `click.getchar` would throw it away."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty

INTERRUPTS = ("\x03", "\x04", "")
"""Ctrl-C, Ctrl-D, and the end of the input."""

_ESCAPE = b"\x1b"
_SECONDS = 0.05
"""How long the rest of an escape sequence may take."""


def read_key() -> str:
    """Wait for one key and return it: a character, or the sequence of a special key."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor, termios.TCSADRAIN)
    try:
        return _key(descriptor).decode("utf-8", "replace")
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _key(descriptor: int) -> bytes:
    first = os.read(descriptor, 1)
    if first == _ESCAPE and select.select([descriptor], [], [], _SECONDS)[0]:
        return first + os.read(descriptor, 31)
    following = {0xC: 1, 0xD: 1, 0xE: 2, 0xF: 3}.get(first[0] >> 4, 0) if first else 0
    return first + b"".join(os.read(descriptor, 1) for _ in range(following))
