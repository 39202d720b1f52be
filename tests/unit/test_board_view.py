# ruff: noqa: RUF001 (pictures are as wide as they are, and show the symbols)
"""The live board: it fits, follows the work, and leaves the terminal as it was."""

from __future__ import annotations

import operator
import re
import threading
from collections.abc import Generator
from datetime import timedelta
from typing import TextIO

import msgspec
import pytest
from rich.cells import cell_len
from rich.segment import Segment

from gitorch.cli.terminal.render import console_for, render
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views.running.board import Board, Details, Tasks
from gitorch.cli.views.running.live import follow, watch
from gitorch.errors import InvalidInput
from gitorch.model.naming import TaskId
from gitorch.model.task import PastAttempt, Phase, State, Task, by_id
from gitorch.services.past.attempt_steps import AttemptStep
from gitorch.storage.run_records import RunRecord
from tests.support.pages import BY_NAME, NIGHT, NOW, a_screen, a_stream, a_task, an_attempt, picture, written


def shown(board: Board, width: int, height: int) -> str:
    return render(board.frame(NOW, width, height), TerminalStyle(width=width))


def a_board() -> Board:
    board = Board(TerminalStyle(), started=NOW - timedelta(hours=5, minutes=8), hint="Ctrl-C ends the watching")
    board.publish({task.id: task for task in NIGHT})
    board.details = Details({TaskId("search-index"): "Bash pytest tests/search -q"})
    return board


def test_the_board() -> None:
    """Who works comes first, what is over last, the rest is counted."""
    assert shown(a_board(), 100, 15) == picture("""
        07:12:00  5h08m  ━━━━━━━━━━━━━━━━━━━━━━━                  9 of 15 done · $6.62 + 858k tok (no price)

           Task          State         Took  Checks  23:12    07:12  Activity
        ▶  search-index  running     12m00s          ·············━  Bash pytest tests/search -q
        ?  e2e-tests     waiting      4m00s          ━               answer: Which browser?
        ◔  dark-mode     waiting     12m00s          ━·············  resumes at 09:12: usage limit reached
        ✗  upgrade-deps  failed       2m00s          ━               retry: no changes
        ≠  orders-api    conflicted  31m00s  ✓ 2/2   ━               retry: conflicts with auth-hash in src…
        ❯  rate-limit    finished    38m18s  ✓ 2/2   ━               review
        …  2 to review, 2 to merge, 3 queued, 1 merged, 1 dropped more
        · waits   ━ agent

        3 to review · 1 in conflict · 1 with a question · 1 failed · 1 running · 1 rate-limited · 2 to merg…
        Ctrl-C ends the watching
        """)


def test_the_board_of_a_run_shows_its_limits() -> None:
    """How many agents work and may work, the budget, and until when tasks start; nothing of a run that has ended."""
    board = a_board()
    until = NOW + timedelta(hours=2)
    board.details = Details(run=RunRecord(started=NOW, max_agents=4, budget=15.0, until=until))
    assert "1 of at most 4 agents at work · budget $15.00 · starts tasks until 09:12" in shown(board, 100, 20)
    board.details = Details(run=RunRecord(started=NOW, max_agents=1))
    assert "1 of at most 1 agent at work\n" in shown(board, 100, 20)
    board.details = Details()
    assert "at work" not in shown(board, 100, 20)


def a_run(symbols: bool = True) -> Board:
    """Return the board of a run of eleven hours, with a task of each kind of wait and work."""
    board = Board(TerminalStyle(symbols=symbols), started=NOW)
    working = an_attempt(2, 0, phase=Phase.WORKING, started=NOW - timedelta(hours=3))
    working = msgspec.structs.replace(working, seconds=None)
    failed = PastAttempt(
        number=1, agent="claude", outcome="crashed", started=NOW - timedelta(hours=9), seconds=2 * 3600
    )
    limited = an_attempt(1, 3600, outcome="limited", started=NOW - timedelta(hours=11))
    checked = an_attempt(1, 6 * 3600, outcome="finished", started=NOW - timedelta(hours=7))
    board.publish(
        by_id(
            [
                a_task("again", 1, State.RUNNING, attempts=2, past=(failed,), attempt=working),
                a_task("limit", 2, State.WAITING, attempts=1, attempt=limited, wake=NOW + timedelta(hours=1)),
                a_task("checked", 3, State.FINISHED, attempts=1, attempt=checked),
                a_task("queued", 4, State.QUEUED, created=NOW - timedelta(hours=2)),
            ]
        )
    )
    hour = (NOW - timedelta(hours=7)).timestamp()
    steps = (
        AttemptStep(1, "prepare-1", hour, hour + 3600),
        AttemptStep(1, "agent-1", hour + 3600, hour + 4 * 3600),
        AttemptStep(1, "clean-1-ab/test", hour + 4 * 3600, None),
    )
    run = RunRecord(started=NOW - timedelta(hours=11), max_agents=2)
    board.details = Details(steps={TaskId("checked"): steps}, run=run)
    return board


