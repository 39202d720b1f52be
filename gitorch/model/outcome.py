"""How one execution of an agent ended, as a closed set of values."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an execution consumed: dollars (None where the agent does not tell), tokens, model turns."""

    usd: float | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    turns: int = 0

    def __add__(self, other: Usage) -> Usage:
        known = [value for value in (self.usd, other.usd) if value is not None]
        return Usage(
            usd=sum(known) if known else None,
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            turns=self.turns + other.turns,
        )

    def __sub__(self, other: Usage) -> Usage:
        """Return what came on top of `other`, an earlier total of the same session."""
        return Usage(
            usd=None if self.usd is None else self.usd - (other.usd or 0.0),
            input_tokens=self.input_tokens - other.input_tokens,
            cached_tokens=self.cached_tokens - other.cached_tokens,
            output_tokens=self.output_tokens - other.output_tokens,
            turns=self.turns - other.turns,
        )


class Ending(StrEnum):
    """Every way in which an agent's execution can end."""

    COMPLETED = "completed"  # its final event says so
    FAILED = "failed"  # a permanent error: wrong request, unknown model, prompt too long
    DECLINED = "declined"  # the model refused the work
    LIMITED = "limited"  # a rate or usage limit; it may know when it resets
    UNAUTHENTICATED = "unauthenticated"  # not logged in, key revoked, no credit
    TRANSIENT = "transient"  # the network or the server failed; the same request may work later
    EXHAUSTED = "exhausted"  # its turns or its budget are used up
    STOPPED = "stopped"  # killed by a person or by gitorch's clocks
    LOST = "lost"  # it died, and how is not known: never success


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The end of one execution: how, why in one line, the agent's last words, and what it consumed.

    `session` is the id to resume with, `denials` the tool calls that the agent was refused,
    `resets_at` the unix time in seconds at which a limit ends (None: not told).
    """

    ending: Ending
    reason: str = ""
    summary: str = ""
    session: str = ""
    usage: Usage | None = None
    denials: tuple[str, ...] = ()
    resets_at: float | None = None


class Exit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a supervised process ended: the supervisor's `exit.json`.

    `cause` is exited, stopped (asked to), timeout (wall clock), idle (no output and no CPU),
    failed-to-start, or lost (the supervisor itself died). `seconds` is wall time, `cpu_seconds`
    user and system time of the whole process tree, `leftover` how many processes it left behind.
    """

    cause: str
    exit_code: int | None = None
    signal: int | None = None
    started: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    leftover: int = 0
    message: str = ""


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one probe command: its exit code (None: no such program, or it hung) and output."""

    argv: tuple[str, ...]
    exit_code: int | None
    stdout: str = ""
    stderr: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that an agent said or did, in a form that all agents share.

    `kind` is text, thinking, tool, result, error, retry, limit or end; `text` is what to show (the
    agent's own words: hostile until escaped), `tool` the tool's name for tool and result.
    """

    kind: str
    text: str = ""
    tool: str = ""
