"""How an execution of a command agent ended, by the user's rules: its exit code, or a file that it writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from gitorch import typed
from gitorch.config import DeclaredOutcome
from gitorch.model.outcome import Exit, ExitReason, Outcome, Usage

LARGEST = 1 << 20
"""Bytes of a result file that are read."""

_ENDINGS: Mapping[DeclaredOutcome, ExitReason] = {
    "finished": ExitReason.COMPLETED,
    "asked": ExitReason.COMPLETED,
    "refused": ExitReason.DECLINED,
    "limited": ExitReason.LIMITED,
    "out of budget": ExitReason.EXHAUSTED,
    "not logged in": ExitReason.UNAUTHENTICATED,
    "setup": ExitReason.SETUP,
    "crashed": ExitReason.LOST,
    "failed": ExitReason.FAILED,
}


class CommandUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a program says that it has used; `usd` is absent where it does not know."""

    usd: float | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a result file. Other fields are ignored; without an outcome, the exit code says how it ended.

    `resets_at` is when a limit ends: RFC 3339, with a zone.
    """

    outcome: DeclaredOutcome | None = None
    reason: str = ""
    summary: str = ""
    question: str = ""
    resets_at: datetime | None = None
    usage: CommandUsage | None = None


def declared_outcome(
    outcome: Outcome, exit_codes: Mapping[str, DeclaredOutcome], result: Exit, content: bytes | None
) -> Outcome:
    """Return an outcome by the user's rules; unchanged if it was stopped, or if no rule says anything.

    `exit_codes` holds outcomes by exit code, `content` is the result file, which counts more (None: there is none).
    """
    if result.cause != "exited":
        return outcome
    by_code = exit_codes.get(str(result.exit_code))
    if content is None:
        return _with_ending(outcome, by_code)
    try:
        written = typed.from_json(content, CommandResult)
    except msgspec.DecodeError as error:
        reason = f"its result file is not valid: {error}"
        return msgspec.structs.replace(outcome, ending=ExitReason.FAILED, reason=reason)
    return _with_result(_with_ending(outcome, written.outcome or by_code), written)


def _with_result(outcome: Outcome, written: CommandResult) -> Outcome:
    zoned = written.resets_at if written.resets_at and written.resets_at.tzinfo else None
    return msgspec.structs.replace(
        outcome,
        reason=written.reason or outcome.reason,
        summary=written.summary or outcome.summary,
        question=written.question,
        resets_at=zoned.timestamp() if zoned else None,
        usage=Usage(**msgspec.structs.asdict(written.usage), turns=1) if written.usage else None,
    )


def _with_ending(outcome: Outcome, declared: DeclaredOutcome | None) -> Outcome:
    if declared is None:
        return outcome
    ending = _ENDINGS[declared]
    return msgspec.structs.replace(outcome, ending=ending, reason=_declared_reason(outcome.reason, ending, declared))


def _declared_reason(reason: str, ending: ExitReason, declared: DeclaredOutcome) -> str:
    if ending is ExitReason.COMPLETED:
        return ""
    # of these, nothing else that people see names the outcome
    if reason and ending in (ExitReason.DECLINED, ExitReason.EXHAUSTED):
        return f"{declared}: {reason}"
    return reason or declared
