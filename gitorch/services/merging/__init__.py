"""Merges: base, forecast, candidate, checks, conflicts, publishing. The algorithms are in `flow.merge`."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.services.merging import (
        auto_merge as auto_merge,
        background_jobs as background_jobs,
        background_merger as background_merger,
        candidate as candidate,
        conflict_messages as conflict_messages,
        conflict_tasks as conflict_tasks,
        forecast as forecast,
        forecast_record as forecast_record,
        merge as merge,
        merge_base as merge_base,
        merge_checks as merge_checks,
        merge_into as merge_into,
        merge_signing as merge_signing,
        pending_refresh as pending_refresh,
        preview as preview,
        rechecks as rechecks,
        refresh as refresh,
        regenerating as regenerating,
        replaying as replaying,
        resolution_diff as resolution_diff,
        resolving as resolving,
        tree_judges as tree_judges,
    )
else:
    __getattr__ = lazy.submodules(__name__)
