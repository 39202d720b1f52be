"""The list and the page of a review, its file for an editor, and what changed since. Diffs are git's own."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.cli.views.reviewing import (
        lessons as lessons,
        review as review,
        review_file as review_file,
        rivals as rivals,
        second_look as second_look,
    )
else:
    __getattr__ = lazy.submodules(__name__)
