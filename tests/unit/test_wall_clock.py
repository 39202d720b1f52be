"""The next time that a clock shows a time of day, over changes of the clocks."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gitorch.errors import InvalidInput
from gitorch.model.wall_clock import last_time, next_time


@pytest.mark.parametrize(
    ("zone", "now", "text", "expected"),
    [
        ("UTC", "2026-11-29 22:00", "23:00", "2026-11-29 23:00"),
        ("UTC", "2026-11-29 23:00", "23:00", "2026-11-30 23:00"),
        ("UTC", "2026-11-29 23:30", "7:00", "2026-11-30 07:00"),
        # 23:00 in Berlin is 22:00 UTC in winter; the morning after the clocks went forward is an hour closer
        ("Europe/Berlin", "2026-11-29 12:00", "23:00", "2026-11-29 22:00"),
        ("Europe/Berlin", "2026-03-28 22:00", "07:00", "2026-03-29 05:00"),
        ("Europe/Berlin", "2026-10-24 21:00", "07:00", "2026-10-25 06:00"),
        ("America/New_York", "2026-03-08 04:00", "07:00", "2026-03-08 11:00"),
        # skipped at 02:00: the moment of the change
        ("Europe/Berlin", "2026-03-28 22:00", "02:30", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-03-28 22:00", "02:00", "2026-03-29 01:00"),
        ("Australia/Lord_Howe", "2026-10-03 12:00", "02:15", "2026-10-03 15:30"),
        # shown twice: the next of both
        ("Europe/Berlin", "2026-10-24 22:00", "02:30", "2026-10-25 00:30"),
        ("Europe/Berlin", "2026-10-25 00:45", "02:30", "2026-10-25 01:30"),
        ("Europe/Berlin", "2026-10-25 01:45", "02:30", "2026-10-26 01:30"),
        # a day that an island left out: the moment at which the next one began
        ("Pacific/Apia", "2011-12-30 08:00", "23:00", "2011-12-30 09:00"),
        ("Pacific/Apia", "2011-12-30 09:30", "23:00", "2011-12-30 10:00"),
    ],
)
def test_next_time(zone: str, now: str, text: str, expected: str) -> None:
    moment = next_time(text, datetime.fromisoformat(now).replace(tzinfo=UTC), ZoneInfo(zone))
    assert f"{moment:%Y-%m-%d %H:%M}" == expected


def test_the_clock_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a zone the rules of this machine hold on the day itself, not the offset of today."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        moment = next_time("07:00", datetime(2026, 3, 28, 22, tzinfo=UTC))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert moment == datetime(2026, 3, 29, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["7", "25:00", "07:00 am", "now", "23:60", ""])
def test_what_is_not_a_time(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a time"):
        next_time(text, datetime(2026, 11, 29, tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "now", "text", "expected"),
    [
        ("UTC", "2026-11-29 22:00", "21:59", "2026-11-29 21:59"),
        ("UTC", "2026-11-29 22:00", "22:00", "2026-11-29 22:00"),
        ("UTC", "2026-11-29 22:00", "22:01", "2026-11-28 22:01"),
        ("Europe/Berlin", "2026-03-29 05:30", "07:00", "2026-03-29 05:00"),
        # shown twice: the later of both
        ("Europe/Berlin", "2026-10-25 03:00", "02:30", "2026-10-25 01:30"),
    ],
)
def test_last_time(zone: str, now: str, text: str, expected: str) -> None:
    moment = last_time(text, datetime.fromisoformat(now).replace(tzinfo=UTC), ZoneInfo(zone))
    assert moment == datetime.fromisoformat(expected).replace(tzinfo=UTC)
