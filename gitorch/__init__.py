"""Queue work for coding agents in the evening; review finished git branches in the morning.

The names below are the public API (`docs/api.md`). They are imported when they are first used (PEP 562), so that the
command line, which needs few of them, starts quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gitorch.version import __version__

if TYPE_CHECKING:
    from gitorch.api import (
        AnswerNeeded,
        Attempt,
        CheckResult,
        Comment,
        GitorchError,
        Incomplete,
        InvalidInput,
        LimitReached,
        MergePlan,
        NotFound,
        Priority,
        ProofFailed,
        Refused,
        RunSummary,
        SetupNeeded,
        State,
        Task,
        TaskSpec,
        UndoResult,
        Workspace,
        approve,
        comment,
        find_task,
        kill,
        open_workspace,
        plan_merge,
        publish_merge,
        redo,
        reject,
        resume,
        retry,
        revise,
        run,
        submit,
        submit_file,
        undo,
    )

__all__ = [
    "AnswerNeeded",
    "Attempt",
    "CheckResult",
    "Comment",
    "GitorchError",
    "Incomplete",
    "InvalidInput",
    "LimitReached",
    "MergePlan",
    "NotFound",
    "Priority",
    "ProofFailed",
    "Refused",
    "RunSummary",
    "SetupNeeded",
    "State",
    "Task",
    "TaskSpec",
    "UndoResult",
    "Workspace",
    "__version__",
    "approve",
    "comment",
    "find_task",
    "kill",
    "open_workspace",
    "plan_merge",
    "publish_merge",
    "redo",
    "reject",
    "resume",
    "retry",
    "revise",
    "run",
    "submit",
    "submit_file",
    "undo",
]


if not TYPE_CHECKING:  # to a type checker there are the names above and no others

    def __getattr__(name: str) -> Any:
        if name in __all__:
            return getattr(importlib.import_module("gitorch.api"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__]
