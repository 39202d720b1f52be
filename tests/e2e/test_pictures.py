"""The README's pictures are what the commands print."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.pages import ROOT


@pytest.mark.slow
def test_pictures_come_from_what_the_commands_print(tmp_path: Path) -> None:
    """The script of the README's pictures draws the demo's real output, loads nothing and knows no machine's paths."""
    script = [sys.executable, str(ROOT / "docs" / "make_pictures.py"), str(tmp_path)]
    subprocess.run(
        script,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    for name in ("status", "status-dark", "review", "merge"):
        text = (tmp_path / f"{name}.svg").read_text("utf-8")
        assert f"orchestrate {name.removesuffix('-dark')}" in said_by(tmp_path / f"{name}.svg")
        assert "url(http" not in text
        assert "gitorch-pictures" not in text
    assert "give-everybody-a-discount" in said_by(tmp_path / "status.svg")


def said_by(picture_file: Path) -> str:
    return "".join(ElementTree.fromstring(picture_file.read_text("utf-8")).itertext()).replace("\xa0", " ")
