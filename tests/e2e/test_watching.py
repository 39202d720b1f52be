"""The live board as a person has it: on a terminal, with a keyboard."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import Cli, Pipe, does, saved
from tests.support.terminal import NEEDED, terminal

pytestmark = NEEDED


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
