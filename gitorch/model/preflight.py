"""What a look at the repository before a run shows."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from gitorch.errors import GitorchError
from gitorch.model.forecasts.run_forecast import RunForecast


class Level(StrEnum):
    """How much a line of the preflight matters: an error keeps the run from starting."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class PreflightLine(msgspec.Struct, frozen=True):
    """One thing that was looked at, and the commands that change it."""

    level: Level
    text: str
    fix: tuple[str, ...] = ()


class Preflight(msgspec.Struct, frozen=True, kw_only=True):
    """All that was looked at, the first error, and the forecast of the run (None: too little is known)."""

    lines: tuple[PreflightLine, ...]
    tasks: int
    forecast: RunForecast | None = None
    error: GitorchError | None = None
