"""What preparations and checks have in common: command lines of the configuration, and keys for repeated executions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator


def shell(command: str) -> tuple[str, ...]:
    """Return how to run a command line: both of its outputs go to standard output, in the order of writing."""
    return ("/bin/sh", "-c", f"exec 2>&1\n{command}")


def command_line(argv: tuple[str, ...]) -> str:
    """Return the command line that `shell` was given; empty for any other argument list."""
    return argv[-1].partition("\n")[2]


def numbered(key: str) -> Iterator[str]:
    """Yield `key`, `key-2`, `key-3`, ... without end."""
    yield key
    for number in itertools.count(2):
        yield f"{key}-{number}"