def test_a_timeline_tells_waits_and_work_apart_without_colour() -> None:
    """Failed attempts, waits for a limit, preparation, checks: each has a character, which a legend explains."""
    lines = shown(a_run(), 80, 20).splitlines()
    column = lines[2].index("20:12 07:12")
    bars = {line.split()[1]: line[column : column + 11].rstrip() for line in lines[3:7]}
    assert bars == {
        "again": "··xx····━━━",
        "limit": "━┄┄┄┄┄┄┄┄┄┄",
        "checked": "····╌━━━▒▒",
        "queued": "         ··",
    }
    assert lines[7] == "· waits   ┄ limit   ╌ prepares   ━ agent   ▒ checks   x failed"
    ascii_lines = render(a_run(symbols=False).frame(NOW, 80, 20), TerminalStyle(width=80, symbols=False))
    assert "..xx....===" in ascii_lines
    assert "=~~~~~~~~~~" in ascii_lines
    assert "....-===##" in ascii_lines
    assert ascii_lines.isascii()


def test_a_short_attempt_is_on_a_long_timeline() -> None:
    """Two minutes of a night of ten hours have a cell."""
    board = a_board()
    assert re.search(r"upgrade-deps +failed +━ +retry", shown(board, 80, 24))


def test_a_terminal_without_room_has_no_timeline() -> None:
    """What a task does now is more important; and a low terminal has no legend."""
    assert "07:12 " not in shown(a_run(), 50, 20).partition("Task")[2]
    low = shown(a_run(), 80, 12)
    assert "··xx····━━━" in low
    assert "┄ limit" not in low


@pytest.mark.parametrize("height", [6, 10, 14, 24, 60])
@pytest.mark.parametrize("width", [30, 50, 80, 140])
def test_a_board_fits_its_terminal(width: int, height: int) -> None:
    """Whatever the size, no line is too wide; from eight lines on, none is too many."""
    lines = shown(a_board(), width, height).splitlines()
    assert len(lines) <= max(height, 9)
    assert max(map(cell_len, lines)) <= width


def test_following_returns_what_the_work_returns() -> None:
    """`follow` carries the changes to their end, shows the last state, and hands on the result."""
    screen = a_screen(COLUMNS="100")
    tasks: dict[TaskId, Task] = {}

    def changes() -> Generator[list[Task], None, int]:
        yield []
        tasks[TaskId("db-schema")] = BY_NAME["db-schema"]
        return 42

    assert follow(changes(), lambda: tasks, interval=0.01, screen=screen) == 42
    assert "db-schema" in written(screen.stdout)


def test_following_hands_on_errors_and_gives_the_terminal_back() -> None:
    """An error of the work comes through, after the cursor has been shown again."""
    screen = a_screen()

    def changes() -> Generator[list[Task], None, int]:
        yield []
        raise InvalidInput("x", "broken")

    with pytest.raises(InvalidInput):
        follow(changes(), dict, screen=screen)
    assert written(screen.stdout).rstrip().endswith("\x1b[?25h")


def test_following_shows_what_agents_do_while_nothing_changes() -> None:
    """What an agent does now reaches the terminal while the work waits for its next change."""
    screen = a_screen(COLUMNS="120")
    asked = threading.Event()

    def read(tasks: Tasks) -> Details:
        asked.set()
        return Details(dict.fromkeys(tasks, "Bash pytest\x1b[2J"))

    def changes() -> Generator[list[Task], None, None]:
        yield []
        assert asked.wait(300)
        assert _appears(screen.stdout, "Bash pytest\\x1b[2J")

    follow(changes(), lambda: {TaskId("search-index"): BY_NAME["search-index"]}, read, interval=0.01, screen=screen)


