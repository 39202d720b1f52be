"""The integration branch and the branches of tasks as they are now. How they are merged is in `services.merging`."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.services.branches import (
        branch_facts as branch_facts,
        branch_tips as branch_tips,
        hand_work as hand_work,
        own_branches as own_branches,
        stale as stale,
    )
else:
    __getattr__ = lazy.submodules(__name__)
