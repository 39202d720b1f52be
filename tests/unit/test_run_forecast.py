"""The forecast of a run: quantiles of earlier tasks like its own, or nothing."""

from __future__ import annotations

import random

import pytest

from gitorch.model.naming import TaskId
from gitorch.model.run_forecast import Expectations, NextTask, PastTask, RunForecast, TaskSize, forecast, size_of


def past(seconds: float, usd: float | None = 1.0, agent: str = "claude", role: str = "tester") -> PastTask:
    return PastTask(agent=agent, role=role, size=TaskSize.SMALL, seconds=seconds, usd=usd, tokens=1_000)


def upcoming(number: int, *after: int, agent: str = "claude", role: str = "tester") -> NextTask:
    needed = tuple(TaskId(f"t{other}") for other in after)
    return NextTask(id=TaskId(f"t{number}"), agent=agent, role=role, size=TaskSize.SMALL, after=needed)


def known(result: RunForecast | None) -> RunForecast:
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("tasks", "max_agents", "seconds"),
    [
        ([upcoming(1)], 3, 60),
        ([upcoming(1), upcoming(2), upcoming(3), upcoming(4)], 3, 120),
        ([upcoming(1), upcoming(2), upcoming(3)], 1, 180),
        ([upcoming(1), upcoming(2, 1), upcoming(3, 2)], 3, 180),
        ([upcoming(1, 9)], 3, 60),  # what it waits for is done
    ],
)
def test_time_is_that_of_the_queue(tasks: list[NextTask], max_agents: int, seconds: float) -> None:
    """Tasks of a minute each, as many at a time as there are agents, and one after the other where they must be."""
    result = known(forecast([past(60)] * 5, tasks, max_agents))
    assert (result.seconds.low, result.seconds.high) == (seconds, seconds)
    assert result.usd is not None
    assert result.usd.high == len(tasks)


def test_too_few_earlier_tasks_give_no_forecast() -> None:
    """Four are too few, five of another agent are none, and one unknown task makes the whole unknown."""
    assert forecast([past(60)] * 4, [upcoming(1)], 3) is None
    assert forecast([past(60, agent="codex")] * 9, [upcoming(1)], 3) is None
    assert forecast([past(60)] * 9, [upcoming(1), upcoming(2, agent="codex")], 3) is None
    assert forecast([past(60)] * 9, [], 3) is None


def test_the_most_similar_tasks_count() -> None:
    """Five tasks of the same role count alone; with four, all tasks of the agent do."""
    others = [past(600, role="writer")] * 20
    assert known(forecast([*others, *[past(60)] * 5], [upcoming(1)], 3)).seconds.high == 60
    assert known(forecast([*others, *[past(60)] * 4], [upcoming(1)], 3)).seconds.high == 600


def test_an_unknown_price_is_tokens() -> None:
    """One task without a price makes the sum of dollars unknown; its tokens are known."""
    result = known(forecast([*[past(60)] * 5, past(60, usd=None)], [upcoming(1)], 3))
    assert result.usd is None
    assert result.tokens.high == 1_000


def test_eight_of_ten_nights_lie_within_the_forecast() -> None:
    """Nights drawn like the past fall into the range about as often as it says."""
    generator = random.Random(7)
    earlier = [past(generator.lognormvariate(6, 0.8), generator.lognormvariate(0, 0.6)) for _ in range(60)]
    tasks = [upcoming(number) for number in range(12)]
    result = known(forecast(earlier, tasks, 1))
    nights = [sum(generator.lognormvariate(6, 0.8) for _ in tasks) for _ in range(200)]
    inside = sum(result.seconds.low <= night <= result.seconds.high for night in nights)
    assert 130 <= inside <= 190


def test_a_hundred_tasks_are_quick_to_forecast() -> None:
    """The number of draws goes down with the number of tasks; the range is still one."""
    result = known(forecast([past(60), *[past(90)] * 9], [upcoming(number) for number in range(100)], 3))
    assert 100 * 60 / 3 <= result.seconds.low < result.seconds.high <= 34 * 90


def test_the_time_of_a_task_is_that_of_eight_in_ten_like_it() -> None:
    """Of its agent, role and size, or of its agent alone; too few say nothing."""
    earlier = [past(seconds) for seconds in range(1, 11)] + [past(500, role="other")] * 5
    expectations = Expectations(earlier)
    assert expectations.seconds(upcoming(1)) == 9
    assert expectations.seconds(upcoming(1, role="other")) == 500
    assert expectations.seconds(upcoming(1, role="new")) == 500
    assert expectations.seconds(upcoming(1, agent="codex")) is None
    assert Expectations([*[past(1)] * 50, *[past(7)] * 40]).seconds(upcoming(1)) == 7
    assert Expectations(earlier[:4]).seconds(upcoming(1)) is None
    assert Expectations(earlier[:5]).seconds(upcoming(1)) == 5


def test_sizes() -> None:
    assert [size_of("x" * length) for length in (3, 400, 2_000)] == [TaskSize.SMALL, TaskSize.MEDIUM, TaskSize.LARGE]
