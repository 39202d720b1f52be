"""How a supervised process ended: what counts as killed, and when a limit ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gitorch.flow.attempt.limit_wait import wake_time
from gitorch.model.outcome import Exit, ExitReason, Outcome
from gitorch.model.task import PastAttempt


@pytest.mark.parametrize(
    ("ending", "number"),
    [
        (Exit(cause="exited", signal=9), 9),
        (Exit(cause="exited", signal=35), 35),  # without a name
        (Exit(cause="exited", exit_code=137), 9),
        (Exit(cause="exited", exit_code=139), 11),
        (Exit(cause="exited", exit_code=0), 0),
        (Exit(cause="exited", exit_code=1), 0),
        (Exit(cause="exited", exit_code=128), 0),
        (Exit(cause="exited", exit_code=130), 0),  # interrupted, which a program may do to itself
        (Exit(cause="exited", exit_code=255), 0),
        (Exit(cause="stopped", signal=15), 0),
        (Exit(cause="timeout", signal=9), 0),
        (Exit(cause="lost"), 0),
    ],
)
def test_a_signal_that_nobody_asked_for(ending: Exit, number: int) -> None:
    """A program that gitorch did not stop, and that a signal killed, directly or below a shell."""
    assert ending.fatal_signal == number


NOW = datetime(2026, 11, 30, 21, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("seconds", "end"),
    [
        (None, None),
        (NOW.timestamp() + 60, NOW + MINUTE),
        (1000 * (NOW.timestamp() + 60), NOW + MINUTE),  # in milliseconds
        (NOW.timestamp(), None),
        (NOW.timestamp() - 3600, None),
        (0.0, None),
        (-5.0, None),
        (NOW.timestamp() + 90 * 86_400, None),
        (9e14, None),
        (1e300, None),
        (float("nan"), None),
    ],
)
def test_a_limit_ends_at_a_possible_time(seconds: float | None, end: datetime | None) -> None:
    """A service or a program may write any number: none of them ends a run."""
    assert Outcome(ending=ExitReason.LIMITED, resets_at=seconds).limit_end(NOW) == end


def test_a_task_that_is_limited_again_and_again_waits_longer() -> None:
    """Also where the service names a moment that is over, or is always a few seconds away."""

    def minutes(seconds: float | None, *past: str) -> float:
        attempts = [PastAttempt(number=number, agent="a", outcome=outcome) for number, outcome in enumerate(past, 1)]
        outcome = Outcome(ending=ExitReason.LIMITED, resets_at=seconds and NOW.timestamp() + seconds)
        return (wake_time(outcome, attempts, NOW) - NOW) / MINUTE

    again = ["limited"]
    assert [minutes(-60, *again * number) for number in range(6)] == [5, 10, 20, 40, 60, 60]
    assert [minutes(None, *again * number) for number in (0, 1, 99_999)] == [5, 10, 60]
    assert [minutes(30, *again * number) for number in range(4)] == [0.5, 5, 10, 20]
    assert minutes(5 * 3600, *again * 3) == 300, "the end of a window is what counts"
    assert minutes(30, "limited", "crashed") == 0.5, "it has worked in between"


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Exit(cause="exited", exit_code=1), ""),
        (Exit(cause="exited", exit_code=137), "killed by signal 9 (Killed)"),
        (Exit(cause="exited", signal=9), "killed by signal 9 (Killed)"),
        (Exit(cause="timeout", signal=15), "timed out"),
        (Exit(cause="limit", message="used more than 8 GB of memory"), "used more than 8 GB of memory"),
        (Exit(cause="failed-to-start", message="no such file"), "no such file"),
    ],
)
def test_why_it_did_not_end_by_itself(ending: Exit, words: str) -> None:
    """In words, whatever ended the program."""
    assert ending.interruption == words
