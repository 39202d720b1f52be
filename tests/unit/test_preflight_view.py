"""The preflight on a terminal: problems first, never more than one screen."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from gitorch.cli.views.running.preflight import preflight
from gitorch.errors import SetupNeeded
from gitorch.flow.scheduling.run_limits import RunLimits
from gitorch.model.forecasts.run_forecast import RunForecast, Span
from gitorch.model.preflight import Level, Preflight, PreflightLine
from tests.support.pages import page, picture

_RED = PreflightLine(
    Level.WARNING,
    "checks fail on main 4bc72dc1: test (exit code 1); they will fail for every task that does not repair them",
    ("pytest -q   output: /home/user/shop/.git/gitorch/merges/8de0065bdafc/0d959b90b12214f69-1/check-test/stdout",),
)
_LINES = (
    PreflightLine(Level.OK, "git 2.39.5, 41 GB of disk free, tasks start on main"),
    PreflightLine(Level.OK, "ready: claude 2.1.332 for 7 tasks"),
    _RED,
    PreflightLine(Level.WARNING, "worktrees will lack .env, which git ignores", ("prepare.copy = ['.env']",)),
)
_FORECAST = RunForecast(seconds=Span(14_400, 21_600), usd=Span(6.1, 11.2), tokens=Span(1, 2), samples=12, nights=4)


def shown(width: int, result: Preflight, **limits: object) -> str:
    return page(preflight, result, msgspec.convert(limits, RunLimits), width=width)


def test_the_preflight_at_80_columns() -> None:
    until = datetime(2026, 11, 30, 7, tzinfo=UTC).astimezone()
    result = Preflight(lines=_LINES, tasks=7, forecast=_FORECAST)
    assert shown(80, result, until=until, budget=15.0) == picture(f"""
        Preflight
          ▲ checks fail on main 4bc72dc1: test (exit code 1); they will fail for every
            task that does not repair them
            pytest -q   output:
            /home/user/shop/.git/gitorch/merges/8de0065bdafc/0d959b90b12214f69-1/check-t
            est/stdout
          ▲ worktrees will lack .env, which git ignores
            prepare.copy = ['.env']
          ✓ git 2.39.5, 41 GB of disk free, tasks start on main
          ✓ ready: claude 2.1.332 for 7 tasks
          · 7 tasks, 3 at a time · about 4h00m to 6h00m and $6.10 to $11.20, as 12
            earlier tasks did · until {until:%H:%M} · at most $15.00
    """)


@pytest.mark.parametrize("width", [80, 160])
def test_whatever_is_wrong_fits_on_one_screen(width: int) -> None:
    """Long messages are cut, and what has no room is named."""
    lines = [PreflightLine(Level.ERROR, f"problem {number} " + "x " * 400, ("fix it",) * 5) for number in range(9)]
    text = shown(width, Preflight(lines=(*lines, *_LINES), tasks=3, error=SetupNeeded("login", "not logged in")))
    rows = text.splitlines()
    assert len(rows) < 24
    assert all(len(row) <= width for row in rows)
    assert "more: orchestrate doctor" in rows[-1]


@pytest.mark.parametrize(("nights", "words"), [(1, "of 1 night are"), (2, "of 2 nights are"), (3, "of 3 nights are")])
def test_few_nights_are_said(nights: int, words: str) -> None:
    """A range from few nights says that it is rough, and why; one from four does not."""
    few = msgspec.structs.replace(_FORECAST, nights=nights)
    text = shown(160, Preflight(lines=(), tasks=7, forecast=few))
    assert f"roughly 4h00m to 6h00m and $6.10 to $11.20: 12 earlier tasks {words} known, which is little" in text
    assert "little" not in shown(160, Preflight(lines=(), tasks=7, forecast=_FORECAST))


def test_too_few_earlier_tasks_are_said() -> None:
    assert "no forecast: fewer than 5 earlier tasks are like one of these" in shown(160, Preflight(lines=(), tasks=1))
