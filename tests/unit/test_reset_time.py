"""When a limit ends: every form in which the services and command lines say it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gitorch.agents import limit_reset

UTC_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def utc(*fields: int) -> datetime:
    return datetime(*fields, tzinfo=UTC)  # type: ignore[arg-type, misc]  # a starred argument has no names


CODEX = [
    ("or try again at 2:00 PM.", utc(2026, 11, 22, 14, 1)),
    ("You\u2019ve hit your usage limit. Try again at 4:15 PM.", utc(2026, 11, 22, 16, 16)),
    ("TRY AGAIN AT 4:15 pm", utc(2026, 11, 22, 16, 16)),
    ("or try again at Nov 23rd, 2026 2:13 AM.", utc(2026, 11, 23, 2, 14)),
    ("or try again at Dec 1st, 2026 11:59 PM.", utc(2026, 12, 2, 0, 0)),
    ("Try again at 16:15.", utc(2026, 11, 22, 16, 16)),
    ("Try again in 3 days 4 hours 5 minutes.", utc(2026, 11, 25, 16, 5)),
    ("try again in 1 hour, 30 minutes", utc(2026, 11, 22, 13, 30)),
    ("Please try again in 20s.", utc(2026, 11, 22, 12, 0, 20)),
    ("or try again later.", None),
    ("or try again at Feb 31st, 2026 2:13 AM.", None),
    ("or try again at 25:00 PM.", None),
    ("try again at 13:00 PM", None),
]

CLAUDE = [
    ("You've hit your limit \u00b7 resets 2:13am (UTC)", utc(2026, 11, 23, 2, 14)),
    ("You've hit your session limit \u00b7 resets 4:20pm (Asia/Tbilisi)", utc(2026, 11, 22, 12, 21)),
    ("resets 3pm (America/Los_Angeles)", utc(2026, 11, 22, 23, 1)),
    ("resets 3am (America/Los_Angeles)", utc(2026, 11, 23, 11, 1)),
    ("You've hit your weekly limit \u00b7 resets Nov 27, 3pm (America/New_York)", utc(2026, 11, 27, 20, 1)),
    ("resets Nov 27 at 3:30pm (UTC)", utc(2026, 11, 27, 15, 31)),
    ("resets Jan 2, 9am (UTC)", utc(2027, 1, 2, 9, 1)),
    ("resets Thursday 9am (UTC)", utc(2026, 11, 26, 9, 1)),
    ("resets Sunday 9am (UTC)", utc(2026, 11, 29, 9, 1)),
    ("resets tomorrow at 9am (UTC)", utc(2026, 11, 23, 9, 1)),
    ("Your limit will reset at 3pm (America/Argentina/Buenos_Aires).", utc(2026, 11, 22, 18, 1)),
    ("resets 9am (Nowhere/Land)", utc(2026, 11, 23, 9, 1)),
    ("Claude AI usage limit reached|1795395600", datetime.fromtimestamp(1795395600, UTC)),
    ("Claude AI usage limit reached|1795395600000", datetime.fromtimestamp(1795395600, UTC)),
]

API = [
    ("You will regain access on 2026-12-01 at 00:00 UTC.", utc(2026, 12, 1, 0, 0)),
    ("limit resets at 2026-11-22T13:00:00Z", utc(2026, 11, 22, 13, 0)),
    ("limit resets at 2026-11-22T13:00:00.250+02:00", datetime(2026, 11, 22, 11, 0, 0, 250_000, tzinfo=UTC)),
    ("reset after 2h30m0s", utc(2026, 11, 22, 14, 30)),
    ("Number of request tokens has exceeded your per-minute rate limit", None),
    ("until 12 agents are done", None),
    ("Retry after 3600 seconds", utc(2026, 11, 22, 13, 0)),
    ("retry-after: 3600", utc(2026, 11, 22, 13, 0)),
    ("resets in ~3 hours", utc(2026, 11, 22, 15, 0)),
    ("the quota resets on Mon, 23 Nov 2026 03:00:00 GMT", utc(2026, 11, 23, 3, 0)),
]

ODD = [
    ("resets 12:30\u202fAM (Asia/Kolkata)", utc(2026, 11, 22, 19, 1)),
    ("try again at Dec 23rd, 2026,\u00a02:13\u202fPM", utc(2026, 12, 23, 14, 14)),
    ("resets 3:00 PM EST", utc(2026, 11, 22, 20, 1)),
    ("resets 3pm ET", utc(2026, 11, 22, 20, 1)),
    ("resets 15:00 CET", utc(2026, 11, 22, 14, 1)),
    ("resets 3am (GMT+1)", utc(2026, 11, 23, 2, 1)),
    ("resets 3am (UTC-03:30)", utc(2026, 11, 23, 6, 31)),
    ("resets 3am (UTC+99)", utc(2026, 11, 23, 3, 1)),
    ("try again at 16:15 Zulu", utc(2026, 11, 22, 16, 16)),
    ("usage limit \u00b7 resets Dec 1", utc(2026, 12, 1)),
    ("resets Feb 31", None),
    ('429: {"type":"usage_limit_reached","resets_at":1795395600}', datetime.fromtimestamp(1795395600, UTC)),
    ('{"resets_in_seconds":3600,"plan":"free"}', utc(2026, 11, 22, 13, 0)),
    ("", None),
]


@pytest.mark.parametrize(("text", "moment"), CODEX + CLAUDE + API + ODD)
def test_every_form_is_read(text: str, moment: datetime | None) -> None:
    """With and without a date, a zone, minutes; times without seconds are rounded up to the minute."""
    parsed = limit_reset.parse(text, UTC_NOON)
    assert (datetime.fromtimestamp(parsed, UTC) if parsed else None) == moment


LOCAL = [
    # the clock shows 2:30 twice on this night: the later one
    (datetime(2026, 10, 24, 23, 0, tzinfo=BERLIN), "try again at 2:30 AM", utc(2026, 10, 25, 1, 31)),
    # the night is an hour longer, and an hour shorter
    (datetime(2026, 10, 24, 23, 0, tzinfo=BERLIN), "try again at 7:00 AM", utc(2026, 10, 25, 6, 1)),
    (datetime(2026, 3, 28, 23, 0, tzinfo=BERLIN), "try again at 7:00 AM", utc(2026, 3, 29, 5, 1)),
    # 2:30 does not exist on this night: an hour later it is 3:30
    (datetime(2026, 3, 28, 23, 0, tzinfo=BERLIN), "try again at 2:30 AM", utc(2026, 3, 29, 1, 31)),
    (datetime(2026, 11, 22, 23, 59, 30, tzinfo=BERLIN), "try again at 11:59 PM", utc(2026, 11, 22, 23, 0)),
    (datetime(2026, 11, 22, 23, 59, 30, tzinfo=BERLIN), "resets 1am (UTC)", utc(2026, 11, 23, 1, 1)),
]


@pytest.mark.parametrize(("now", "text", "moment"), LOCAL)
def test_a_time_without_a_zone_is_local(now: datetime, text: str, moment: datetime) -> None:
    """Also on the nights on which the clock is changed."""
    parsed = limit_reset.parse(text, now)
    assert parsed is not None
    assert datetime.fromtimestamp(parsed, UTC) == moment


def test_a_time_that_has_just_passed_is_over() -> None:
    """A limit that ended while its message was on the way is not waited for until tomorrow."""
    late = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
    assert limit_reset.parse("try again at 2:00 PM", late) == utc(2026, 11, 22, 14, 1).timestamp()
    assert limit_reset.parse("try again at 1:00 PM", late) == utc(2026, 11, 23, 13, 1).timestamp()
