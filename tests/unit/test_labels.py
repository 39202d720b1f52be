"""Durations, costs, ages, clocks and sizes in words."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from gitorch.cli.views import labels, quantities
from gitorch.model.outcome import Usage
from tests.support.pages import NOW


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0s"),
        (0.44, "0.4s"),
        (59.9, "59s"),
        (60, "1m00s"),
        (2511, "41m51s"),
        (18_480, "5h08m"),
        (183_600, "2d03h"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    """Two units at most, the smaller one with two digits."""
    assert quantities.duration(seconds) == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, ""),
        (Usage(), ""),
        (Usage(usd=0.0), "$0.00"),
        (Usage(usd=0.001), "<$0.01"),
        (Usage(usd=1.2, input_tokens=5), "$1.20"),
        (Usage(input_tokens=900, output_tokens=50), "950 tok"),
        (Usage(input_tokens=999_400), "999k tok"),
        (Usage(input_tokens=999_500), "1.0M tok"),
    ],
)
def test_costs(usage: Usage | None, expected: str) -> None:
    """Dollars where they are told, tokens where not, nothing where nothing is known; cents are not rounded away."""
    assert labels.cost(usage) == expected


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(0, "just now"), (12, "12m ago"), (61, "1h ago"), (60 * 47, "1d ago"), (60 * 48, "2d ago")],
)
def test_ages(minutes: int, expected: str) -> None:
    """How long ago something was, in its largest unit."""
    assert quantities.age(NOW - timedelta(minutes=minutes), NOW) == expected


def test_clocks_are_those_of_the_reader() -> None:
    """A time is shown in the zone of the reader's clock, with its day where that is another."""
    here = NOW.astimezone(timezone(timedelta(hours=9)))
    assert quantities.clock(NOW, here) == "16:12"
    assert quantities.clock(NOW + timedelta(hours=8), here) == "Mon 00:12"
    assert quantities.clock(NOW + timedelta(days=9), here) == "2026-12-01 16:12"


@pytest.mark.parametrize(
    ("number", "expected"), [(999, "999 B"), (640_000_000, "640 MB"), (1_499_000_000, "1 GB"), (2 * 10**12, "2.0 TB")]
)
def test_sizes(number: int, expected: str) -> None:
    """Bytes in the unit that keeps the number short."""
    assert quantities.size(number) == expected
