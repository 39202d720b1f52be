"""What a run shows: preflight, board, progress, summary. The page of `status` is in `views.status`."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.cli.views.running import (
        board as board,
        board_timeline as board_timeline,
        live as live,
        live_bar as live_bar,
        preflight as preflight,
        progress as progress,
        run as run,
    )
else:
    __getattr__ = lazy.submodules(__name__)
