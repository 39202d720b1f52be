"""The two streams of the command line: the answer goes to stdout, the narration to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from gitorch.cli.terminal.line_breaks import broken_between_words
from gitorch.cli.terminal.style import TerminalStyle, can_animate, style_of

if TYPE_CHECKING:
    from rich.console import RenderableType


class Screen:
    """Where a command prints: answers to `stdout`, narration to `stderr`.

    `quiet` hides the narration, `verbose` (0, 1, 2) shows more of it. Narration that cannot be written is dropped, and
    ends no command. `interactive` says whether a person can answer, so that questions, live boards and pagers make
    sense.
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
        self.quiet = quiet
        self.verbose = verbose
        self.out = style_of(stdout, environment)
        self.err = style_of(stderr, environment)
        self.out_is_live = can_animate(stdout, environment)
        self.err_is_live = can_animate(stderr, environment)
        self.interactive = stdin.isatty() and stdout.isatty()
        self._is_mute = False

    @classmethod
    def of_process(cls, *, quiet: bool = False, verbose: int = 0) -> Screen:
        """Return the screen of this process's own streams."""
        return cls(sys.stdin, sys.stdout, sys.stderr, os.environ, quiet=quiet, verbose=verbose)

    def answer(self, content: RenderableType) -> None:
        """Print the answer to stdout, in one write; a string is printed as it is."""
        _write(self.stdout, self.out, content)

    def say(self, content: RenderableType) -> None:
        """Print narration to stderr, unless quiet."""
        if not self.quiet:
            self._narrate(content)

    def detail(self, content: RenderableType) -> None:
        """Print narration that only `-v` asks for."""
        if self.verbose:
            self._narrate(content)

    def warn(self, text: str) -> None:
        """Print a warning, even when quiet."""
        # 70 ms (rich); most commands have nothing to warn of
        from gitorch.cli.terminal.blocks import warning

        self.alert(warning(text, self.err))

    def alert(self, content: RenderableType) -> None:
        """Print to stderr what the user has to know, even when quiet."""
        self._narrate(content)

    def _narrate(self, content: RenderableType) -> None:
        """Print to stderr; once its reader is gone or its disk is full, a night goes on without narration."""
        if self._is_mute:
            return
        if isinstance(content, str) and self.err.width is not None:
            content = broken_between_words(content, self.err.width)
        try:
            _write(self.stderr, self.err, content)
        except OSError:
            self._is_mute = True


def _write(stream: TextIO, terminal: TerminalStyle, content: RenderableType) -> None:
    """Write content and its line end at once, with escapes for the characters that the stream cannot encode."""
    if isinstance(content, str):
        text = content
    else:
        # 70 ms (rich) that plain text and JSON do without
        from gitorch.cli.terminal.render import render

        text = render(content, terminal)
    stream.write((text + "\n").encode(terminal.charset, "backslashreplace").decode(terminal.charset))
    stream.flush()
