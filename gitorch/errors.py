"""Errors: a stable code, an exit code, what happened, why, and the commands that fix it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class GitorchError(Exception):
    """A failure with an explanation and a fix for the user.

    Each exit code of the command line has a subclass. `code` is a stable name for programs, `what` one line, `why` the
    cause, and `fix` the commands to copy.
    """

    exit: ClassVar[int] = 1

    def __init__(self, code: str, what: str, *, why: str = "", fix: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.fix = fix


class ProofFailed(GitorchError):
    """The result to publish differs from what was planned and checked. This is a bug in gitorch; nothing was moved."""


class InvalidInput(GitorchError):
    """Wrong usage, or an invalid configuration or tasks file."""

    exit = 2


class NotFound(GitorchError):
    """No such task or plan, or not inside a git repository."""

    exit = 3


class SetupNeeded(GitorchError):
    """An agent is missing or not logged in, or git is too old."""

    exit = 4


class Refused(GitorchError):
    """The current state does not allow it: not approved, dirty, locked, or called from inside an agent."""

    exit = 5


class Incomplete(GitorchError):
    """The command finished, but a task or a required check failed."""

    exit = 6


class LimitReached(GitorchError):
    """A budget, time or review limit stopped the run; the remaining tasks stay queued."""

    exit = 8


class AnswerNeeded(GitorchError):
    """The command needs an answer, and no terminal is available to ask."""

    exit = 9


def did_you_mean(name: str, candidates: Iterable[str], lead: str = "") -> str:
    """Return `did you mean NAME?` for the closest candidate, after a `lead`; empty if none is similar."""
    matches = _nearest(name, candidates, limit=1)
    return f"{lead}did you mean {matches[0]}?" if matches else ""


def there_is(name: str, candidates: Iterable[str]) -> str:
    """Return `there is A, B, C` for up to three similar candidates; empty if none is similar."""
    matches = _nearest(name, candidates, limit=3)
    return f"there is {', '.join(matches)}" if matches else ""


def _nearest(name: str, candidates: Iterable[str], *, limit: int) -> list[str]:
    # imported here: it takes 1.5 ms, and every command imports this module
    import difflib

    return difflib.get_close_matches(name, [*candidates], n=limit)
