"""Values as text for people: one task, who works, what happened, what went wrong. Values in, text out.

Every function takes the `look` of the stream it is for, by default that of stdout; `now` gives the time zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gitorch.cli import foresight, words
from gitorch.cli.layout import FIELD_INDENT, Column, Line, Look, fields, flow, paint, table, wrap
from gitorch.cli.merge_pages import merge_order, merge_plan, merge_progress, merge_result
from gitorch.cli.overview import PROGRAM, commands, gap, grouped, status
from gitorch.cli.pages import card, check_lines, comment_lines, review_list
from gitorch.cli.safe import safe_block
from gitorch.cli.screen import of_stderr, of_stdout
from gitorch.cli.words import Turn, plural
from gitorch.errors import GitorchError
from gitorch.model.forecast import Candidate, Conflict
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Event, Usage
from gitorch.model.task import Attempt, Phase, State, Task

__all__ = [
    "agents",
    "card",
    "error",
    "event",
    "event_line",
    "foreseen",
    "merge_order",
    "merge_plan",
    "merge_progress",
    "merge_result",
    "review_list",
    "run_summary",
    "status",
    "task_page",
]

_LONGEST_RESULT = 12


def error(failure: GitorchError, *, look: Look | None = None) -> str:
    """Return what happened, why, and what mends it, each on its own lines; it ends with a line end."""
    look = look or of_stderr()
    first, *rest = _clean_block(failure.what, look, 7) or [""]
    lines: list[Line] = [
        [("error:", "bold red"), (f" {first}", "bold")],
        *([("       " + one, "bold")] for one in rest),
    ]
    lines += [
        [(f"  {'why:' if at == 0 else '':<5}", "dim"), (one, "")]
        for at, one in enumerate(_clean_block(failure.why, look, 7) if failure.why else [])
    ]
    lines += [
        [(f"  {'fix:' if at == 0 else '':<5}", "dim"), (look.clean(one), "green")] for at, one in enumerate(failure.fix)
    ]
    return paint(lines, look) + "\n"


def _clean_block(text: str, look: Look, indent: int) -> list[str]:
    lines = wrap(safe_block(text.strip("\n")), look, indent)
    return [look.clean(line) if look.charset != "utf-8" else line for line in lines]


# ------------------------------------------------------------------------------------------------- one task


def task_page(
    task: Task,
    tasks: Mapping[TaskId, Task] | None = None,
    *,
    conflicts: Sequence[Conflict] = (),
    look: Look | None = None,
    now: datetime | None = None,
) -> str:
    """Return everything about one task: what was asked, who did it, what came of it, and what can be done next."""
    look, now = look or of_stdout(), now or datetime.now().astimezone()
    symbol, style = words.mark(task, look)
    state = f"{task.state}, stale" if task.stale else f"{task.state}"
    head: list[Line] = [
        [(f"{symbol} ", style), (look.clean(task.id), "bold"), (f"  #{task.number}  ", "dim"), (state, style)],
        *([(f"  {line}", "")] for line in _clean_block(task.title, look, 2)),
        [],
    ]
    body = fields(
        [
            ("Next", _next_lines(task, tasks or {}, look, now)),
            ("Asked", _asked_lines(task, look, now)),
            ("After", _after_lines(task, tasks or {}, look)),
            ("Goal", _text_lines(task.goal, look)),
            ("Prompt", _text_lines(task.prompt, look)),
            ("Accepted", _text_lines("\n".join(f"- {one}" for one in task.acceptance), look)),
            ("Attempt", _attempt_lines(task.attempt, look, now)),
            ("Agent", _text_lines(task.attempt.summary if task.attempt else "", look)),
            ("Checks", check_lines(task, look)),
            ("Conflicts", foresight.with_others(conflicts, task.id, look)),
            ("Comments", comment_lines(task.comments, look)),
            ("Branch", _branch_lines(task, look)),
        ]
    )
    return paint([*head, *body, *gap(look), *commands(_task_commands(task), look)], look)


def _text_lines(text: str, look: Look) -> list[Line]:
    return [[(line, "")] for line in _clean_block(text, look, FIELD_INDENT)] if text.strip() else []


def _next_lines(task: Task, tasks: Mapping[TaskId, Task], look: Look, now: datetime) -> list[Line]:
    verb, why = words.step(task, tasks, now)
    said = f"{verb}: {why}" if verb and why else verb or why
    style = "red" if words.turn(task) in (Turn.MEND, Turn.RESOLVE) or task.passed is False else ""
    return [[(line, style)] for line in _clean_block(said, look, FIELD_INDENT)] if said else []


def _asked_lines(task: Task, look: Look, now: datetime) -> list[Line]:
    parts = [
        words.age(task.created, now) if task.created else "",
        f"agent {task.agent or 'auto'}",
        f"role {task.role or 'auto'}" + (f" ({task.role_why})" if task.role_why else ""),
        words.priority(task),
        f"base {task.from_ref}" if task.from_ref else "",
        f"budget {words.dollars(task.budget)}" if task.budget else "",
        f"at most {words.duration(task.timeout)}" if task.timeout else "",
        f"only {', '.join(task.paths)}" if task.paths else "",
        "adopted branch" if task.adopted else "",
    ]
    return _text_lines(look.dot.join(part for part in parts if part), look)


def _after_lines(task: Task, tasks: Mapping[TaskId, Task], look: Look) -> list[Line]:
    names = [f"{name} ({tasks[name].state})" if name in tasks else name for name in task.after]
    return _text_lines(", ".join(names), look)


def _attempt_lines(last: Attempt | None, look: Look, now: datetime) -> list[Line]:
    if last is None:
        return []
    parts = [
        f"{last.number} by {last.agent}",
        f"started {words.clock(last.started, now)}" if last.started else "",
        words.took(last, now),
        f"round {last.round}" if last.round > 1 else "",
        "went on in the earlier session" if last.resumed else "",
        last.ending or str(last.phase),
    ]
    lines = _text_lines(look.dot.join(part for part in parts if part), look)
    if last.usage:
        lines += _text_lines(_usage(last.usage, look), look)
    lines += [[(f"tried to move {look.clean(ref)}, and was stopped", "yellow")] for ref in last.alarms]
    return lines + [[("was refused: ", "dim"), (look.clean(denial, look.width), "dim")] for denial in last.denials]


def _usage(usage: Usage, look: Look) -> str:
    price = words.dollars(usage.usd) if usage.usd is not None else "no price told"
    cached = f", {words.count(usage.cached_tokens)} of them cached" if usage.cached_tokens else ""
    tokens = f"{words.count(usage.input_tokens)} tokens in{cached}, {words.count(usage.output_tokens)} out"
    return look.dot.join([price, tokens, *([plural(usage.turns, "turn")] if usage.turns else [])])


def _branch_lines(task: Task, look: Look) -> list[Line]:
    if not task.branch:
        return []
    reach = f"  {(task.base or '?')[:7]}..{task.tip[:7]}" if task.tip else "  no commits yet"
    lines: list[Line] = [[(look.clean(task.branch), ""), (reach, "dim")]]
    if task.worktree:
        lines.append([(look.clean(task.worktree), "dim")])
    if task.merged_as:
        lines.append([(f"merged as {task.merged_as[:7]}", "green")])
    return lines


def _task_commands(task: Task) -> list[tuple[str, str]]:
    """Return what can be done with a task as it stands."""
    wanted = {
        Turn.REVIEW: (("review", "read it and decide"), ("diff", "what it changes")),
        Turn.RESOLVE: (("retry", "a fresh attempt on top of what it conflicts with"), ("diff", "what it changes")),
        Turn.ANSWER: (("log", "what the agent asks"), ("retry", "a fresh attempt")),
        Turn.MEND: (("log", "what the agent said and did"), ("retry", "a fresh attempt")),
        Turn.RUNNING: (("log", "what the agent says and does"), ("kill", "stop it; its work is kept")),
        Turn.PAUSED: (("log", "what the agent said and did"), ("kill", "do not wait for it")),
        Turn.MERGE: (("merge", "bring it onto the integration branch"), ("diff", "what it changes")),
        Turn.QUEUED: (),
        Turn.MERGED: (("log", "what the agent said and did"),),
        Turn.DROPPED: (("retry", "a fresh attempt"),),
    }[words.turn(task)]
    found = [(f"{PROGRAM} {verb} {task.id}", why) for verb, why in wanted]
    return found or [(f"{PROGRAM} run", "work through the queue")]


# --------------------------------------------------------------------------------------------- who works now

_AGENT_COLUMNS = (
    Column(title="Task"),
    Column(title="Agent"),
    Column(title="Attempt", right=True, hide=4),
    Column(title="Doing", hide=1),
    Column(title="Pid", right=True),
    Column(title="Since", right=True),
    Column(title="CPU", right=True, hide=3),
    Column(title="Memory", right=True, hide=2),
    Column(title="Last seen"),
)


def agents(rows: Iterable[Mapping[str, Any]], *, look: Look | None = None, now: datetime | None = None) -> str:
    """Return who works now.

    A row holds `task`, `agent`, `attempt`, `doing`, `pid`, `started` (RFC 3339, or a datetime), `cpu_seconds`, `memory`
    (bytes) and `activity`; what is absent or None is not known.
    """
    look, now = look or of_stdout(), now or datetime.now().astimezone()
    lines = [_agent_row(row, look, now) for row in rows]
    if not lines:
        return paint([[("No agent is running.", "")]], look)
    return paint(table(_AGENT_COLUMNS, lines, look), look)


def _agent_row(row: Mapping[str, Any], look: Look, now: datetime) -> list[tuple[str, str]]:
    started = row.get("started")
    since = datetime.fromisoformat(started) if isinstance(started, str) else started
    seconds, memory = row.get("cpu_seconds"), row.get("memory")
    return [
        (look.clean(str(row["task"])), "bold"),
        (look.clean(str(row.get("agent") or "")), ""),
        (str(row.get("attempt") or ""), ""),
        (look.clean(str(row.get("doing") or "")), ""),
        (str(row.get("pid") or ""), ""),
        (words.duration((now - since).total_seconds()) if since else "", ""),
        ("" if seconds is None else words.duration(seconds), ""),
        ("" if memory is None else words.size(memory), ""),
        (look.clean(str(row.get("activity") or "")), "dim"),
    ]


# ------------------------------------------------------------------------------------------------ what happens

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
    lines = _clean_block(said + seen.text, look, len(mark))
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
    diff: words.Change | None = None,
) -> str:
    """Return one line for what changed in a task since `before`, in stable columns; empty when nothing worth a line."""
    look, now = look or of_stdout(), now or datetime.now().astimezone()
    word = _change_word(task, before)
    if not word:
        return ""
    facts = [fact for fact in _facts(task, now, look, diff) if fact[0]]
    line: Line = [
        (f"{now:%H:%M:%S}", "dim"),
        (f"  {word:<{_STATE_WIDTH}}", words.style(words.turn(task))),
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


def _facts(task: Task, now: datetime, look: Look, diff: words.Change | None) -> list[tuple[str, str]]:
    attempt = (f"attempt {task.attempts}" if task.attempts else "", "")
    if task.state is State.RUNNING:
        return [attempt, (look.clean(task.agent), ""), (look.clean(task.branch), "dim")]
    _, style = words.checks(task, look)
    _, why = words.step(task, {}, now)
    styled = "red" if words.turn(task) in (Turn.MEND, Turn.RESOLVE) or task.passed is False else ""
    return [
        attempt,
        (words.took(task.attempt, now), ""),
        (words.lines_changed(diff), ""),
        (words.checks_passed(task), style),
        (words.cost(task.spent), ""),
        (look.clean(why), styled),
    ]


def foreseen(conflicts: Sequence[Conflict], candidate: Candidate | None = None, *, look: Look | None = None) -> str:
    """Return what is known before the morning; empty where there is nothing to say."""
    look = look or of_stdout()
    lines = [*foresight.will_conflict(conflicts, look), *foresight.candidate(candidate, look)]
    return paint(lines, look) if lines else ""


def run_summary(
    changed: Sequence[Task],
    stopped: str = "",
    seconds: float = 0.0,
    spent: float = 0.0,
    *,
    conflicts: Sequence[Conflict] = (),
    candidate: Candidate | None = None,
    troubles: Sequence[str] = (),
    look: Look | None = None,
    now: datetime | None = None,
) -> str:
    """Return what a run leaves behind, and the next command. A night without any finished work is said in red."""
    look, now = look or of_stdout(), now or datetime.now().astimezone()
    groups = grouped(changed)
    facts = [fact for fact in (words.duration(seconds), words.dollars(spent) if spent else "") if fact]
    head = [*_outcome(groups, look), (look.dot + look.dot.join(facts), "dim")]
    lines = [*flow(head, look), *_went_wrong(groups, look, now)]
    if stopped:
        lines.append([("stopped early: ", "bold yellow"), (look.clean(stopped), "yellow")])
    lines += [*foresight.will_conflict(conflicts, look), *foresight.candidate(candidate, look)]
    lines += [[("beside the run: ", "bold yellow"), (look.clean(text), "yellow")] for text in troubles]
    return paint([*lines, *commands(_after_run(groups), look)], look)


_DONE_WELL = (Turn.REVIEW, Turn.MERGE, Turn.MERGED)


def _outcome(groups: Mapping[Turn, Sequence[Task]], look: Look) -> Line:
    done = sum(len(groups.get(one, ())) for one in _DONE_WELL)
    others = [f"{len(group)} {one}" for one, group in groups.items() if one not in _DONE_WELL]
    if not groups:
        return [(f"{look.pick('✗', 'x')} Nothing was done: no task could start", "bold red")]
    if not done:
        return _listed(f"{look.pick('✗', 'x')} No task was finished", others, "bold red", "bold red")
    all_well = not others and all(task.passed for task in groups.get(Turn.REVIEW, ()))
    mark = (f"{look.pick('✓', '+')} ", "green") if all_well else (f"{look.pick('▲', '!')} ", "yellow")
    return [mark, *_listed(f"{plural(done, 'task')} finished", others, "bold", "")]


def _listed(first: str, others: Sequence[str], first_style: str, style: str) -> Line:
    parts = [(first, first_style), *((one, style) for one in others)]
    return [(f"{text}, " if at < len(others) else text, styled) for at, (text, styled) in enumerate(parts)]


def _went_wrong(groups: Mapping[Turn, Sequence[Task]], look: Look, now: datetime) -> list[Line]:
    """Name what failed, what fails its checks, and what no check judged."""
    finished = groups.get(Turn.REVIEW, ())
    wrong = [
        (task, words.step(task, {}, now)[1])
        for task in (*groups.get(Turn.MEND, ()), *(one for one in finished if one.passed is not True))
    ]
    return [
        [
            ("  ", ""),
            words.mark(task, look),
            (f" {look.clean(task.id)}  ", "bold"),
            (look.clean(why, look.width), "red"),
        ]
        for task, why in wrong
    ]


def _after_run(groups: Mapping[Turn, Sequence[Task]]) -> list[tuple[str, str]]:
    if groups.get(Turn.REVIEW):
        return [(f"{PROGRAM} review", f"{len(groups[Turn.REVIEW])} to review")]
    if groups.get(Turn.MEND):
        return [(f"{PROGRAM} log {groups[Turn.MEND][0].id}", "why it failed")]
    return [(f"{PROGRAM} status", "whose turn it is")]
