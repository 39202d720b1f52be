"""A further attempt starts in a new worktree, and what an agent puts in its worktree's place is never touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.git.layout import TRASH
from tests.support.cli import Cli, does, saved
from tests.support.git import git


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def worktree(cli: Cli, name: str = "one") -> Path:
    return cli.folder.parent / "repo.orch" / name


def test_a_retry_finds_nothing_of_the_attempt_before(cli: Cli) -> None:
    """Neither ignored files nor a repository inside: both are in the trash, and do not fail the next attempt."""
    first = "echo poison > debug.log; git init -q nest; echo n > nest/n"
    second = "test ! -e debug.log; test ! -e nest"
    cli.queue(does("One", f"if test -e {cli.folder.parent}/once; then {second}", f"else {first}; fi", "date > a.txt"))
    cli.run(ok=6)
    assert "contains a git repository" in cli.tasks()["one"]["reason"]
    (cli.folder.parent / "once").touch()
    cli("retry", "one")
    cli.run()
    assert cli.states() == {"one": "finished"}
    (trashed,) = (worktree(cli).parent / TRASH).iterdir()
    assert (trashed / "debug.log").read_text() == "poison\n"
    assert (trashed / "nest" / "n").read_text() == "n\n"


def test_a_link_in_the_place_of_a_worktree_is_not_followed(cli: Cli) -> None:
    """The attempt fails in words; nothing of the user's checkout is reset, removed or committed; a retry works."""
    (cli.folder / "README.md").write_text("unsaved\n")
    (cli.folder / "untracked.txt").write_text("precious\n")
    link = f"cd ..; mv one moved; ln -s '{cli.folder}' one"
    cli.queue(does("One", f"if test ! -e {cli.folder.parent}/once; then {link}; fi", saved("a.txt", "a")))
    with cli.untouched():
        cli.run(ok=6)
        assert "it is a link to" in cli.tasks()["one"]["reason"]
        (cli.folder.parent / "once").touch()
        cli("retry", "one")
        cli.run()
    assert cli.states() == {"one": "finished"}
    assert (cli.folder / "untracked.txt").read_text() == "precious\n"
    assert "untracked.txt" not in git("log", "--all", "--format=", "--name-only", cwd=cli.folder)
    assert not worktree(cli).is_symlink()


def test_cleanup_and_undo_bring_ignored_files_back(cli: Cli) -> None:
    """Undo of a cleanup restores the worktree whole, as git sees it, too."""
    cli.queue(does("One", "echo results > debug.log", saved("a.txt", "a")))
    cli.run()
    before = git("worktree", "list", "--porcelain", cwd=cli.folder)
    cli("reject", "one")
    cli("cleanup", "--yes")
    assert not worktree(cli).exists()
    cli("undo")
    assert (worktree(cli) / "debug.log").read_text() == "results\n"
    assert git("worktree", "list", "--porcelain", cwd=cli.folder) == before
    assert git("status", "--porcelain", cwd=worktree(cli)) == ""
