"""The guides in docs: every command on them works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.blocks import blocks, run_blocks
from tests.support.cli import ROOT
from tests.support.git import commit, git

DOCS = ROOT / "docs"


def test_the_morning(repository_folder: Path, tmp_path: Path) -> None:
    run_blocks(blocks(DOCS / "morning.md"), repository_folder, tmp_path)


def test_the_first_night(repository_folder: Path, tmp_path: Path) -> None:
    run_blocks(blocks(DOCS / "tutorial.md"), repository_folder, tmp_path)
    assert "add-a-users-table.txt" in git("ls-tree", "--name-only", "main", cwd=repository_folder)


def test_how_to(repository_folder: Path, tmp_path: Path) -> None:
    """In a clone of a repository that has a branch by somebody else."""
    git("switch", "-q", "-c", "feature/search", cwd=repository_folder)
    commit(repository_folder, "Add search\n", {"search.txt": "search\n"})
    git("switch", "-q", "main", cwd=repository_folder)
    git("clone", "-q", "--bare", str(repository_folder), str(tmp_path / "origin"), cwd=tmp_path)
    git("branch", "-q", "-D", "feature/search", cwd=repository_folder)
    git("remote", "add", "origin", str(tmp_path / "origin"), cwd=repository_folder)
    run_blocks(blocks(DOCS / "how-to.md"), repository_folder, tmp_path)
    assert not (repository_folder / ".git/gitorch").exists()


def test_every_code_of_the_troubleshooting_page_exists() -> None:
    """A message that no longer exists helps nobody."""
    codes = set(re.findall(r"^\| `([a-z-]+)` \|", (DOCS / "troubleshooting.md").read_text("utf-8"), re.MULTILINE))
    source = "".join(path.read_text("utf-8") for path in (ROOT / "gitorch").rglob("*.py"))
    assert len(codes) > 25
    assert {code for code in codes if f'"{code}"' not in source} == set()
