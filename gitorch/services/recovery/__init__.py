"""Put gitorch's state right after a kill, a loss or a move of the repository. Undo is in `services.undo`."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.services.recovery import (
        losses as losses,
        lost_notes as lost_notes,
        operations as operations,
        rebuild as rebuild,
        relocation as relocation,
    )
else:
    __getattr__ = lazy.submodules(__name__)
