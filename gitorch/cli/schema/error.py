"""The answer of every command that fails."""

from __future__ import annotations

from gitorch.cli.schema.answer import JsonAnswer
from gitorch.errors import GitorchError


class ErrorAnswer(JsonAnswer, tag="gitorch/error/1", frozen=True, kw_only=True):
    """Why a command failed, and what fixes it."""

    code: str
    """A stable name of this kind of failure."""
    what: str
    why: str | None
    fix: list[str]
    """Commands to run, or what else to do."""
    exit: int
    """The exit code of the process."""

    @classmethod
    def of(cls, error: GitorchError) -> ErrorAnswer:
        """Return the answer for a failure."""
        return cls(code=error.code, what=error.what, why=error.why or None, fix=list(error.fix), exit=error.exit)
