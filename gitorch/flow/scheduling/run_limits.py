"""The limits of a run, and why it started no more tasks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class RunLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a run: `budget` in dollars, `token_budget` in tokens, `min_free_disk` in bytes; 0 means no limit.

    What running agents have used counts, and so do the reviews and the disk that they will need. No task starts before
    `start_at`, or from `until` on.
    """

    max_agents: int = 3
    approved_only: bool = False
    start_at: datetime | None = None
    until: datetime | None = None
    budget: float = 0.0
    token_budget: int = 0
    max_unreviewed: int = 0
    min_free_disk: int = 0
    stop_on_failure: bool = False
    stop_on_limit: bool = False
    switch_on_limit: bool = False


class StopCause(StrEnum):
    """Why a run starts no more tasks although some are ready."""

    LIMIT = "limit"  # of time, money, reviews, disk, or the agent's own
    LOGIN = "login"
    FAILURE = "failure"
    CRASH = "crash"


class StopReason(msgspec.Struct, frozen=True):
    """Why a run started no more tasks: the cause, and a message."""

    cause: StopCause
    reason: str
