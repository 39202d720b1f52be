"""Reviews: verdicts, comments, suggestions, rivals, what was seen before. What a card shows is in `flow.review`."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.services.reviewing import (
        comment_places as comment_places,
        comments as comments,
        diff_sizes as diff_sizes,
        lessons as lessons,
        review as review,
        rivals as rivals,
        second_look as second_look,
        suggestions as suggestions,
    )
else:
    __getattr__ = lazy.submodules(__name__)
