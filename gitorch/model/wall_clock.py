"""The next time that a clock on the wall shows a time of day, also where clocks are set forward or back."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo

from gitorch.errors import InvalidInput

_MINUTE = timedelta(minutes=1)


def next_time(text: str, after: datetime, zone: tzinfo | None = None) -> datetime:
    """Return the first moment after `after`, in UTC, at which a clock shows `07:00`.

    `zone` is the time zone of the clock; None for that of this machine. A time that a change of the clocks skips is the
    moment of the change. Raises `InvalidInput` for text that is not a time of day.
    """
    clock = _parsed(text)
    today = _shown(after, zone).date()
    days = (today + timedelta(days=number) for number in range(3))
    # on a day when clocks are set back, they show some times twice
    moments = (_moment(datetime.combine(day, clock.replace(fold=fold)), zone) for day in days for fold in (0, 1))
    return min(moment for moment in moments if moment > after)


def last_time(text: str, before: datetime, zone: tzinfo | None = None) -> datetime:
    """Return the last moment up to `before`, in UTC, at which a clock showed `07:00`; arguments as for `next_time`."""
    day = timedelta(days=1)
    found = next_time(text, before - 2 * day, zone)
    while (following := next_time(text, found, zone)) <= before:
        found = following
    return found


def _parsed(text: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()
    except ValueError:
        raise InvalidInput("time", f"{text!r} is not a time", fix=("write it as 07:00",)) from None


def _shown(moment: datetime, zone: tzinfo | None) -> datetime:
    """Return what a clock shows at a moment, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _moment(local: datetime, zone: tzinfo | None) -> datetime:
    """Return the moment at which a clock shows this, in UTC."""
    naive = local.replace(fold=0)
    moment = _utc(local, zone)
    if _shown(moment, zone) == naive:
        return moment
    # skipped: the two readings lie on both sides of the change
    moment = min(_utc(local.replace(fold=fold), zone) for fold in (0, 1))
    while _shown(moment, zone) < naive:
        moment += _MINUTE
    return moment


def _utc(local: datetime, zone: tzinfo | None) -> datetime:
    return (local.replace(tzinfo=zone) if zone else local).astimezone(UTC)
