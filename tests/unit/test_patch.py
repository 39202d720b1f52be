"""What `diff` and `log --raw` send to a terminal: git's colours, and nothing else that steers it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from gitorch.cli.terminal.patch import DEFAULTS, Colours, shown, whole_lines
from gitorch.model.credentials.redaction import Redactor
from tests.support.git import git

HOSTILE = b"x\x1b]52;c;cm0gLXJmIH4K\x07y\x1b[31mred\x1b[8mhidden\x1b[2J\xc2\x9b2J\rEVIL\xff\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git("init", "-q", cwd=tmp_path)
    (tmp_path / "a.txt").write_bytes(b"old\n")
    git("add", "-A", cwd=tmp_path)
    git("commit", "-qm", "base", cwd=tmp_path)
    (tmp_path / "a.txt").write_bytes(HOSTILE)
    (tmp_path / "n\x1b]0;TITLE\x07.txt").write_bytes(b"z\n")
    git("add", "-A", cwd=tmp_path)
    return tmp_path


def diff(folder: Path, colours: Colours | None, *options: str) -> str:
    settings = [*colours.options, "-c", "color.diff=always"] if colours else ["-c", "color.diff=never"]
    command = ["git", "-c", "core.quotePath=false", *settings, "diff", "--text", "--cached", *options]
    output = subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout
    return b"".join(shown(whole_lines([output]), colours, Redactor().feed, escape=True)).decode()


def test_git_keeps_its_colours_and_a_file_has_none(repository: Path) -> None:
    """The sequences of git are the only ones: a file cannot hide text, clear the screen or fill the clipboard."""
    text = diff(repository, Colours())
    assert "\x1b[32m+" in text
    assert "\x1b[31m-old" in text
    sequences = set(re.findall(r"\x1b[^a-zA-Z]*[a-zA-Z]", text))
    assert sequences <= {*DEFAULTS.values(), "\x1b[m"}
    assert r"x\x1b]52;c;cm0gLXJmIH4K\x07y\x1b[31mred\x1b[8mhidden\x1b[2J\x9b2J\rEVIL\xff" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]", text)


def test_the_colours_of_the_user_are_shown(repository: Path) -> None:
    """What git was given instead is nowhere to be seen."""
    text = diff(repository, Colours({"new": "\x1b[1;35m", "old": ""}), "--color-words")
    assert "\x1b[1;35m" in text
    assert "38;2" not in text


def test_without_colours_every_escape_is_shown_as_text(repository: Path) -> None:
    """NO_COLOR is no way round."""
    assert "\x1b" not in diff(repository, None)


def test_a_credential_in_a_coloured_diff_is_redacted(repository: Path) -> None:
    """It stands between two colours; a key spans lines that each have their own."""
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----\n"
    (repository / "a.txt").write_text(f"token ghp_{'a' * 36}\n{key}after\n")
    text = diff(repository, Colours())
    git("add", "-A", cwd=repository)
    text = diff(repository, Colours())
    assert "[redacted github-token]" in text
    assert "[redacted private-key]" in text
    assert "MIIE" not in text
    assert "after" in text


@pytest.mark.parametrize("size", [1, 7, 1000, 70_000])
def test_chunks_are_joined_to_whole_lines_without_loss(size: int) -> None:
    """However the pipe cuts them, and however long a line is."""
    text = "é\x1b[32m\n".encode() * 1000 + "ü".encode() * 100_000 + b"\nend"
    chunks = [text[start : start + size] for start in range(0, len(text), size)] if size > 1 else [text]
    blocks = list(whole_lines(chunks))
    assert b"".join(blocks) == text
    for block in blocks:
        block.decode()
