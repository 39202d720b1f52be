"""The soak's own acts are not what its checker calls a loss."""

from __future__ import annotations

import random
from pathlib import Path

from tests.faults.clock import jumping_clock
from tests.faults.invariants import verify
from tests.faults.soak import Site


def test_the_users_gc_may_expire_reflogs_under_a_clock_that_jumped(tmp_path: Path) -> None:
    """Four hundred days later, git drops old lines of every reflog: what the soak compares is not among them."""
    with jumping_clock(tmp_path) as clock:
        assert clock is not None
        site = Site(tmp_path, tmp_path / "log", 1, random.Random(1), clock)
        site.submit()
        clock.jump(400 * 86_400)
        site.gc()
        verify(site.known)
