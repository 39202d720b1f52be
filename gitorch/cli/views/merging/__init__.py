"""The plan, the progress and the result of a merge. Forecasts are in `views.forecast`."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.cli.views.merging import (
        merge as merge,
        merge_branches as merge_branches,
        merge_entries as merge_entries,
        merge_result as merge_result,
        preview as preview,
        resolution_diff as resolution_diff,
    )
else:
    __getattr__ = lazy.submodules(__name__)
