"""A night as pages show it, and streams to print on."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any, TextIO

from gitorch.cli.terminal.render import render
from gitorch.cli.terminal.streams import Screen
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views import status
from gitorch.model.naming import Oid, TaskId
from gitorch.model.outcome import Usage
from gitorch.model.task import Attempt, CheckResult, Comment, Phase, Priority, State, Task
from tests.support.tasks import make_task

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 22, 7, 12, tzinfo=UTC)
BASE, TIP, MERGED = Oid("4bc72dc" + "0" * 33), Oid("9f3c21a" + "0" * 33), Oid("1d7be04" + "0" * 33)
HOSTILE = "\x1b[2J\u202eevil\x9b31m\r\n[/red]\u200b\U000e0041\udcff" + "Z\u0301" * 9


def a_task(name: str, number: int, state: State, **fields: Any) -> Task:
    return make_task(
        id=TaskId(name), number=number, title=name, prompt=name, state=state, branch=f"orch/{name}", **fields
    )


def an_attempt(number: int, seconds: float, usd: float | None = None, **fields: Any) -> Attempt:
    usage = Usage(usd=usd, input_tokens=420_000, output_tokens=9_000)
    defaults = {"agent": "claude", "phase": Phase.ENDED, "started": NOW - timedelta(hours=8), "ending": "completed"}
    return Attempt(number=number, seconds=seconds, usage=usage, **{**defaults, **fields})


def results(*exit_codes: int | None) -> tuple[CheckResult, ...]:
    known = (("test", "pytest -q", 43.0), ("lint", "ruff check .", 1.4))
    return tuple(
        CheckResult(name=name, command=command, tree=TIP, exit_code=code, seconds=seconds)
        for (name, command, seconds), code in zip(known, exit_codes, strict=False)
    )


NIGHT = [
    a_task("rate-limit", 3, State.FINISHED, attempts=2, attempt=an_attempt(2, 2298, 1.10), results=results(0, 0)),
    a_task("login-form", 4, State.FINISHED, attempts=1, attempt=an_attempt(1, 4500, 2.2), results=results(1, 0)),
    a_task("api-docs", 5, State.FINISHED, attempts=1, attempt=an_attempt(1, 1140, agent="codex")),
    a_task(
        "orders-api",
        6,
        State.CONFLICTED,
        attempts=1,
        attempt=an_attempt(1, 1860, 0.9),
        results=results(0, 0),
        reason="conflicts with auth-hash in src/auth.py",
    ),
    a_task("e2e-tests", 7, State.WAITING, attempts=1, attempt=an_attempt(1, 240, 0.06), reason="Which browser?"),
    a_task("upgrade-deps", 8, State.FAILED, attempts=2, attempt=an_attempt(2, 120, 0.02), reason="no changes"),
    a_task(
        "search-index",
        9,
        State.RUNNING,
        attempts=1,
        attempt=an_attempt(1, 0, phase=Phase.CHECKING, started=NOW - timedelta(minutes=12)),
    ),
    a_task(
        "dark-mode",
        10,
        State.WAITING,
        attempts=1,
        attempt=an_attempt(1, 720, 0.4),
        wake=NOW + timedelta(hours=2),
        reason="usage limit reached; goes on at 2026-11-22 09:12 UTC",
    ),
    a_task("db-schema", 1, State.APPROVED, attempts=1, attempt=an_attempt(1, 2511, 1.2), results=results(0, 0)),
    a_task(
        "auth-hash", 2, State.APPROVED, attempts=1, attempt=an_attempt(1, 1620, 0.44), results=results(0, 0), stale=True
    ),
    a_task("changelog", 11, State.QUEUED, after=("e2e-tests",)),
    a_task("release-notes", 12, State.QUEUED, after=("upgrade-deps", "db-schema"), priority=Priority.HIGH),
    a_task("typo-fixes", 13, State.QUEUED, attempts=1, attempt=an_attempt(1, 180, 0.1), comments=(Comment(text="x"),)),
    a_task(
        "old-thing", 14, State.MERGED, attempts=1, attempt=an_attempt(1, 180, 0.1), merged_as=TIP, results=results(0, 0)
    ),
    a_task("bad-idea", 15, State.REJECTED, attempts=1, attempt=an_attempt(1, 180, 0.1), reason="not what was meant"),
]
BY_NAME = {str(task.id): task for task in NIGHT}
DIFFS = {"rate-limit": (214, 31), "login-form": (402, 12), "api-docs": (96, 4), "db-schema": (120, 0)}
WHERE: dict[str, Any] = {"repository": "shop", "integration": "orch/integration", "tip": BASE}


def page(
    view: Callable[..., Any],
    *content: Any,
    width: int | None = None,
    terminal: TerminalStyle | None = None,
    **fields: Any,
) -> str:
    """Return what a view looks like on a terminal; by default where a program reads it."""
    terminal = terminal or TerminalStyle(width=width)
    renderable = view(*content, terminal=terminal, **fields)
    return "" if renderable is None else render(renderable, terminal)


def status_page(
    tasks: Sequence[Task],
    *,
    width: int | None = None,
    terminal: TerminalStyle | None = None,
    show_all: bool = False,
    **fields: Any,
) -> str:
    """Return the page of `status` with these tasks; `fields` are those of its board."""
    board = status.StatusBoard(tasks=tasks, **fields)
    return page(status.status, board, width=width, terminal=terminal, show_all=show_all, now=NOW)


def night(width: int | None, **fields: Any) -> str:
    return status_page(NIGHT, **WHERE, diffs=DIFFS, terminal=TerminalStyle(width=width, **fields))


def picture(text: str) -> str:
    return dedent(text).strip("\n")


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def a_stream(kind: type[io.TextIOWrapper] = io.TextIOWrapper, encoding: str = "utf-8") -> io.TextIOWrapper:
    return kind(io.BytesIO(), encoding=encoding, newline="")


def written(stream: TextIO) -> str:
    stream.flush()
    raw = getattr(stream, "buffer", None)
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()


def a_screen(**environment: str) -> Screen:
    return Screen(a_stream(Terminal), a_stream(Terminal), a_stream(Terminal), {"TERM": "xterm", **environment})
