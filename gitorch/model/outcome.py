"""Outcomes and events of agent executions."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from signal import Signals, strsignal
from typing import Literal, TypeAlias

import msgspec

_SHELL_SIGNAL = 128
"""A shell exits with this plus the number of the signal that killed its program."""

_FATAL = frozenset(
    {Signals.SIGKILL, Signals.SIGTERM, Signals.SIGSEGV, Signals.SIGBUS, Signals.SIGABRT, Signals.SIGILL, Signals.SIGFPE}
)


_MILLISECONDS = 1e11
"""A larger Unix time is in milliseconds."""

_LONGEST_LIMIT = 62 * 86_400.0
"""Seconds. Services limit by the month, at most."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an execution consumed: dollars (None if unknown), tokens, model turns."""

    usd: float | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    turns: int = 0

    def __add__(self, other: Usage) -> Usage:
        costs = [value for value in (self.usd, other.usd) if value is not None]
        return Usage(
            usd=sum(costs) if costs else None,
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            turns=self.turns + other.turns,
        )

    def __sub__(self, other: Usage) -> Usage:
        """Return what was added since `other`, an earlier total of the same session."""
        return Usage(
            usd=None if self.usd is None else self.usd - (other.usd or 0.0),
            input_tokens=self.input_tokens - other.input_tokens,
            cached_tokens=self.cached_tokens - other.cached_tokens,
            output_tokens=self.output_tokens - other.output_tokens,
            turns=self.turns - other.turns,
        )


def without_negatives(usage: Usage) -> Usage:
    """Return a usage with 0 for what is less: an agent must not lower what a budget counts."""
    return Usage(
        usd=None if usage.usd is None else max(0.0, usage.usd),
        input_tokens=max(0, usage.input_tokens),
        cached_tokens=max(0, usage.cached_tokens),
        output_tokens=max(0, usage.output_tokens),
        turns=max(0, usage.turns),
    )


class ExitReason(StrEnum):
    """All ways in which an agent's execution can end."""

    COMPLETED = "completed"  # its final event says so
    FAILED = "failed"  # a permanent error of this request, or a program's exit code
    DECLINED = "declined"  # the model refused the work
    LIMITED = "limited"  # a rate or usage limit; it may know when it resets
    UNAUTHENTICATED = "unauthenticated"  # not logged in, key revoked, no credit
    SETUP = "setup"  # nothing that this agent starts can work: no such model, no such program
    NO_SESSION = "no session"  # the session to resume does not exist
    TOO_LONG = "too long"  # the prompt or the session does not fit into the model's context
    TRANSIENT = "transient"  # the network or the server failed; the same request may work later
    EXHAUSTED = "exhausted"  # its turns or its budget are used up
    STOPPED = "stopped"  # a person or gitorch ended it
    TIMED_OUT = "timed out"  # it reached its time limit
    STALLED = "stalled"  # it printed nothing and used no processor time
    LOST = "lost"  # it ended for an unknown reason, or was cut off: never a success


class AttemptOutcome(StrEnum):
    """All ways in which an attempt can end."""

    FINISHED = "finished"  # with commits, whether or not its checks pass
    NO_CHANGES = "no changes"
    REFUSED = "refused"  # the model refused, a tool call was denied, or the work did not pass the gate
    UNANSWERED = "unanswered"  # it was asked about its work, and gave no answer
    ASKED = "asked"  # it changed nothing and ended with a question
    ANSWERED = "answered"  # it may only read, or was asked about its work; its last message is the result
    LIMITED = "limited"
    OUT_OF_BUDGET = "out of budget"
    TIMED_OUT = "timed out"
    STALLED = "stalled"
    CRASHED = "crashed"
    SETUP = "setup"
    HOOK_REFUSED = "hook refused"  # a hook of the repository's own refused the commit
    CANCELLED = "cancelled"


