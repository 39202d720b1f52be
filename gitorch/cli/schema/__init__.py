"""The JSON answers: one typed struct per answer, and the functions that fill it from values of the model.

An answer is a subclass of `answer.JsonAnswer`, tagged with its schema (`gitorch/<command>/1`). Parts that answers share
end in `Json`. `docs/make_schemas.py` exports all of them as JSON Schemas; the docstrings become their descriptions.

A module is imported when it is first used as an attribute of this package (PEP 562): `schema.status.StatusAnswer`.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitorch.cli.schema import (
        answer,
        context,
        error,
        forecast,
        history,
        maintenance,
        merge,
        plan,
        preview,
        progress,
        queue,
        report,
        rescue,
        resolution,
        resolution_diff,
        review,
        run,
        second_look,
        start,
        status,
        task,
        undo,
    )

__all__ = [
    "answer",
    "context",
    "error",
    "forecast",
    "history",
    "maintenance",
    "merge",
    "plan",
    "preview",
    "progress",
    "queue",
    "report",
    "rescue",
    "resolution",
    "resolution_diff",
    "review",
    "run",
    "second_look",
    "start",
    "status",
    "task",
    "undo",
]

if not TYPE_CHECKING:  # a type checker would let any name pass

    def __getattr__(name: str) -> ModuleType:
        if name in __all__:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
