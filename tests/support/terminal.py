"""A terminal with a person before it: `tmux` on a socket of its own."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

NEEDED = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: apt-get install tmux")
SECONDS = 300.0


class Terminal:
    """A shell in a pane. What was typed and shown so far stays readable; `strokes` counts the pressed keys."""

    def __init__(
        self, folder: Path, cwd: Path, environment: Mapping[str, str], size: tuple[int, int] = (160, 50)
    ) -> None:
        # a socket's path may have no more than some hundred bytes
        self.socket = f"gitorch-{os.getpid()}-{os.urandom(4).hex()}"
        self.folder = folder
        settings = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
        # exec: the person's own shell, which tmux asks to start it, must not stay between the pane and this one
        command = ("-c", str(cwd), *settings, "exec sh")
        columns, rows = map(str, size)
        self.strokes = 0
        self._tmux("-f", os.devnull, "new-session", "-d", "-x", columns, "-y", rows, *command)
        self._tmux("set-option", "-g", "history-limit", "5000")

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-L", self.socket, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS).stdout

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        self.strokes += len(line) + 1
        self._tmux("send-keys", "-l", "--", line)
        self._tmux("send-keys", "Enter")

    def press(self, key: str) -> None:
        """Press a key by its name in tmux: `C-c`, `Tab`."""
        self.strokes += 1
        self._tmux("send-keys", key)

    def orchestrate(self, *words: str) -> None:
        """Type a command of ours."""
        self.type(shlex.join([sys.executable, "-m", "gitorch", *words]))

    @property
    def text(self) -> str:
        """All that is and was on the screen, lines that were wrapped joined."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-")

    @property
    def styled(self) -> str:
        """The same, with the styles as escape sequences."""
        return self._tmux("capture-pane", "-p", "-e", "-J", "-S", "-")

    @property
    def screen(self) -> list[str]:
        """The lines that are on the screen now, as they are broken."""
        return self._tmux("capture-pane", "-p").rstrip("\n").split("\n")

    def clear(self) -> None:
        """Forget what was shown."""
        self._tmux("send-keys", "-R")
        self._tmux("clear-history")

    def shows(self, *words: str) -> str:
        """Wait until all of these are on the screen, in this order, and return what is there."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            text = self.text
            at = 0
            for word in words:
                at = text.find(word, at) + len(word) if at >= 0 and word in text[at:] else -1
            if at >= 0:
                return text
            time.sleep(0.05)  # a terminal tells nobody that it has changed
        raise AssertionError(f"{words} not shown within {SECONDS} s:\n{self.text}")

    def settled(self, *words: str) -> list[str]:
        """Wait until all of these were shown, the last one at the end, and return the screen."""
        self.shows(*words)
        end = time.monotonic() + SECONDS
        while not self.text.rstrip().endswith(words[-1].rstrip()) and time.monotonic() < end:
            time.sleep(0.05)
        return self.screen

    def kill_program(self) -> None:
        """Kill what runs in the pane, as if the machine had."""
        shell = psutil.Process(int(self._tmux("display-message", "-p", "#{pane_pid}")))
        for child in shell.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """End the terminal and all that runs in it."""
        subprocess.run(["tmux", "-L", self.socket, "kill-server"], check=False, capture_output=True)


@contextlib.contextmanager
def terminal(
    folder: Path, cwd: Path, environment: Mapping[str, str], size: tuple[int, int] = (160, 50)
) -> Iterator[Terminal]:
    """Open a terminal of so many columns and rows for the time of the block."""
    opened = Terminal(folder, cwd, {**environment, "TERM": "screen-256color"}, size)
    try:
        yield opened
    finally:
        opened.close()
