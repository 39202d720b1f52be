"""What happens, a line each: what an agent said or did, and what changed in a task."""

from __future__ import annotations

from datetime import datetime

from gitorch.cli.terminal.layout import Line, Look, block, paint
from gitorch.cli.terminal.streams import of_stdout
from gitorch.cli.views import labels
from gitorch.cli.views.labels import Turn
from gitorch.model.outcome import Event
from gitorch.model.task import Phase, State, Task

_LONGEST_RESULT = 12

_EVENT_MARKS: dict[str, tuple[str, str, str]] = {
    "text": ("", "", ""),
    "thinking": ("· ", ". ", "dim"),
    "tool": ("▶ ", "> ", "cyan"),
    "result": ("  ", "  ", "dim"),
    "error": ("✗ ", "x ", "red"),
    "retry": ("↺ ", "< ", "yellow"),
    "limit": ("◔ ", "~ ", "yellow"),
    "end": ("● ", "= ", "bold"),
}
_EVENT_WORDS = {"error": "error: ", "retry": "retry: ", "limit": "limit: ", "end": "end: "}


def event(seen: Event, *, look: Look | None = None) -> str:
    """Return one thing that an agent said or did, for `log`: text as it is, tools marked, long results cut."""
    look = look or of_stdout()
    symbol, plain, style = _EVENT_MARKS.get(seen.kind, ("", "", ""))
    mark = look.pick(symbol, plain)
    said = _EVENT_WORDS.get(seen.kind, "")
    if seen.kind == "tool":
        return paint([[(mark, style), (look.clean(seen.tool), f"bold {style}"), *_tool_words(seen, look)]], look)
    lines = block(said + seen.text, look, len(mark))
    if seen.kind == "result" and len(lines) > _LONGEST_RESULT:
        lines = [*lines[:_LONGEST_RESULT], f"{look.ellipsis} {len(lines) - _LONGEST_RESULT} more lines"]
    return paint([[(mark if at == 0 else " " * len(mark), style), (one, style)] for at, one in enumerate(lines)], look)


def _tool_words(seen: Event, look: Look) -> Line:
    text = seen.text.removeprefix(seen.tool).lstrip(": ")
    room = None if look.width is None else max(20, look.width - len(seen.tool) - 4)
    return [(f"  {look.clean(text, room)}", "")] if text else []


_STATE_WIDTH = max(map(len, State))
_NAME_WIDTH = 24


def event_line(
    task: Task,
    before: Task | None = None,
    *,
    look: Look | None = None,
    now: datetime | None = None,
    diff: labels.Change | None = None,
) -> str:
    """Return one line for what changed in a task since `before`, in stable columns; empty when nothing worth a line."""
    look, now = look or of_stdout(), now or datetime.now().astimezone()
    word = _change_word(task, before)
    if not word:
        return ""
    facts = [fact for fact in _facts(task, now, look, diff) if fact[0]]
    line: Line = [
        (f"{now:%H:%M:%S}", "dim"),
        (f"  {word:<{_STATE_WIDTH}}", labels.style(labels.turn(task))),
        (f"  {look.clean(task.id):<{_NAME_WIDTH}}", "bold"),
    ]
    for text, style in facts:
        line += [("  ", ""), (text, style)]
    return paint([line], look)


def _change_word(task: Task, before: Task | None) -> str:
    if before is None or before.state is not task.state or before.attempts != task.attempts:
        return task.state
    last, earlier = task.attempt, before.attempt
    if task.state is not State.RUNNING or last is None or earlier is None:
        return task.state if task.reason != before.reason else ""
    if last.phase is Phase.CHECKING and earlier.phase is not Phase.CHECKING:
        return "checking"
    return "mending" if last.round != earlier.round else ""


def _facts(task: Task, now: datetime, look: Look, diff: labels.Change | None) -> list[tuple[str, str]]:
    attempt = (f"attempt {task.attempts}" if task.attempts else "", "")
    if task.state is State.RUNNING:
        return [attempt, (look.clean(task.spec.agent), ""), (look.clean(task.branch), "dim")]
    _, style = labels.checks(task, look)
    _, why = labels.step(task, {}, now)
    styled = "red" if labels.turn(task) in (Turn.MEND, Turn.RESOLVE) or task.passed is False else ""
    return [
        attempt,
        (labels.took(task.attempt, now), ""),
        (labels.lines_changed(diff), ""),
        (labels.checks_passed(task), style),
        (labels.cost(task.spent), ""),
        (look.clean(why), styled),
    ]
