"""Tasks: the table of moves, and changes that leave the rest alone."""

from __future__ import annotations

import msgspec
import pytest

from gitorch.errors import Refused
from gitorch.model.naming import Oid, TaskId
from gitorch.model.outcome import Usage
from gitorch.model.task import TRANSITIONS, Attempt, CheckResult, PastAttempt, State, Task, change, change_attempt
from tests.support.tasks import make_task

TASK = make_task(id=TaskId("a"), number=1, title="A", prompt="Do a")

ALLOWED = """
queued: running cancelled
running: finished failed waiting queued cancelled
waiting: queued running failed cancelled
finished: approved rejected queued
failed: queued rejected cancelled conflicted
approved: merged conflicted finished queued rejected
conflicted: queued approved merged rejected
rejected: queued
cancelled: queued rejected
merged:
"""


def table() -> dict[State, set[State]]:
    rows = (line.partition(":") for line in ALLOWED.split("\n") if line)
    return {State(name): {State(word) for word in words.split()} for name, _, words in rows}


def test_the_table_of_moves() -> None:
    """The moves are those of the specification's picture, and no others."""
    assert {state: set(targets) for state, targets in TRANSITIONS.items()} == table()


@pytest.mark.parametrize("source", State)
@pytest.mark.parametrize("target", State)
def test_every_move(source: State, target: State) -> None:
    """A lawful move changes the state; an impossible one raises and says from where to where."""
    before = change_state(source)
    if source == target or target in table()[source]:
        assert change(before, state=target).state is target
    else:
        with pytest.raises(Refused, match=f"a is {source}: it cannot become {target}"):
            change(before, state=target)


def change_state(state: State) -> Task:
    return make_task(id=TASK.id, number=1, title="A", prompt="Do a", state=state)


def test_a_change_leaves_the_rest_alone() -> None:
    """A changed task is a new value; the old one stays."""
    changed = change(TASK, state=State.RUNNING, attempts=1)
    assert (changed.state, changed.attempts, changed.spec.prompt) == (State.RUNNING, 1, "Do a")
    assert TASK.state is State.QUEUED


def test_a_change_of_the_attempt() -> None:
    """Only the last attempt changes."""
    running = change(TASK, state=State.RUNNING, attempt=Attempt(number=1, agent="claude"))
    changed = change_attempt(running, session="s", usage=Usage(output_tokens=3))
    assert changed.attempt == Attempt(number=1, agent="claude", session="s", usage=Usage(output_tokens=3))
    assert changed.usage == Usage(output_tokens=3)
    assert TASK.usage is None


@pytest.mark.parametrize(
    ("codes", "passed"), [((), None), ((0,), True), ((0, 0), True), ((0, 1), False), ((None,), False)]
)
def test_checks_pass_together(codes: tuple[int | None, ...], passed: bool | None) -> None:
    """Nothing is green that did not run, and one check that did not reach its end makes the whole red."""
    results = tuple(CheckResult(name="t", command="t", tree=Oid("0" * 40), exit_code=code) for code in codes)
    assert change(TASK, results=results).passed is passed


def test_usage_adds_up() -> None:
    """Sums keep what is known: dollars stay unknown only when both sides are."""
    one, two = Usage(usd=0.5, input_tokens=1, turns=1), Usage(input_tokens=2, cached_tokens=5)
    assert one + two == Usage(usd=0.5, input_tokens=3, cached_tokens=5, turns=1)
    assert (two + two).usd is None
    assert (one + two) - two == one


def test_what_a_task_used_is_the_sum_of_its_attempts() -> None:
    """Not only of the last one; an attempt of which nothing is known adds nothing."""
    past = (
        PastAttempt(number=1, agent="a", usage=Usage(usd=0.08, input_tokens=100)),
        PastAttempt(number=2, agent="a"),
    )
    last = Attempt(number=3, agent="b", usage=Usage(usd=0.02, input_tokens=5))
    spent = msgspec.structs.replace(TASK, past=past, attempt=last, attempts=3).usage
    assert spent is not None
    assert (round(spent.usd or 0, 6), spent.input_tokens) == (0.1, 105)
    assert TASK.usage is None
