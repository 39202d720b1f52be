"""An error that one task causes: the task is held, and the merge continues with the others."""

from __future__ import annotations

import traceback

import msgspec

from gitorch.errors import GitorchError


class TaskError(msgspec.Struct, frozen=True):
    """Why a task cannot be planned. The `traceback` is empty if the cause is not a bug in gitorch."""

    reason: str
    traceback: str = ""


def task_error(error: Exception) -> TaskError:
    """Return an error as one of the task at hand; raise it again if every task would meet it, such as a full disk."""
    if isinstance(error, OSError | MemoryError) or (isinstance(error, GitorchError) and error.exit != 1):
        raise error
    if isinstance(error, GitorchError):
        cause = error.why.strip().partition("\n")[0]
        return TaskError(f"it cannot be planned: {error.what}" + (f" ({cause})" if cause else ""))
    reason = f"it cannot be planned: unexpected error: {type(error).__name__}: {error}"
    return TaskError(reason, "".join(traceback.format_exception(error)))
