"""The use cases: plain functions that take a `Workspace`, grouped in modules.

A module is imported when it is first used as an attribute of this package (PEP 562): `services.merge.publish(...)`.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitorch.services import (
        adopt,
        agents,
        branch_tips,
        branches,
        candidate,
        check,
        checks,
        context,
        demo,
        diff_sizes,
        forecast,
        forecast_record,
        guard,
        hand_work,
        hooks,
        lookup,
        losses,
        lost_notes,
        maintenance,
        merge,
        merge_signing,
        moved,
        notes_exchange,
        open,
        plan,
        plan_approval,
        planner,
        preflight,
        preview,
        project_setup,
        protection,
        queue,
        rebuild,
        recovery,
        relocation,
        repairs,
        replaying,
        report,
        rescue,
        resume,
        review,
        roles,
        run,
        run_lock,
        sandbox,
        settings,
        setup,
        stop,
        submit,
        undo,
        uninstall,
        watch,
    )

__all__ = [
    "adopt",
    "agents",
    "branch_tips",
    "branches",
    "candidate",
    "check",
    "checks",
    "context",
    "demo",
    "diff_sizes",
    "forecast",
    "forecast_record",
    "guard",
    "hand_work",
    "hooks",
    "lookup",
    "losses",
    "lost_notes",
    "maintenance",
    "merge",
    "merge_signing",
    "moved",
    "notes_exchange",
    "open",
    "plan",
    "plan_approval",
    "planner",
    "preflight",
    "preview",
    "project_setup",
    "protection",
    "queue",
    "rebuild",
    "recovery",
    "relocation",
    "repairs",
    "replaying",
    "report",
    "rescue",
    "resume",
    "review",
    "roles",
    "run",
    "run_lock",
    "sandbox",
    "settings",
    "setup",
    "stop",
    "submit",
    "undo",
    "uninstall",
    "watch",
]


if not TYPE_CHECKING:  # a type checker would accept any attribute

    def __getattr__(name: str) -> ModuleType:
        if name in __all__:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
