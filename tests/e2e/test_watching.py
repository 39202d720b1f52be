"""The live board as a person has it: on a terminal, with a keyboard."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

from tests.support import forkserver
from tests.support.cli import Cli, Pipe, does, saved
from tests.support.terminal import NEEDED, SECONDS, terminal

_ENTER_SCREEN, _LEAVE_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
_HIDE_CURSOR, _SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


def test_impatience_leaves_the_terminal_as_it_was(repository_folder: Path) -> None:
    """Ctrl-C again and again, from any moment of the board: no traceback, and the screen and the cursor come back."""
    cli = Cli(repository_folder)
    cli("submit", "Work")
    for number in range(12):
        code, output = _hammered(cli, "watch", delay=number * 0.02)
        assert code in (0, 130), output
        assert b"Traceback" not in output
        assert output.count(_ENTER_SCREEN) == output.count(_LEAVE_SCREEN)
        assert output.rfind(_SHOW_CURSOR) >= output.rfind(_HIDE_CURSOR)


def _hammered(cli: Cli, *words: str, delay: float) -> tuple[int, bytes]:
    """Run a command on a terminal, with Ctrl-C each few milliseconds after a delay; return its exit code and output."""
    ours, theirs = pty.openpty()
    variables = {**cli.environment, "TERM": "xterm-256color"}
    process = forkserver.server().start(
        words, cwd=cli.folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    output, begin = b"", time.monotonic() + delay
    with contextlib.suppress(OSError):  # the other end is closed
        while True:
            if select.select([ours], [], [], 0.003)[0]:
                output += os.read(ours, 65_536)
            if time.monotonic() > begin:
                process.send_signal(signal.SIGINT)
    code = process.wait(SECONDS)
    os.close(ours)
    return code, output


def test_a_run_that_is_cut_off_gives_the_terminal_back(repository_folder: Path, tmp_path: Path) -> None:
    """The third Ctrl-C ends the process at once; typed keys are echoed again, and the cursor is there."""
    cli = Cli(repository_folder)
    ready, go = Pipe(tmp_path / "ready"), Pipe(tmp_path / "go")
    cli.queue(does("one", f"trap '' INT TERM; echo ready > {ready}; read word < {go}", id="one"))
    ours, theirs = pty.openpty()
    modes = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [sys.executable, "-m", "gitorch", "run"],
        cwd=cli.folder,
        env={**cli.environment, "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    output = b""
    while b"Ctrl-C stops" not in output:
        output += os.read(ours, 65_536)
    ready.line()
    assert termios.tcgetattr(theirs) != modes
    while process.poll() is None:
        if select.select([ours], [], [], 0.02)[0]:
            output += os.read(ours, 65_536)
        process.send_signal(signal.SIGINT)
    while select.select([ours], [], [], 0)[0]:
        output += os.read(ours, 65_536)
    assert process.returncode == 130
    assert termios.tcgetattr(theirs) == modes
    assert output.rfind(_SHOW_CURSOR) > output.rfind(_HIDE_CURSOR)
    os.close(ours)
    os.close(theirs)


def test_ctrl_c_during_the_start_is_no_traceback(tmp_path: Path) -> None:
    """What is imported before the command line can handle it may take a while on a slow disk."""
    (tmp_path / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    variables = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-m", "gitorch", "status"], env=variables, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


@NEEDED
def test_keys_do_not_tear_the_board(repository_folder: Path, tmp_path: Path) -> None:
    """What is typed while a run is shown leaves the picture whole; afterwards the terminal echoes again."""
    cli = Cli(repository_folder)
    ready, go = Pipe(tmp_path / "ready"), Pipe(tmp_path / "go")
    cli.queue(does("one", f"echo ready > {ready}; read word < {go}", saved("one.txt", "1"), id="one"))
    with terminal(tmp_path, cli.folder, cli.environment) as screen:
        screen.orchestrate("run")
        ready.line()
        screen.shows("0 of 1 done", "Ctrl-C stops the agents")
        for _ in range(5):
            screen.press("Enter")
        screen.type("echo typed $((6 * 7))")
        go.say()
        text = screen.shows("1 task finished", "typed 42")
        assert text.count("of 1 done") == 1
        screen.type("echo shown again")
        screen.shows("echo shown again", "shown again")
