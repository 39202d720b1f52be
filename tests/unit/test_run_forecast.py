"""The forecast of a run: quantiles of earlier tasks like its own, or nothing."""

from __future__ import annotations

import random

import pytest

from gitorch.model.forecasts.run_forecast import (
    Expectations,
    NextTask,
    PastTask,
    RunForecast,
    Span,
    TaskSize,
    forecast,
    size_of,
)
from gitorch.model.naming import TaskId


def past(
    seconds: float, usd: float | None = 1.0, agent: str = "claude", role: str = "tester", night: int = 0
) -> PastTask:
    return PastTask(agent=agent, role=role, size=TaskSize.SMALL, seconds=seconds, usd=usd, tokens=1_000, night=night)


def equal_nights(seconds: float, role: str = "tester") -> list[PastTask]:
    """Return four nights of five tasks that all took as long: nothing differs from night to night."""
    return [past(seconds, role=role, night=night) for night in range(4) for _ in range(5)]


def upcoming(number: int, *after: int, agent: str = "claude", role: str = "tester") -> NextTask:
    needed = tuple(TaskId(f"t{other}") for other in after)
    return NextTask(id=TaskId(f"t{number}"), agent=agent, role=role, size=TaskSize.SMALL, after=needed)


def known(result: RunForecast | None) -> RunForecast:
    assert result is not None
    return result


def known_seconds(expectations: Expectations) -> float:
    seconds = expectations.seconds(upcoming(1))
    assert seconds is not None
    return seconds


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
    result = known(forecast(equal_nights(60), tasks, max_agents))
    assert (result.seconds.low, result.seconds.high) == pytest.approx((seconds, seconds), rel=1e-3)
    assert result.usd is not None
    assert result.usd.high == pytest.approx(len(tasks), rel=1e-3)


def test_too_few_earlier_tasks_give_no_forecast() -> None:
    """Four are too few, five of another agent are none, and one unknown task makes the whole unknown."""
    assert forecast([past(60)] * 4, [upcoming(1)], 3) is None
    assert forecast([past(60, agent="codex")] * 9, [upcoming(1)], 3) is None
    assert forecast([past(60)] * 9, [upcoming(1), upcoming(2, agent="codex")], 3) is None
    assert forecast([past(60)] * 9, [], 3) is None


def test_the_most_similar_tasks_count() -> None:
    """Five tasks of the same role count alone; with four, all tasks of the agent do."""
    others = equal_nights(600, role="writer")
    alike = known(forecast([*others, *equal_nights(60)], [upcoming(1)], 3))
    assert alike.seconds.high == pytest.approx(60, rel=1e-3)
    few = known(forecast([*others, *[past(60)] * 4], [upcoming(1)], 3))
    assert few.seconds.high > 500


def test_an_unknown_price_is_tokens() -> None:
    """One task without a price makes the sum of dollars unknown; its tokens are known."""
    result = known(forecast([*equal_nights(60), past(60, usd=None)], [upcoming(1)], 3))
    assert result.usd is None
    assert result.tokens.high == pytest.approx(1_000, rel=1e-3)


def test_what_uses_no_tokens_is_forecast_to_use_none() -> None:
    tasks = [PastTask(agent="claude", role="tester", size=TaskSize.SMALL, seconds=60, usd=0.0)] * 9
    result = known(forecast(tasks, [upcoming(1)], 3))
    assert (result.tokens.high, result.usd) == (0, Span(0, 0))


def test_one_night_says_less_than_several() -> None:
    """How much nights differ from each other is not known from one of them: the range is wider."""
    one = known(forecast([past(60)] * 20, [upcoming(1)], 3)).seconds
    several = known(forecast(equal_nights(60), [upcoming(1)], 3)).seconds
    assert one.low < 0.9 * several.low < several.high < 0.9 * one.high


