"""Events, a line each: the messages and actions of an agent, and the changes of a task."""

from __future__ import annotations

from datetime import datetime

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import block, bullets, fitted, line
from gitorch.cli.terminal.style import Span, TerminalStyle, stdout_style
from gitorch.cli.views import labels, quantities
from gitorch.model.outcome import Event
from gitorch.model.task import Phase, State, Task

_MAX_RESULT_LINES = 12
_MAX_RESULT_LENGTH = 4_000
"""How much of the output of a tool is shown: its end, where an error is."""

_EVENT_MARKS: dict[str, tuple[str, str, str]] = {
    "thinking": ("·", ".", "dim"),
    "tool": ("▶", ">", "cyan"),
    "result": (" ", " ", "dim"),
    "error": ("✗", "x", "red"),
    "retry": ("↺", "<", "yellow"),
    "limit": ("◔", "~", "yellow"),
    "end": ("●", "=", "bold"),
}
_PREFIXED = ("error", "retry", "limit", "end")


def step_words(step: str) -> str:
    """Return what an execution of an attempt is, by the name of its step: the agent, its preparation, or a check."""
    kind, _, name = step.partition("-")
    return f"check {name.partition('-')[2]}".strip() if kind == "check" else kind


def step_heading(words: str, *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return the line above what an execution printed."""
    terminal = terminal or stdout_style()
    return fitted((f"{terminal.pick('──', '--')} {terminal.clean(words)}", "dim"))


def event(happened: Event, *, with_time: bool = False, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return an event of an agent: its text, or a tool with a mark; long results are cut."""
    terminal = terminal or stdout_style()
    page = _event(happened, terminal)
    if not with_time:
        return page
    time = f"{datetime.fromtimestamp(happened.time).astimezone():%H:%M:%S}" if happened.time else " " * _TIME_WIDTH
    return bullets([((time, "dim"), page)]) or page


def _event(happened: Event, terminal: TerminalStyle) -> RenderableType:
    symbol, ascii_symbol, style = _EVENT_MARKS.get(happened.kind, ("", "", ""))
    mark = terminal.pick(symbol, ascii_symbol)
    if happened.kind == "tool":
        arguments = happened.text.removeprefix(happened.tool).lstrip(": ")
        tool = (terminal.clean(happened.tool), f"bold {style}")
        return fitted((f"{mark} ", style), tool, f"  {terminal.clean(arguments)}" if arguments else "")
    separator = ": " if happened.text else ""
    prefix = f"{happened.kind}{separator}" if happened.kind in _PREFIXED else ""
    note, text = _ending(happened.text) if happened.kind == "result" else ("", happened.text)
    content = block(prefix + text, terminal, style) or Text()
    page = Group(Text(f"{terminal.ellipsis} {note}", style), content) if note else content
    return (bullets([((mark, style), page)]) or page) if mark else page


def _ending(text: str) -> tuple[str, str]:
    """Return a note on what is missing of a long result, and its end."""
    lines = text.strip("\n").split("\n")
    end = "\n".join(lines[-_MAX_RESULT_LINES:])
    if len(end) > _MAX_RESULT_LENGTH:
        return "cut, see log --raw", end[-_MAX_RESULT_LENGTH:]
    hidden = len(lines) - _MAX_RESULT_LINES
    return quantities.plural(hidden, "earlier line") if hidden > 0 else "", end


_TIME_WIDTH = len("00:00:00")
_STATE_WIDTH = max(map(len, State))
_NAME_WIDTH = 24


def event_line(
    task: Task,
    before: Task | None = None,
    *,
    terminal: TerminalStyle | None = None,
    now: datetime | None = None,
) -> Text | None:
    """Return one line, in stable columns, for what changed in a task since `before`; None for nothing new."""
    terminal, now = terminal or stdout_style(), now or datetime.now().astimezone()
    change = _change(task, before)
    if not change:
        return None
    facts = [fact for fact in _facts(task, now, terminal) if fact[0]]
    head = [
        (f"{now:%H:%M:%S}", "dim"),
        (f"  {change:<{_STATE_WIDTH}}", labels.bucket_style(labels.bucket(task))),
        (f"  {terminal.clean(task.id):<{_NAME_WIDTH}}", "bold"),
    ]
    width = sum(cell_len(text) + 2 for text, _ in facts) + sum(cell_len(text) for text, _ in head)
    if task.state is State.RUNNING and terminal.width is not None and width > terminal.width:
        facts.pop()  # the branch, which has the name of the task
    return line(*head, *(part for fact in facts for part in ("  ", fact)))


def _change(task: Task, before: Task | None) -> str:
    if before is None or before.state is not task.state or before.attempts != task.attempts:
        return task.state
    attempt, earlier = task.attempt, before.attempt
    if task.state is not State.RUNNING or attempt is None or earlier is None:
        return task.state if task.explanation != before.explanation else ""
    if attempt.phase is Phase.CHECKING and earlier.phase is not Phase.CHECKING:
        return "checking"
    return "fixing" if attempt.round != earlier.round else ""


def _facts(task: Task, now: datetime, terminal: TerminalStyle) -> list[Span]:
    attempt = (f"attempt {task.attempts}" if task.attempts else "", "")
    if task.state is State.RUNNING:
        asked_for = task.attempt.instead_of if task.attempt else ""
        agent = f"{task.spec.agent} instead of {asked_for}" if asked_for else task.spec.agent
        return [attempt, (terminal.clean(agent), ""), (terminal.clean(task.branch), "dim")]
    _, checks_style = labels.checks(task, terminal)
    _, reason = labels.next_step(task, {}, now)
    attention = "red" if labels.needs_attention(task) else ""
    return [
        attempt,
        (labels.took(task.attempt, now), ""),
        (labels.checks_passed(task), checks_style),
        (labels.costs(task.usages), ""),
        (terminal.clean(reason.removeprefix(labels.NOT_CHECKED).removeprefix("; ")), attention),
    ]
