"""The reference pages are made from the code, and are not stale."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
MADE = runpy.run_path(str(DOCS / "make_reference.py"))


@pytest.mark.parametrize("name", sorted(MADE["PAGES"]))
def test_a_reference_page_says_what_the_code_says(name: str) -> None:
    """Run `python docs/make_reference.py` after a change of options or settings."""
    assert (DOCS / name).read_text("utf-8") == MADE["PAGES"][name]()
