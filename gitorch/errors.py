"""Every failure a user can meet: a stable code, an exit code, what happened, why, and the command that fixes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class GitorchError(Exception):
    """A failure that a person can understand and mend.

    One subclass for each exit code of the command line. `code` is a stable name for
    programs, `what` one line, `why` the cause, `fix` the commands to copy.
    """

    exit: ClassVar[int] = 1

    def __init__(self, code: str, what: str, *, why: str = "", fix: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.fix = fix


class ProofFailed(GitorchError):
    """What was about to be published is not what was planned and checked: a fault of gitorch, and nothing was moved."""


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
    """The state of things forbids it: not approved, dirty, lock held, called from inside an agent."""

    exit = 5


class Incomplete(GitorchError):
    """It ran to its end, but a task or a required check failed."""

    exit = 6


class LimitReached(GitorchError):
    """A budget, time or review limit stopped the run; the work is left in the queue."""

    exit = 8


class AnswerNeeded(GitorchError):
    """A question had to be asked, and there was nobody to ask."""

    exit = 9


def did_you_mean(name: str, candidates: Iterable[str], lead: str = "") -> str:
    """Return `did you mean NAME?` of the known name that is nearest, after a `lead`; empty where none is near."""
    matches = _nearest(name, candidates, limit=1)
    return f"{lead}did you mean {matches[0]}?" if matches else ""


def there_is(name: str, candidates: Iterable[str]) -> str:
    """Return `there is A, B, C` of the known names that are near; empty where none is."""
    matches = _nearest(name, candidates, limit=3)
    return f"there is {', '.join(matches)}" if matches else ""


def _nearest(name: str, candidates: Iterable[str], *, limit: int) -> list[str]:
    # only a mistake has to wait for its import
    import difflib

    return difflib.get_close_matches(name, [*candidates], n=limit)
