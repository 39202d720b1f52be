"""The commands of a repository, as a person reads them before trusting them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import block, stack
from gitorch.cli.terminal.style import TerminalStyle, stderr_style

_EACH_A_COMMAND = frozenset({"prepare.run", "prepare.copy"})
"""Settings that are a list of commands or paths; other lists are the words of one command."""


def commands(
    current: Mapping[str, Any], before: Mapping[str, Any] | None = None, *, terminal: TerminalStyle | None = None
) -> RenderableType:
    """Return a line for each command; what is new or gone since `before` is marked."""
    terminal = terminal or stderr_style()
    lines = [*_lines(current)]
    earlier = lines if before is None else [*_lines(before)]
    merged = [*lines, *(line for line in earlier if line not in lines)]
    # what is gone stands before what took its place
    merged.sort(key=lambda line: (_position(line[0], lines, earlier), line in lines))
    width = max((len(terminal.clean(name)) for name, _ in merged), default=0)
    rows = []
    for line in merged:
        sign, style = ("-", "red") if line not in lines else ("+", "green") if line not in earlier else (" ", "")
        name, command = (terminal.clean(part) for part in line)
        rows.append(block(f"{sign} {name.ljust(width)}  {command}", terminal, style) or Text(""))
    return stack(rows)


def _position(name: str, lines: list[tuple[str, str]], earlier: list[tuple[str, str]]) -> int:
    names = list(dict.fromkeys(name for name, _ in [*lines, *earlier]))
    return names.index(name)


def _lines(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name of each setting with its command."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _lines(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and name in _EACH_A_COMMAND:
        yield from ((name, str(item)) for item in value)
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        yield name, shlex.join(value)
    elif isinstance(value, list):
        for item in value:
            yield from _lines(item, name)
    else:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)
