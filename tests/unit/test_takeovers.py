"""Tasks that another agent took over, because the one that was asked for had reached its limit."""

from __future__ import annotations

import pytest

from gitorch.cli.terminal.render import render
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views import events, task
from gitorch.cli.views.reporting import report_words
from gitorch.cli.views.running import run
from gitorch.cli.views.takeovers import takeovers
from gitorch.model.task import State, Task
from gitorch.services.report import ReportEntry
from tests.support.pages import HOSTILE, NOW, a_task, an_attempt, night, page, results
from tests.support.report_night import a_report

SAID = "codex took over from claude, which had reached its limit"


def taken(name: str, number: int, state: State = State.FINISHED, instead_of: str = "claude") -> Task:
    attempt = an_attempt(2, 60, agent="codex", instead_of=instead_of)
    return a_task(name, number, state, attempts=2, attempt=attempt, agent="codex", results=results(0))


def test_each_page_of_a_night_says_who_took_over() -> None:
    """The line of the start, the summary of the run, the page of the task, and the report."""
    one = taken("one", 1)
    started = render(events.event_line(taken("one", 1, State.RUNNING), now=NOW) or "", TerminalStyle())
    assert "codex instead of claude" in started
    assert f"{SAID}: one" in page(run.run_summary, [one], width=80, now=NOW)
    assert "2 by codex · instead of claude, which had reached its limit" in page(
        task.task_page, one, width=120, now=NOW
    )
    (section,) = [
        section
        for section in report_words.sections(a_report(ReportEntry(task=one)), NOW)
        if section.title == "Changed hands"
    ]
    assert section.lines == (("one", SAID),)


def test_many_tasks_are_counted_and_those_that_are_over_left_out() -> None:
    """A line stays short, and what is merged needs no account of it."""
    tasks = [taken(f"t{number}", number) for number in range(6)]
    assert takeovers([*tasks, taken("old", 9, State.MERGED)]) == [("t0, t1, t2 and 3 others", SAID)]
    assert takeovers([taken("one", 1, instead_of="")]) == []


@pytest.mark.parametrize("width", [None, 60])
def test_a_night_without_a_change_of_hands_says_nothing(width: int | None) -> None:
    assert "took over" not in night(width)


def test_the_name_of_an_agent_is_made_harmless() -> None:
    """Names come from the configuration of a repository."""
    text = page(run.run_summary, [taken("one", 1, instead_of=HOSTILE)], width=80, now=NOW)
    assert "\x1b" not in text
    assert "\u202e" not in text
