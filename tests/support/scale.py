"""How much the tests that try many cases do: `GITORCH_TEST_SCALE=10` does ten times as much."""

from __future__ import annotations

import os

SCALE = float(os.environ.get("GITORCH_TEST_SCALE") or 1)


def scaled(count: int) -> int:
    """Return a number of cases, multiplied by what the environment asks for."""
    return max(1, round(count * SCALE))
