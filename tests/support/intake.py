"""What is handed in, read as one draft or refused."""

from __future__ import annotations

import pytest

from gitorch.errors import InvalidInput
from gitorch.flow.intake import TaskDraft, read


def one(source: str | bytes, name: str) -> TaskDraft:
    """Return the one draft in a file's content."""
    (draft,) = read(source if isinstance(source, bytes) else source.encode(), name)
    return draft


def refusal(source: str | bytes, name: str) -> InvalidInput:
    """Return the error that a file's content is refused with."""
    with pytest.raises(InvalidInput) as refused:
        read(source if isinstance(source, bytes) else source.encode(), name)
    return refused.value
