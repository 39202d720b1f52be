"""The pictures of the README and the tutorial are what the commands print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gitorch.cli.main import COMMANDS
from tests.support.pages import ROOT

NAMES = ("diff", "merge", "review", "status")
DOCS = ROOT / "docs"
_CHANGING = re.compile(r"\b[0-9a-f]{7}\b|\b\d+ ?s\b")
"""Ids of commits, and how long something took: they differ each time."""


@pytest.mark.slow
def test_pictures_are_what_the_commands_print(tmp_path: Path) -> None:
    """The pictures of the docs say what the commands of the demo print now."""
    drawn = draw(tmp_path / "first")
    if told(drawn) != told(DOCS):  # a git that tidies up in the background shows as a process that an agent left
        drawn = draw(tmp_path / "second")
    stale = [name for name in told(drawn) if told(drawn)[name] != told(DOCS)[name]]
    assert not stale, "run: python docs/make_pictures.py"
    assert "give-everybody-a-discount" in said_by(DOCS / "status.svg")


def test_every_picture_of_the_docs_is_drawn_light_and_dark() -> None:
    """None is left over, none is missing, each says the same in both, and none loads anything."""
    files = {path.name for path in DOCS.glob("*.svg")}
    assert files == {f"{name}{suffix}.svg" for name in NAMES for suffix in ("", "-dark")}
    for name in NAMES:
        assert said_by(DOCS / f"{name}.svg") == said_by(DOCS / f"{name}-dark.svg")
        text = (DOCS / f"{name}.svg").read_text("utf-8")
        assert f"orchestrate {name}" in said_by(DOCS / f"{name}.svg")
        assert "url(http" not in text
        assert "gitorch-pictures" not in text


def test_recordings_are_drawn_as_they_were_recorded(tmp_path: Path) -> None:
    """Each has its two pictures, no path or host of the machine that recorded it, and commands that exist."""
    script(tmp_path, "--recordings")
    recorded = DOCS / "recordings"
    texts = [file.read_text("utf-8") for file in sorted(recorded.glob("*.txt"))]
    drawn = {file.name: file.read_text("utf-8") for file in (tmp_path / "recordings").iterdir()}
    stale = [
        name for name in drawn if not (recorded / name).exists() or (recorded / name).read_text("utf-8") != drawn[name]
    ]
    assert not stale, "run: python docs/make_pictures.py --recordings"
    assert len(list(recorded.iterdir())) == 3 * len(texts) == 24
    lines = [line for text in texts for line in text.splitlines()]
    typed = {line.split()[2] for line in lines if line.startswith("$ orchestrate ")}
    assert typed == {"config", "demo", "init", "merge", "review", "run", "status", "submit", "undo"}
    assert typed <= {name for section in COMMANDS.values() for name in section}
    assert not re.findall(r"https?://(?!127\.)|WARNING", "\n".join(texts))
    roots = {path.split("/")[1] for line in lines for path in re.findall(r"(?<![\w./~{])/[a-z][\w./-]*", line)}
    assert roots <= {"bin", "home", "tmp", "usr"}, roots
    assert len([line for line in lines if "1 task finished" in line]) == len(texts) / 2


def draw(folder: Path) -> Path:
    """Run the script of the pictures, and return the folder that it filled."""
    folder.mkdir()
    script(folder)
    return folder


def script(*words: str | Path) -> None:
    """Run the script that draws."""
    command = [sys.executable, str(DOCS / "make_pictures.py"), *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)


def told(folder: Path) -> dict[str, list[str]]:
    """Return the words of each picture, without what differs each time."""
    return {name: _CHANGING.sub("~", said_by(folder / f"{name}.svg")).split() for name in NAMES}


def said_by(picture_file: Path) -> str:
    """Return the words of a picture, a line for each piece of text; not its styles."""
    picture = ElementTree.fromstring(picture_file.read_text("utf-8"))
    pieces = (element for element in picture.iter() if element.tag.endswith("}text"))
    return "\n".join("".join(element.itertext()) for element in pieces).replace("\xa0", " ")
