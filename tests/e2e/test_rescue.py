"""`rescue list`, `show` and `restore`: uncommitted work comes back, also after its task was cleaned up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cli import Cli, does, saved
from tests.support.git import git


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def test_uncommitted_work_comes_back(cli: Cli, tmp_path: Path) -> None:
    """What a rejected task left is listed, shown and written into a new folder; nothing is overwritten."""
    assert cli("rescue", "list").text == "there are no rescue points\n"
    assert cli.json("rescue", "list")["points"] == []
    leftovers = "echo results > debug.log; git init -q nest; echo n > nest/n; mkfifo pipe; ln -s /etc/passwd pointer"
    cli.queue(does("One", saved("a.txt", "a"), leftovers, "rm README.md"))
    cli.run(ok=6)
    cli("retry", "one")
    git("update-ref", "-d", "refs/heads/orch/one", cwd=cli.folder)
    cli.run(ok=6)
    cli("reject", "one")
    cli("cleanup", "--yes")
    points = cli.json("rescue", "list", "one")["points"]
    assert [(point["task"], point["number"]) for point in points] == [
        ("one", number + 1) for number in range(len(points))
    ]
    assert points == cli.json("rescue", "list")["points"]
    shown = cli.json("rescue", "show", "one")
    assert {"path": "debug.log", "change": "saved"} in shown["files"]
    assert {"path": "README.md", "change": "deleted"} in shown["files"]
    assert {"path": "nest/n", "change": "saved"} in shown["files"]
    assert shown["point"]["skipped"] == ['"pipe" a FIFO']
    assert 'not saved  "pipe" a FIFO' in cli("rescue", "show", "one").text
    target = tmp_path / "back"
    answer = cli.json("rescue", "restore", "one", "--to", str(target))
    assert answer["folder"] == str(target)
    assert (target / "debug.log").read_text() == "results\n"
    assert (target / "nest/n").read_text() == "n\n"
    assert (target / "nest/.git-saved/HEAD").exists()
    assert not (target / "nest/.git").exists()
    assert os.readlink(target / "pointer") == "/etc/passwd"
    assert "exists and is not empty" in cli("rescue", "restore", "one", "--to", str(target), ok=5).stderr
    assert "read its config" in cli("rescue", "restore", "one").stderr
    assert (cli.folder.parent / "repo.orch" / f"one.rescued-{points[0]['commit'][:8]}" / "debug.log").exists()


def test_what_there_is_not(cli: Cli) -> None:
    """An unknown task, a task without a rescue point and a number too high end with 3, and say what there is."""
    cli("submit", "One")
    assert "has no rescue point" in cli("rescue", "show", "one", ok=3).stderr
    assert cli("rescue", "show", "nobody", ok=3).stderr
    tree = git("rev-parse", "HEAD^{tree}", cwd=cli.folder)
    oid = git("commit-tree", tree, "-p", "HEAD", "-m", "m", cwd=cli.folder)
    git("update-ref", "refs/gitorch/rescue/one", oid, cwd=cli.folder)
    assert "it has 1" in cli("rescue", "restore", "one", "-n", "2", ok=3).stderr
    assert cli.json("rescue", "show", "one")["files"] == []