def test_the_first_four_nights() -> None:
    """Nothing is forecast without a night; then the range holds what was seen, says that it is rough, and narrows."""
    nights = [[past(seconds, night=night) for seconds in (50, 55, 60, 65, 70, 60)] for night in range(4)]
    assert forecast([], [upcoming(1)], 3) is None
    forecasts = [
        known(forecast([task for night in nights[:count] for task in night], [upcoming(1)], 3))
        for count in (1, 2, 3, 4)
    ]
    assert [(each.nights, each.samples, each.is_rough) for each in forecasts] == [
        (1, 6, True),
        (2, 12, True),
        (3, 18, True),
        (4, 24, False),
    ]
    assert all(each.seconds.low < 60 < each.seconds.high for each in forecasts)
    widths = [each.seconds.high / each.seconds.low for each in forecasts]
    assert widths[0] > widths[1] > widths[3]
    assert widths[0] > widths[2]


def test_nights_that_differ_as_a_whole_make_the_range_wider() -> None:
    """Eight of ten later nights lie in the range, of nights with a level of their own, and of a level that moves."""
    generator = random.Random(11)
    tasks = [upcoming(number) for number in range(9)]
    inside = 0
    for _ in range(12):
        levels = [generator.gauss(6, 0.4) for _ in range(10)]
        earlier = [
            past(generator.lognormvariate(level, 0.5), night=at) for at, level in enumerate(levels) for _ in tasks
        ]
        result = known(forecast(earlier, tasks, 1)).seconds
        for _ in range(10):
            level = generator.gauss(6, 0.4)
            inside += result.low <= sum(generator.lognormvariate(level, 0.5) for _ in tasks) <= result.high
    assert 80 <= inside <= 112
    grown = [past(60.0 * 1.2**night, night=night) for night in range(10) for _ in tasks]
    assert known(forecast(grown, tasks[:1], 1)).seconds.low > 60 * 1.2**8


def test_eight_of_ten_nights_lie_within_the_forecast() -> None:
    """Nights drawn like the past fall into the range about as often as it says."""
    generator = random.Random(7)
    earlier = [past(generator.lognormvariate(6, 0.8), night=number // 12) for number in range(60)]
    tasks = [upcoming(number) for number in range(12)]
    result = known(forecast(earlier, tasks, 1))
    nights = [sum(generator.lognormvariate(6, 0.8) for _ in tasks) for _ in range(200)]
    inside = sum(result.seconds.low <= night <= result.seconds.high for night in nights)
    assert 130 <= inside <= 190


def test_a_hundred_tasks_are_quick_to_forecast() -> None:
    """The number of draws goes down with the number of tasks; the range is still one."""
    result = known(forecast([past(60), *equal_nights(90)], [upcoming(number) for number in range(100)], 3))
    assert 100 * 60 / 3 <= result.seconds.low < result.seconds.high <= 34 * 90 * 2


def test_the_time_of_a_task_is_that_of_eight_in_ten_like_it() -> None:
    """Of its agent, role and size, or of its agent alone; too few say nothing."""
    earlier = [past(seconds) for seconds in range(1, 11)] + [past(500, role="other")] * 5
    expectations = Expectations(earlier)
    assert expectations.seconds(upcoming(1)) == 9
    assert expectations.seconds(upcoming(1, role="other")) == 500
    assert expectations.seconds(upcoming(1, role="new")) == 500
    assert expectations.seconds(upcoming(1, agent="codex")) is None
    assert Expectations([*[past(1)] * 50, *[past(7)] * 200]).seconds(upcoming(1)) == pytest.approx(7)
    faster = [past(seconds, night=night) for night, seconds in enumerate((100, 100, 100, 10)) for _ in range(10)]
    assert 10 <= known_seconds(Expectations(faster)) < 50
    assert Expectations(earlier[:4]).seconds(upcoming(1)) is None
    assert Expectations(earlier[:5]).seconds(upcoming(1)) == 5


def test_sizes() -> None:
    assert [size_of("x" * length) for length in (3, 400, 2_000)] == [TaskSize.SMALL, TaskSize.MEDIUM, TaskSize.LARGE]
