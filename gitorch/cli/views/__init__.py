"""Values of the model as rich renderables: one module per subject.

A module is imported when it is first used as an attribute of this package (PEP 562): `views.status.status(...)`. So
`-h` and `--json` do not load rich.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitorch.cli.views import (
        adopt,
        board,
        check,
        error,
        events,
        forecast,
        foreign_changes,
        groups,
        help,
        history,
        labels,
        lessons,
        live,
        live_bar,
        merge,
        merge_result,
        past,
        plan,
        plan_dialog,
        plan_formats,
        preflight,
        preview,
        progress,
        quantities,
        queue,
        report,
        report_page,
        report_words,
        resolution_diff,
        resolutions,
        review,
        review_file,
        roles,
        run,
        second_look,
        setup,
        status,
        step_line,
        task,
        trust,
    )

__all__ = [
    "adopt",
    "board",
    "check",
    "error",
    "events",
    "forecast",
    "foreign_changes",
    "groups",
    "help",
    "history",
    "labels",
    "lessons",
    "live",
    "live_bar",
    "merge",
    "merge_result",
    "past",
    "plan",
    "plan_dialog",
    "plan_formats",
    "preflight",
    "preview",
    "progress",
    "quantities",
    "queue",
    "report",
    "report_page",
    "report_words",
    "resolution_diff",
    "resolutions",
    "review",
    "review_file",
    "roles",
    "run",
    "second_look",
    "setup",
    "status",
    "step_line",
    "task",
    "trust",
]

if not TYPE_CHECKING:  # a type checker would let any name pass

    def __getattr__(name: str) -> ModuleType:
        if name in __all__:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
