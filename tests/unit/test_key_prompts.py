"""The keys of a review, on a terminal of 80 cells."""

from __future__ import annotations

import pytest

from gitorch.cli.commands.hunk_keys import HUNK_HELP, HUNK_PROMPT
from gitorch.cli.commands.review_keys import HELP, PROMPT, PROMPT_AGAIN


@pytest.mark.parametrize("prompt", [PROMPT, PROMPT_AGAIN, "viewed " + HUNK_PROMPT.format(hide="show")])
def test_a_prompt_fits_a_line(prompt: str) -> None:
    """Also with the position of the 99th of 99, and with the key that is pressed."""
    assert len(f"99/99 {prompt} x") <= 80


@pytest.mark.parametrize("keys", [HELP, HUNK_HELP])
def test_the_keys_fit_lines(keys: str) -> None:
    assert max(map(len, keys.splitlines())) <= 80
