"""What end-to-end tests of several commands share: a repository with checks, and what plain git shows of it."""

from __future__ import annotations

import json
from typing import Any

from tests.support.cli import Cli
from tests.support.git import commit, git


def checked(cli: Cli, **checks: str) -> None:
    """Give the repository checks, committed and agreed to."""
    lines = "".join(f"{name} = {command!r}\n" for name, command in checks.items())
    commit(cli.folder, "Add checks\n", {".orchestrate.toml": f"[checks]\n{lines}"})
    cli("config", "trust", "--yes")


def show(cli: Cli, name: str) -> str:
    """Return what git has under a name."""
    return git("show", name, cwd=cli.folder)


def notes(cli: Cli, commit: str) -> list[dict[str, Any]]:
    """Return the lines of a commit's note, read by plain git."""
    return [json.loads(line) for line in git("notes", "--ref=gitorch", "show", commit, cwd=cli.folder).splitlines()]
