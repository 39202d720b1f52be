"""How a supervised process ended: what counts as killed."""

from __future__ import annotations

import pytest

from gitorch.model.outcome import Exit


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
