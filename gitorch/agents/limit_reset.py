"""When a limit ends, from the text of a service or a command line: the forms that claude, codex and the API use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LEAD = r"(?:(?:try|retry) again|resets?(?: again)?|available again|access|until|renews)"
_DATE = (
    rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.? (?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
    r"(?:,? (?P<year>\d{4}))?,?(?: at)?"
)
_WEEKDAY = rf"(?:(?P<weekday>{'|'.join(_DAYS)})[a-z]*,?(?: at)? |(?P<tomorrow>tomorrow),?(?: at)? )"
_CLOCK = r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?(?::\d{2})?(?: ?(?P<half>[ap])\.?m\b\.?)?"
_NAMED_ZONES = {
    "pt": "America/Los_Angeles",
    "mt": "America/Denver",
    "ct": "America/Chicago",
    "et": "America/New_York",
    "pst": "-08:00",
    "pdt": "-07:00",
    "mst": "-07:00",
    "mdt": "-06:00",
    "cst": "-06:00",
    "cdt": "-05:00",
    "est": "-05:00",
    "edt": "-04:00",
    "bst": "+01:00",
    "cet": "+01:00",
    "cest": "+02:00",
    "z": "+00:00",
}
"""What short names of zones mean in texts for customers; others count as none."""

_OFFSET = r"(?:UTC|GMT)(?:[+-]\d{1,2}(?::?\d{2})?)?"
_ZONE = rf"(?: ?\(?(?P<zone>[A-Za-z]+(?:/[A-Za-z_+\-0-9]+){{1,2}}|{_OFFSET}|(?:{'|'.join(_NAMED_ZONES)})\b)(?!\w)\)?)?"
_MOMENT = re.compile(rf"{_LEAD}:? (?:at |on )?(?:(?:{_DATE} )|{_WEEKDAY})?{_CLOCK}{_ZONE}", re.IGNORECASE)
_ISO = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:(?:T| | at )(?P<clock>\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?"
    r"(?P<zone> ?(?:Z\b|UTC|[+-]\d\d:?\d\d))?"
)
_EPOCH = re.compile(r"(?:\||resets_at\W+)(?P<seconds>1\d{9})(?P<milliseconds>\d{3})?\b")
_HTTP_DATE = re.compile(
    rf"\d{{1,2}} (?:{'|'.join(_MONTHS)})[a-z]* \d{{4}} \d\d:\d\d(?::\d\d)? (?:GMT|UTC|[+-]\d{{4}})", re.IGNORECASE
)
_WITHIN = re.compile(
    rf"(?:{_LEAD}|retry|wait) (?:in|after|for) ((?:(?:about |and |, ?|~ ?)?\d+(?:\.\d+)? ?[a-z]+[, ]*)+)",
    re.IGNORECASE,
)
_RETRY_AFTER = re.compile(
    r"(?:retry[ -]after[: =]+|resets_in_seconds\W+)(?P<seconds>\d{1,7})\b(?! ?[a-z:])", re.IGNORECASE
)
_DAY = re.compile(rf"{_LEAD}:? (?:on )?{_DATE}", re.IGNORECASE)
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?) ?([a-z]+)", re.IGNORECASE)
_UNITS = (("ms", 0.001), ("mo", 0.0), ("d", 86_400.0), ("h", 3_600.0), ("m", 60.0), ("s", 1.0), ("w", 604_800.0))
_PAST = timedelta(minutes=30)
"""A time of day that passed longer ago than this is tomorrow's; any other is over."""


def parse(text: str, now: datetime) -> float | None:
    """Return when a limit ends (Unix seconds), or None if the text does not say.

    `now` is when the text was written. A time without a zone is in the zone of `now`, or the system's if it has none.
    A time without a date is the next one, or one that has just passed. Times without seconds are rounded up to the next
    minute, so that nothing is tried too early.
    """
    text = " ".join(text.split())  # also spaces that do not break, which JavaScript writes before AM and PM
    if match := _EPOCH.search(text):
        return float(match["seconds"])
    if match := _ISO.search(text):
        return _of_iso(match, now)
    if match := _HTTP_DATE.search(text):
        return parsedate_to_datetime(match[0].replace("UTC", "GMT")).timestamp()
    if match := _RETRY_AFTER.search(text):
        return now.timestamp() + float(match["seconds"])
    if match := _WITHIN.search(text):
        seconds = sum(_seconds(amount, unit) for amount, unit in _AMOUNT.findall(match[1]))
        return now.timestamp() + seconds if seconds else None
    return next(_moments(text, now), None) or next(_days(text, now), None)


