"""The preflight of a run, on one screen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import bullets, fitted, prose, stack
from gitorch.cli.terminal.style import Span, TerminalStyle, stdout_style
from gitorch.cli.views import quantities
from gitorch.flow.scheduling.run_limits import RunLimits
from gitorch.model.forecasts.run_forecast import MIN_SAMPLES, RunForecast, Span as Range
from gitorch.model.preflight import Level, Preflight, PreflightLine

_MARKS: dict[Level, tuple[str, str, str]] = {
    Level.OK: ("✓", "+", "green"),
    Level.NOTE: ("·", "-", "dim"),
    Level.WARNING: ("▲", "!", "bold yellow"),
    Level.ERROR: ("✗", "x", "bold red"),
}
_MAX_FIXES = 2
_MAX_ROWS = 17
"""Rows of a terminal of 24 that the lines may take: the plan, the prompt and an error need the others."""
_MAX_TEXT = 150
_WIDTH = 76
_OUTPUT = "output: /"


def preflight(result: Preflight, limits: RunLimits, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return what was looked at, problems first, and what the run will take."""
    terminal = terminal or stdout_style()
    order = (Level.ERROR, Level.WARNING, Level.NOTE, Level.OK)
    ordered = sorted(result.lines, key=lambda line: order.index(line.level))
    row_count = _count_that_fits(ordered)
    hidden = len(ordered) - row_count
    rows = [row for line in ordered[:row_count] for row in _rows(line, terminal)]
    if hidden > 0:
        rows.append((("", ""), Text(f"and {hidden} more: orchestrate doctor", "dim")))
    if result.error is None:
        rows.append((_mark(Level.NOTE, terminal), prose(_plan(result, limits, terminal))))
    return stack([Text("Preflight", "bold"), bullets(rows, indent=2)])


def _count_that_fits(lines: Sequence[PreflightLine]) -> int:
    heights = (
        -(-min(len(line.text), _MAX_TEXT) // _WIDTH) + sum(_fix_height(fix) for fix in line.fix[:_MAX_FIXES])
        for line in lines
    )
    return sum(total <= _MAX_ROWS for total in itertools.accumulate(heights))


def _rows(line: PreflightLine, terminal: TerminalStyle) -> Sequence[tuple[Span, RenderableType]]:
    text = terminal.clean(line.text)
    excerpt = text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 3]}..."
    style = "red" if line.level is Level.ERROR else ""
    fixes = [_fix(terminal.clean(fix)) for fix in line.fix[:_MAX_FIXES]]
    return [(_mark(line.level, terminal), prose((excerpt, style))), *((("", ""), fix) for fix in fixes)]


def _fix_height(fix: str) -> int:
    _, output, path = fix.partition(_OUTPUT)
    return 1 + -(-(len(path) + 1) // _WIDTH) if output else 1


def _fix(text: str) -> RenderableType:
    command, output, path = text.partition(_OUTPUT)
    if not output:
        return fitted((text, "dim"))
    # a path is of no use when it is cut
    return Group(fitted((f"{command.rstrip()}   output:", "dim")), Text(f"/{path}", "dim", overflow="fold"))


def _mark(level: Level, terminal: TerminalStyle) -> Span:
    symbol, ascii_symbol, style = _MARKS[level]
    return terminal.pick(symbol, ascii_symbol), style


def _plan(result: Preflight, limits: RunLimits, terminal: TerminalStyle) -> str:
    facts = [f"{quantities.plural(result.tasks, 'task')}, {limits.max_agents} at a time", _forecast(result.forecast)]
    if limits.until:
        facts.append(f"until {limits.until.astimezone():%H:%M}")
    if limits.budget:
        facts.append(f"at most {quantities.dollars(limits.budget)}")
    return terminal.dot.join(facts)


def _forecast(forecast: RunForecast | None) -> str:
    if forecast is None:
        return f"no forecast: fewer than {MIN_SAMPLES} earlier tasks are like one of these"
    time = _range(forecast.seconds, quantities.duration)
    earlier = f"{forecast.samples} earlier tasks"
    if forecast.is_rough:
        nights = quantities.plural(forecast.nights, "night")
        return f"roughly {time}{_cost(forecast)}: {earlier} of {nights} are known, which is little"
    return f"about {time}{_cost(forecast)}, as {earlier} did"


def _cost(forecast: RunForecast) -> str:
    if forecast.usd is not None:
        return f" and {_range(forecast.usd, quantities.dollars)}"
    tokens = _range(forecast.tokens, lambda value: quantities.count(round(value)))
    return f" and {tokens} tokens" if forecast.tokens.high else ""


def _range(span: Range, format_bound: Callable[[float], str]) -> str:
    low, high = format_bound(span.low), format_bound(span.high)
    return low if low == high else f"{low} to {high}"
