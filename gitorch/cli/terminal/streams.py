"""The two streams of the command line: the answer on one, the narration on the other, and what each can show."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from gitorch.cli.terminal.layout import Look, paint
from gitorch.cli.terminal.sanitize import safe_block

if TYPE_CHECKING:
    from rich.console import Console

_UNKNOWN_WIDTH = 80
_UNKNOWN_HEIGHT = 24
_SYMBOLS = "❯✗✓▶◔≠↺●–↳…▲├└│━"  # noqa: RUF001
# a dumb terminal may show anything; the console of Linux has no glyphs for the symbols
_PLAIN_TERMINALS = ("dumb", "linux")


class Screen:
    """Where a command prints: answers to `stdout`, narration to `stderr`.

    `quiet` keeps back the narration, `verbose` (0, 1, 2) shows more of it. `interactive` tells whether a person sits
    before it, so that questions, live boards and pagers make sense.
    """

    def __init__(
        self,
        stdin: TextIO,
        stdout: TextIO,
        stderr: TextIO,
        environment: Mapping[str, str],
        *,
        quiet: bool = False,
        verbose: int = 0,
    ) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.environment = environment
        self.quiet = quiet
        self.verbose = verbose
        self.out = look(stdout, environment)
        self.err = look(stderr, environment)
        self.animated = stdout.isatty() and environment.get("TERM", "dumb") != "dumb"
        self.interactive = stdin.isatty() and stdout.isatty()

    @classmethod
    def of_process(cls, *, quiet: bool = False, verbose: int = 0) -> Screen:
        """Return the screen of this process's own streams."""
        return cls(sys.stdin, sys.stdout, sys.stderr, os.environ, quiet=quiet, verbose=verbose)

    def answer(self, text: str) -> None:
        """Print what was asked for, in one write."""
        _write(self.stdout, self.out, text)

    def say(self, text: str) -> None:
        """Tell what happens."""
        if not self.quiet:
            _write(self.stderr, self.err, text)

    @cached_property
    def fleeting(self) -> bool:
        """Whether what is told can be taken away again: the narration goes to a terminal."""
        return self.stderr.isatty() and self.environment.get("TERM", "dumb") != "dumb"

    def passing(self, text: str) -> None:
        """Tell what happens just now: on a terminal in one line that the next call takes away, else line by line."""
        if not self.fleeting:
            if text:
                self.say(text)
        elif not self.quiet:
            self.stderr.write("\r\x1b[2K" + text.encode(self.err.charset, "backslashreplace").decode(self.err.charset))
            self.stderr.flush()

    def detail(self, text: str) -> None:
        """Tell what only a curious reader wants to know (`-v`)."""
        if self.verbose:
            _write(self.stderr, self.err, text)

    def warn(self, text: str) -> None:
        """Say what the user has to know, even when quiet."""
        mark = self.err.pick("▲", "!")
        _write(self.stderr, self.err, paint([[(f"{mark} ", "yellow"), (safe_block(text), "")]], self.err))

    @cached_property
    def console(self) -> Console:
        """The rich console of stdout, for live boards."""
        return _console(self.stdout, self.out, animated=self.animated)


def of_stdout() -> Look:
    """Return what the answer of this process may look like."""
    return look(sys.stdout, os.environ)


def of_stderr() -> Look:
    """Return what the narration of this process may look like."""
    return look(sys.stderr, os.environ)


def look(stream: TextIO, environment: Mapping[str, str]) -> Look:
    """Decide what a stream can show: colour, symbols, and its width in cells (None: as wide as it takes)."""
    terminal = stream.isatty()
    charset = _charset(stream)
    width, height = _measured(stream, environment) if terminal else (None, _UNKNOWN_HEIGHT)
    return Look(
        width=width,
        height=height,
        colour=_is_coloured(terminal, environment),
        symbols=_takes(charset, _SYMBOLS) and not (terminal and environment.get("TERM") in _PLAIN_TERMINALS),
        charset=charset,
    )


def _is_coloured(terminal: bool, environment: Mapping[str, str]) -> bool:
    """Tell whether to colour, as no-color.org and force-color.org say; the one that takes colour away wins."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return terminal and environment.get("TERM", "dumb") != "dumb"


def _measured(stream: TextIO, environment: Mapping[str, str]) -> tuple[int, int]:
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns, rows = 0, 0
    return (
        _number(environment.get("COLUMNS")) or columns or _UNKNOWN_WIDTH,
        _number(environment.get("LINES")) or rows or _UNKNOWN_HEIGHT,
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and text.isascii() else 0


def _charset(stream: TextIO) -> str:
    return codecs.lookup(stream.encoding or "ascii").name


def _takes(charset: str, text: str) -> bool:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _write(stream: TextIO, shown: Look, text: str) -> None:
    """Write a text and its line end at once; characters that the stream cannot take are escaped."""
    stream.write((text + "\n").encode(shown.charset, "backslashreplace").decode(shown.charset))
    stream.flush()


def _console(stream: TextIO, shown: Look, *, animated: bool) -> Console:
    from rich.console import Console

    return Console(
        file=stream,
        width=None if animated else shown.width,  # a terminal is measured anew for each picture
        force_terminal=animated,
        no_color=not shown.colour,
        color_system="standard" if shown.colour else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