def test_only_the_owning_thread_reads_the_tasks() -> None:
    """The thread that reads details gets a snapshot: it neither calls for tasks nor sees a later change of them."""
    tasks = {TaskId("search-index"): BY_NAME["search-index"]}
    owners: set[int] = set()
    snapshots: list[tuple[int, Tasks, Tasks]] = []
    is_read = threading.Event()

    def current() -> Tasks:
        owners.add(threading.get_ident())
        return tasks

    def read(snapshot: Tasks) -> Details:
        snapshots.append((threading.get_ident(), snapshot, dict(snapshot)))
        is_read.set()
        return Details()

    def changes() -> Generator[list[Task], None, None]:
        yield []
        assert is_read.wait(300)
        tasks[TaskId("db-schema")] = BY_NAME["db-schema"]
        is_read.clear()
        assert is_read.wait(300)

    follow(changes(), current, read, interval=0.01, screen=a_screen())
    assert owners == {threading.get_ident()}
    assert all(reader not in owners for reader, _, _ in snapshots)
    assert all(snapshot == copy for _, snapshot, copy in snapshots), "a snapshot changed after it was published"
    assert len(snapshots[0][1]) == 1


def _appears(stream: TextIO, text: str) -> bool:
    """Wait until a text was drawn: a frame is at most a quarter of a second away."""
    pause = threading.Event()
    return any(text in written(stream) or pause.wait(0.05) for _ in range(6_000))


def test_watching_leaves_the_terminal_as_it_was() -> None:
    """`watch` draws on the other screen of the terminal and comes back from it."""
    screen = a_screen()
    stop = threading.Event()
    stop.set()
    watch(lambda: by_id(BY_NAME.values()), screen=screen, stop=stop)
    text = written(screen.stdout)
    assert "rate-limit" in text
    assert text.index("\x1b[?1049h") < text.index("rate-limit") < text.rindex("\x1b[?1049l")


def test_a_board_without_colour_sends_no_colour() -> None:
    """With NO_COLOR the board still moves, and has no styles."""
    screen = a_screen(NO_COLOR="1")
    stop = threading.Event()
    stop.set()
    watch(lambda: by_id(BY_NAME.values()), screen=screen, stop=stop)
    assert not re.findall(r"\x1b\[[\d;]*m", written(screen.stdout))


def test_a_board_is_drawn_anew_for_each_change_only() -> None:
    """Within a second, the same board is the same segments; another selection or detail is another picture."""
    board, console = a_board(), console_for(a_stream(), TerminalStyle(width=100), live=True)

    def drawn() -> list[Segment]:
        return [*console.render(board, console.options.update(width=100))]

    assert any(all(map(operator.is_, *pair)) for pair in (([*drawn()], [*drawn()]) for _ in range(5)))
    before = drawn()
    board.details = Details({TaskId("search-index"): "something else"})
    assert "something else" in "".join(segment.text for segment in drawn())
    board.selected = TaskId("rate-limit")
    assert "→" in "".join(segment.text for segment in drawn())
    assert before != drawn()


def test_a_run_counts_its_own_tasks() -> None:
    """What earlier runs have finished is on the board, and not among what this run has done."""
    old = a_task("old", 1, State.FINISHED)
    board = Board(TerminalStyle(), started=NOW, of_run=True)
    board.publish(by_id([old, a_task("new", 2, State.QUEUED), a_task("taken-over", 3, State.RUNNING)]))
    assert "0 of 2 done" in shown(board, 80, 24)
    board.publish(by_id([old, a_task("new", 2, State.FINISHED), a_task("taken-over", 3, State.FINISHED)]))
    assert "2 of 2 done" in shown(board, 80, 24)


def test_a_watcher_counts_the_tasks_of_the_run_that_goes_on() -> None:
    """It may have begun to watch after some of them had ended; without a run it counts all."""
    before, after = NOW - timedelta(hours=8), NOW - timedelta(hours=1)
    old = a_task("old", 1, State.FINISHED, attempt=an_attempt(1, 60, started=before))
    new = a_task("new", 2, State.FINISHED, attempt=an_attempt(1, 60, started=after))
    board = Board(TerminalStyle())
    board.publish(by_id([old, new, a_task("next", 3, State.QUEUED)]))
    assert "2 of 3 done" in shown(board, 80, 24)
    board.details = Details(run=RunRecord(started=NOW - timedelta(hours=2)))
    assert "1 of 2 done" in shown(board, 80, 24)
