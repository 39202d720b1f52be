"""`watch -i`: each key runs the command of the same name on the selected task, and nothing else."""

from __future__ import annotations

import asyncio

import pytest
from rich.cells import cell_len
from textual.binding import Binding

from gitorch.cli.commands.watch_app import ALL_KEYS, HINT, WatchApp
from gitorch.cli.terminal.render import render
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views.running.board import Board, Details
from tests.support.pages import NIGHT, NOW


def pressed(*keys: str, width: int = 80) -> tuple[list[list[str]], Board]:
    """Return what was run after some keys, and the board."""
    board = Board(TerminalStyle(), hint=HINT)
    ran: list[list[str]] = []
    tasks = {task.id: task for task in NIGHT}
    app = WatchApp(
        board, lambda: tasks, lambda _tasks: Details(), interval=60, run=lambda _app, words: ran.append(words)
    )

    async def press() -> None:
        async with app.run_test(size=(width, 24)) as pilot:
            await pilot.press(*keys)

    asyncio.run(press())
    return ran, board


def test_a_key_runs_the_command_of_its_name() -> None:
    """The first task is selected; arrows and j, k move; at the ends nothing moves."""
    order = pressed()[1].order
    assert pressed("d", "down", "l", "j", "a", "up", "k", "k", "enter", "m")[0] == [
        ["diff", order[0]],
        ["log", order[1]],
        ["approve", order[2]],
        ["review", order[0]],
        ["merge"],
    ]
    ran = pressed(*"vicestrxKgyo", "u", "p")[0]
    assert [" ".join(words).replace(f" {order[0]}", "") for words in ran] == [
        *("diff --viewer", "diff --since-review", "comment", "review -e", "task", "check", "revise", "reject"),
        *("kill", "resume", "retry", "preview", "undo", "report"),
    ]


def test_all_keys_are_explained() -> None:
    """`?` shows them all, and hides them again; each key that runs something is named."""
    assert pressed("?")[1].hint == ALL_KEYS
    assert pressed("?", "?")[1].hint == HINT
    named = {word.split()[0] for line in ALL_KEYS.splitlines() for word in line.split(" · ")}
    keys = {binding.key for binding in WatchApp.BINDINGS if isinstance(binding, Binding)}
    assert named == (keys - {"up,k", "down,j", "q,ctrl+c", "question_mark", "enter"}) | {"?", "Enter"}


@pytest.mark.parametrize("width", [40, 80, 160])
def test_the_selected_task_is_on_the_screen(width: int) -> None:
    """However many tasks there are, the pointer is in sight, and no line is too wide."""
    board = Board(TerminalStyle(), hint=ALL_KEYS)
    board.publish({task.id: task for task in NIGHT})
    for name in board.order:
        board.selected = name
        lines = render(board.frame(NOW, width, 14), TerminalStyle(width=width)).splitlines()
        (line,) = [line for line in lines if line.startswith("→")]
        assert name[:8] in line
        assert max(map(cell_len, lines)) <= width
