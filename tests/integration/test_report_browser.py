"""The page of a report in a real browser: it is whole in both themes, asks for nothing, and plants stay text."""

from __future__ import annotations

from pathlib import Path

from gitorch.cli.views.reporting import report_page
from tests.support.browser import NEEDED, corner_colour, visit
from tests.support.pages import NOW
from tests.support.report_night import EVIL, busy_night

pytestmark = NEEDED


def test_a_hostile_night_is_silent(tmp_path: Path) -> None:
    """No plant runs, nothing is requested, nothing is on the console; the same plants act on a page without escapes."""
    page = tmp_path / "night.html"
    page.write_text(report_page.page(busy_night(), NOW), "utf-8")
    seen = visit(page, tmp_path)
    assert seen.console == ""
    assert "planted.example" not in seen.network
    assert "<title>shop: " in seen.document
    for part in ('<svg class="graph"', 'class="limit"', 'class="checks"', 'class="l added"', 'class="l twin"'):
        assert part in seen.document
    assert "<img" not in seen.document

    page.write_text(f"<!doctype html><title>x</title><pre>{EVIL}", "utf-8")
    control = visit(page, tmp_path)
    assert "<title>PWNED" in control.document
    assert "planted.example" in control.network


def test_both_themes(tmp_path: Path) -> None:
    """The page follows the theme of its reader, on a wide and on a narrow screen."""
    page = tmp_path / "night.html"
    page.write_text(report_page.page(busy_night(), NOW), "utf-8")
    assert corner_colour(page, tmp_path, width=1280, is_dark=False) == (0xFF, 0xFF, 0xFF)
    assert corner_colour(page, tmp_path, width=480, is_dark=True) == (0x0D, 0x11, 0x17)