_OUTCOMES = {
    ExitReason.COMPLETED: AttemptOutcome.FINISHED,
    ExitReason.FAILED: AttemptOutcome.CRASHED,
    ExitReason.DECLINED: AttemptOutcome.REFUSED,
    ExitReason.LIMITED: AttemptOutcome.LIMITED,
    ExitReason.UNAUTHENTICATED: AttemptOutcome.SETUP,
    ExitReason.SETUP: AttemptOutcome.SETUP,
    ExitReason.NO_SESSION: AttemptOutcome.CRASHED,
    ExitReason.TOO_LONG: AttemptOutcome.SETUP,
    ExitReason.TRANSIENT: AttemptOutcome.CRASHED,
    ExitReason.EXHAUSTED: AttemptOutcome.OUT_OF_BUDGET,
    ExitReason.STOPPED: AttemptOutcome.CANCELLED,
    ExitReason.TIMED_OUT: AttemptOutcome.TIMED_OUT,
    ExitReason.STALLED: AttemptOutcome.STALLED,
    ExitReason.LOST: AttemptOutcome.CRASHED,
}


def outcome_of(ending: ExitReason) -> AttemptOutcome:
    """Return how an attempt ended whose agent's execution ended like this, as far as the agent decides it."""
    return _OUTCOMES[ending]


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The end of one execution: its exit reason, the cause in one line, the agent's last message, and the usage.

    `session` is the id to resume with, `denials` are the tool calls that were denied, `resets_at` is when a limit ends
    (Unix seconds; None: unknown). `question` is what the agent asked with a tool for questions. `commands` are those
    that it ran and a reviewer should know of. `leftover` is the number of processes that it left running. `calls` is
    what its calls of the model used, call by call, where its own log says that: it counts instead of `usage`.
    """

    ending: ExitReason
    reason: str = ""
    summary: str = ""
    session: str = ""
    usage: Usage | None = None
    denials: tuple[str, ...] = ()
    resets_at: float | None = None
    question: str = ""
    commands: tuple[str, ...] = ()
    leftover: int = 0
    calls: Usage | None = None

    def limit_end(self, now: datetime) -> datetime | None:
        """Return when its limit ends; None if that is not known: no time, one that is over, or an impossible one."""
        seconds = self.resets_at or 0.0
        if seconds > _MILLISECONDS:
            seconds /= 1000
        is_possible = 0 < seconds - now.timestamp() <= _LONGEST_LIMIT
        return datetime.fromtimestamp(seconds, UTC) if is_possible else None


class Exit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a supervised process ended: the supervisor's `exit.json`.

    `cause` is exited, stopped (on request), timeout (wall clock), idle (no output and no processor time), limit (of
    memory, processes or disk: `message` says which), failed-to-start, or lost (the supervisor was killed). `seconds` is
    wall time, `cpu_seconds` the processor time of the whole process tree, `leftover` the number of processes that it
    left behind.
    """

    cause: str
    exit_code: int | None = None
    signal: int | None = None
    started: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    leftover: int = 0
    message: str = ""

    @property
    def fatal_signal(self) -> int:
        """The signal that killed the program, unless it was asked to end; also behind a shell (128 + number); or 0."""
        if self.cause != "exited":
            return 0
        behind_shell = (self.exit_code or 0) - _SHELL_SIGNAL
        return self.signal or (behind_shell if behind_shell in _FATAL else 0)

    @property
    def killing(self) -> str:
        """The signal that killed the program, in words: `killed by signal 9 (Killed)`; empty if none did."""
        return f"killed by signal {self.fatal_signal} ({strsignal(self.fatal_signal)})" if self.fatal_signal else ""

    @property
    def interruption(self) -> str:
        """What kept the program from ending by itself, in words; empty if it did."""
        if self.cause == "exited":
            return self.killing
        return self.message or {"timeout": "timed out", "idle": "idle: no output and no CPU time"}.get(self.cause, "")


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a probe command: its exit code (None: no such program, or it took too long) and output."""

    argv: tuple[str, ...]
    exit_code: int | None
    stdout: str = ""
    stderr: str = ""


EventKind: TypeAlias = Literal["text", "thinking", "tool", "result", "error", "retry", "limit", "end"]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message or action of an agent, in the same form for all agents.

    `text` comes from the agent: it must be escaped before it is shown. `tool` is the name of the tool, for the
    kinds tool and result. `time` is when it was written (Unix seconds; None: unknown).
    """

    kind: EventKind
    text: str = ""
    tool: str = ""
    time: float | None = None
