"""Repositories of every shape: one task from the queue to the integration branch, and nothing else moves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.cli import Cli, does, saved
from tests.support.git import commit, commit_on_branch, git

OFF = {"GITORCH_SANDBOX_MODE": "off"}
CHECK = '[checks]\ntest = "test -e README.md"\n'


def beside(source: Path, name: str, *worktrees: str) -> Path:
    """Make a bare clone in a folder of its own, with worktrees of these branches next to it; return the folder."""
    folder = source.parent / "project"
    git("clone", "--quiet", "--bare", str(source), str(folder / name), cwd=source.parent)
    if name != ".git":
        (folder / ".git").write_text(f"gitdir: ./{name}\n")
    for branch in worktrees:
        git("worktree", "add", "--quiet", branch, branch, cwd=folder)
    return folder


# a bare repository with worktrees next to it


@pytest.fixture
def source(repository_folder: Path) -> Path:
    """A repository with a check in its configuration, and a branch that is one commit ahead."""
    tip = commit(repository_folder, "Configure", {".orchestrate.toml": CHECK})
    commit_on_branch(repository_folder, "feature", tip, ("Feature", {"feature.txt": "1"}))
    return repository_folder


@pytest.mark.parametrize("name", [".bare", ".git", "repo.git"])
def test_worktrees_next_to_a_bare_repository(source: Path, name: str) -> None:
    """The file of the worktree with HEAD's branch is in force everywhere, and only that one follows a merge."""
    folder = beside(source, name, "main", "feature")
    cli = Cli(folder / "main", **OFF)
    assert cli.json("config", "get", "checks.test", cwd=folder / "feature")["value"] == "test -e README.md"
    assert cli.json("config", "get", "checks.test", cwd=folder)["value"] == "test -e README.md"
    cli("config", "trust", "--yes")
    cli("adopt", "--check", "feature")
    cli("approve", "--all")
    cli("merge")
    before = git("rev-parse", "HEAD", cwd=folder / "feature")
    cli("merge", "--into", "main")
    assert (folder / "main" / "feature.txt").read_text() == "1"
    assert [git("status", "--porcelain", cwd=folder / tree) for tree in ("main", "feature")] == ["", ""]
    assert git("rev-parse", "HEAD", cwd=folder / "feature") == before
    assert not (folder / "README.md").exists()


def test_a_task_in_a_bare_repository_with_worktrees(source: Path) -> None:
    """Its worktree is next to the user's, and the personal file and ignored files come from the user's worktree."""
    folder = beside(source, ".bare", "main")
    cli = Cli(folder / "main", **OFF)
    (folder / "main" / ".orchestrate.local.toml").write_text('[prepare]\ncopy = [".env"]\n')
    (folder / "main" / ".env").write_text("secret")
    cli("config", "trust", "--yes")
    cli.queue(does("One", "test -e .env", saved("one.txt", "1")))
    cli.run()
    assert cli.tasks()["one"]["worktree"] == str(folder / "project.orch" / "one")
    cli("approve", "one")
    cli("merge")
    assert git("show", "orch/integration:one.txt", cwd=folder) == "1"


def test_a_bare_repository_without_a_worktree_has_the_file_of_head(source: Path) -> None:
    """Its configuration is what HEAD has; a worktree on another branch counts for the commands started in it."""
    folder = beside(source, ".bare")
    cli = Cli(folder, **OFF)
    assert cli.json("config", "get", "checks.test")["value"] == "test -e README.md"
    git("worktree", "add", "--quiet", "feature", "feature", cwd=folder)
    (folder / "feature" / ".orchestrate.toml").write_text('[checks]\ntest = "true"\n')
    assert cli.json("config", "get", "checks.test", cwd=folder / "feature")["value"] == "true"
    assert cli.json("config", "get", "checks.test")["value"] == "test -e README.md"


def test_files_of_a_tasks_worktree_configure_nothing(source: Path) -> None:
    """What an agent wrote in its own worktree of a bare repository is not read as the user's configuration."""
    folder = beside(source, ".bare")
    cli = Cli(folder, **OFF)
    cli("config", "trust", "--yes")
    cli.queue(does("One", saved(".orchestrate.toml", 'agent = "evil"\n')))
    cli.run(ok=(0, 6))
    worktree = Path(cli.tasks()["one"]["worktree"])
    assert cli.json("config", "get", "agent", cwd=worktree)["value"] == "sh"


# the commands of the commit that a task starts on


@pytest.fixture
def edited(source: Path) -> Cli:
    """A repository whose configuration file was edited and not committed."""
    (source / ".orchestrate.toml").write_text('[checks]\ntest = "test -e one.txt"\n')
    return Cli(source, **OFF)


def work(cli: Cli) -> Mapping[str, str]:
    cli("config", "trust", "--yes")
    cli.run(ok=(0, 6))
    return cli.states()


def test_trust_covers_the_commit_that_a_task_starts_on(edited: Cli) -> None:
    """`config trust` shows the checks of the base commit next to those of the file, and agrees to both."""
    edited.queue(does("One", saved("one.txt", "1")))
    shown = edited("config", "trust", "--no-input", ok=9).stderr
    assert "test -e one.txt" in shown
    assert "test -e README.md" in shown
    assert work(edited) == {"one": "finished"}
    assert edited.json("config", "trust") == edited.json("config", "trust", "--yes")


def test_trust_covers_other_bases(edited: Cli) -> None:
    """So does a base that was asked for, and the tip of a dependency that changed the file."""
    old = git("rev-parse", "HEAD", cwd=edited.folder)
    commit_on_branch(edited.folder, "old", old, ("Other", {".orchestrate.toml": '[checks]\nother = "true"\n'}))
    edited.queue({**does("One", saved("one.txt", "1")), "base": "old"})
    assert work(edited) == {"one": "finished"}
    edited.queue(does("Two", saved(".orchestrate.toml", '[checks]\ntwo = "true"\n')))
    edited.queue(does("Three", saved("three.txt", "3"), after=["two"]))
    edited("run", ok=6)
    assert work(edited)["three"] == "finished"


def test_a_personal_file_does_not_hide_the_committed_checks(source: Path) -> None:
    """Checks of the personal file join those of the commit, which are trusted on their own."""
    (source / ".orchestrate.local.toml").write_text('[checks]\nmine = "true"\n')
    cli = Cli(source, **OFF)
    cli.queue(does("One", saved("one.txt", "1")))
    assert work(cli) == {"one": "finished"}
