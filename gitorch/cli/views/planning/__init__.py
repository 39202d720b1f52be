"""Plans as tables, text and other formats, and the conversation about them."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.cli.views.planning import (
        plan as plan,
        plan_dialog as plan_dialog,
        plan_formats as plan_formats,
        roles as roles,
    )
else:
    __getattr__ = lazy.submodules(__name__)