def _moments(text: str, now: datetime) -> Iterator[float]:
    for match in _MOMENT.finditer(text):
        zone = _zone(match["zone"])
        here = now.astimezone(zone) if zone or now.tzinfo is None else now
        moment = _local_time(match, here)
        if moment is not None:
            yield _timestamp(moment, zone or now.tzinfo) + 60.0


def _days(text: str, now: datetime) -> Iterator[float]:
    """Yield when the days begin that the text names without a time."""
    midnight = now.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0, fold=0)
    for match in _DAY.finditer(text):
        with suppress(ValueError):
            yield _timestamp(_on_date(match, midnight, midnight), now.tzinfo)


def _local_time(match: re.Match[str], now: datetime) -> datetime | None:
    """Return a match as a time without a zone."""
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match["half"].lower() == "p" else 0)
    elif match["minute"] is None:
        return None  # a number alone is no time
    today = now.replace(tzinfo=None, second=0, microsecond=0, fold=0)
    try:
        moment = today.replace(hour=hour, minute=minute)
        return _on_day(match, moment, today)
    except ValueError:
        return None


def _on_day(match: re.Match[str], moment: datetime, now: datetime) -> datetime:
    is_past = moment < now - _PAST
    if match["month"]:
        return _on_date(match, moment, now)
    if match["tomorrow"]:
        return moment + timedelta(days=1)
    if match["weekday"]:
        days = (_DAYS.index(match["weekday"].lower()) - moment.weekday()) % 7
        return moment + timedelta(days=days or (7 if is_past else 0))
    return moment + timedelta(days=1) if is_past else moment


def _on_date(match: re.Match[str], moment: datetime, now: datetime) -> datetime:
    month = _MONTHS.index(match["month"].lower()) + 1
    dated = moment.replace(month=month, day=int(match["day"]), year=int(match["year"] or now.year))
    # in December, a date in January is one of the next year
    is_next_year = match["year"] is None and dated < now - timedelta(days=180)
    return dated.replace(year=dated.year + 1) if is_next_year else dated


def _timestamp(moment: datetime, zone: tzinfo | None) -> float:
    """Return a wall-clock time as Unix seconds; an hour that the clock shows twice is the later one."""
    return moment.replace(tzinfo=zone, fold=1).timestamp() if _is_repeated(moment, zone) else _plain(moment, zone)


def _plain(moment: datetime, zone: tzinfo | None) -> float:
    return moment.replace(tzinfo=zone).timestamp()


def _is_repeated(moment: datetime, zone: tzinfo | None) -> bool:
    first, second = (moment.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    return second > first


def _of_iso(match: re.Match[str], now: datetime) -> float | None:
    zone = (match["zone"] or "").strip()
    text = f"{match['day']}T{match['clock'] or '00:00'}" + ("+00:00" if zone in ("Z", "UTC") else zone)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else _timestamp(moment, now.tzinfo)


def _zone(name: str | None) -> tzinfo | None:
    if not name:
        return None
    name = _NAMED_ZONES.get(name.lower(), name)
    if match := re.fullmatch(r"(?:UTC|GMT)?(?P<sign>[+-]?)(?P<hours>\d{0,2}):?(?P<minutes>\d{0,2})", name.upper()):
        offset = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
        return timezone(-offset if match["sign"] == "-" else offset) if offset < timedelta(hours=24) else None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):  # also ZoneInfoNotFoundError, a KeyError
        return None
    except KeyError:
        return None


def _seconds(amount: str, unit: str) -> float:
    return float(amount) * next((seconds for prefix, seconds in _UNITS if unit.lower().startswith(prefix)), 0.0)
