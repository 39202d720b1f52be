"""The page of one task: what was asked, who did it, what came of it, what can be done next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from gitorch.cli.terminal.layout import FIELD_INDENT, Line, Look, block, fields, paint
from gitorch.cli.terminal.streams import of_stdout
from gitorch.cli.views import forecast, labels
from gitorch.cli.views.labels import Turn, plural
from gitorch.cli.views.review import check_lines, comment_lines, text_lines
from gitorch.cli.views.status import PROGRAM, commands, gap
from gitorch.model.forecast import Conflict
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage
from gitorch.model.task import Attempt, Task


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
    symbol, style = labels.mark(task, look)
    state = f"{task.state}, stale" if task.stale else f"{task.state}"
    head: list[Line] = [
        [(f"{symbol} ", style), (look.clean(task.id), "bold"), (f"  #{task.number}  ", "dim"), (state, style)],
        *([(f"  {line}", "")] for line in block(task.title, look, 2)),
        [],
    ]
    body = fields(
        [
            ("Next", _next_lines(task, tasks or {}, look, now)),
            ("Asked", _asked_lines(task, look, now)),
            ("After", _after_lines(task, tasks or {}, look)),
            ("Goal", text_lines(task.spec.goal, look)),
            ("Prompt", text_lines(task.spec.prompt, look)),
            ("Accepted", text_lines("\n".join(f"- {one}" for one in task.spec.acceptance), look)),
            ("Attempt", _attempt_lines(task.attempt, look, now)),
            ("Agent", text_lines(task.attempt.summary if task.attempt else "", look)),
            ("Checks", check_lines(task, look)),
            ("Conflicts", forecast.with_others(conflicts, task.id, look)),
            ("Comments", comment_lines(task.comments, look)),
            ("Branch", _branch_lines(task, look)),
        ]
    )
    return paint([*head, *body, *gap(look), *commands(_task_commands(task), look)], look)


def _next_lines(task: Task, tasks: Mapping[TaskId, Task], look: Look, now: datetime) -> list[Line]:
    verb, why = labels.step(task, tasks, now)
    said = f"{verb}: {why}" if verb and why else verb or why
    style = "red" if labels.turn(task) in (Turn.MEND, Turn.RESOLVE) or task.passed is False else ""
    return [[(line, style)] for line in block(said, look, FIELD_INDENT)] if said else []


def _asked_lines(task: Task, look: Look, now: datetime) -> list[Line]:
    parts = [
        labels.age(task.spec.created, now) if task.spec.created else "",
        f"agent {task.spec.agent or 'auto'}",
        f"role {task.spec.role or 'auto'}" + (f" ({task.spec.role_reason})" if task.spec.role_reason else ""),
        labels.priority(task),
        f"base {task.spec.base_ref}" if task.spec.base_ref else "",
        f"budget {labels.dollars(task.spec.budget)}" if task.spec.budget else "",
        f"at most {labels.duration(task.spec.timeout)}" if task.spec.timeout else "",
        f"only {', '.join(task.spec.paths)}" if task.spec.paths else "",
        "adopted branch" if task.adopted else "",
    ]
    return text_lines(look.dot.join(part for part in parts if part), look)


def _after_lines(task: Task, tasks: Mapping[TaskId, Task], look: Look) -> list[Line]:
    names = [f"{name} ({tasks[name].state})" if name in tasks else name for name in task.spec.after]
    return text_lines(", ".join(names), look)


def _attempt_lines(last: Attempt | None, look: Look, now: datetime) -> list[Line]:
    if last is None:
        return []
    parts = [
        f"{last.number} by {last.agent}",
        f"started {labels.clock(last.started, now)}" if last.started else "",
        labels.took(last, now),
        f"round {last.round}" if last.round > 1 else "",
        "went on in the earlier session" if last.resumed else "",
        last.ending or str(last.phase),
    ]
    lines = text_lines(look.dot.join(part for part in parts if part), look)
    if last.usage:
        lines += text_lines(_usage(last.usage, look), look)
    lines += [[(f"tried to move {look.clean(ref)}, and was stopped", "yellow")] for ref in last.alarms]
    return lines + [[("was refused: ", "dim"), (look.clean(denial, look.width), "dim")] for denial in last.denials]


def _usage(usage: Usage, look: Look) -> str:
    price = labels.dollars(usage.usd) if usage.usd is not None else "no price told"
    cached = f", {labels.count(usage.cached_tokens)} of them cached" if usage.cached_tokens else ""
    tokens = f"{labels.count(usage.input_tokens)} tokens in{cached}, {labels.count(usage.output_tokens)} out"
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
    }[labels.turn(task)]
    found = [(f"{PROGRAM} {verb} {task.id}", why) for verb, why in wanted]
    return found or [(f"{PROGRAM} run", "work through the queue")]
