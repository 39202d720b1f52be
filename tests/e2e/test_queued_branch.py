"""`base = "auto"` is the branch that a task was queued on, wherever the user is when it runs and is merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import OBEDIENT, Cli, does, saved
from tests.support.git import commit, git

OFF = {"GITORCH_SANDBOX_MODE": "off"}


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    """A repository on `main`, with a task that was queued there; the user has gone to `feature`, one commit ahead."""
    cli = Cli(repository_folder, **OFF)
    cli.queue(does("One", saved("one.txt", "1")))
    git("checkout", "--quiet", "-b", "feature", cwd=repository_folder)
    commit(repository_folder, "Feature", {"feature.txt": "1"})
    return cli


def _contains(cli: Cli, tip: str, older: str) -> bool:
    return git("merge-base", older, tip, cwd=cli.folder) == git("rev-parse", older, cwd=cli.folder)


def test_a_task_starts_on_the_branch_that_it_was_queued_on(cli: Cli) -> None:
    """At its current tip; what was queued on another branch starts on that one."""
    git("checkout", "--quiet", "main", cwd=cli.folder)
    moved = commit(cli.folder, "Move on", {"moved.txt": "1"})
    git("checkout", "--quiet", "feature", cwd=cli.folder)
    cli.queue(does("Two", saved("two.txt", "2")))
    cli.run()
    assert git("rev-parse", "orch/one~1", cwd=cli.folder) == moved
    assert git("rev-parse", "orch/two~1", cwd=cli.folder) == git("rev-parse", "feature", cwd=cli.folder)


def test_the_integration_branch_starts_there(cli: Cli) -> None:
    """So `merge --into` does not bring along a branch that the user happens to be on; later merges follow it."""
    cli.run()
    cli("approve", "one")
    cli("merge")
    assert not _contains(cli, "orch/integration", "feature")
    cli("merge", "--into", "main")
    assert not _contains(cli, "main", "feature")
    assert git("show", "main:one.txt", cwd=cli.folder) == "1"


def test_a_branch_that_is_gone_is_named(cli: Cli) -> None:
    """The task waits for another base, and its reason names the command; a tag of the name does not take its place."""
    git("branch", "--quiet", "--delete", "--force", "main", cwd=cli.folder)
    git("tag", "main", cwd=cli.folder)
    said = cli.run(ok=6)
    assert "the branch main is gone" in said.text + said.stderr
    assert cli.states() == {"one": "queued"}
    cli("edit", "one", "--base", "feature")
    cli.run()
    assert _contains(cli, "orch/one", "feature")


def test_a_tag_does_not_hide_the_branch(cli: Cli) -> None:
    """A base that is named, in a command or in the configuration, is the branch of this name, as in `git switch`."""
    git("tag", "feature", "main", cwd=cli.folder)
    cli("edit", "one", "--base", "feature")
    cli.run()
    assert _contains(cli, "orch/one", "refs/heads/feature")
    cli.configure('base = "feature"\n' + OBEDIENT)
    cli.queue(does("Two", saved("two.txt", "2")))
    cli.run()
    assert _contains(cli, "orch/two", "refs/heads/feature")


def test_a_head_without_commits_holds_only_tasks_without_a_base(cli: Cli) -> None:
    """After `git switch --orphan`, what was queued on a branch or names its base runs; the rest says why it waits."""
    git("switch", "--quiet", "--orphan", "pages", cwd=cli.folder)
    cli.queue(does("Nowhere", saved("nowhere.txt", "1")))
    said = cli.run(ok=6)
    assert cli.states() == {"one": "finished", "nowhere": "queued"}
    assert "the branch pages, which HEAD names, has no commits yet" in said.text + said.stderr
    cli("reject", "one", "-m", "no")
    assert cli.error("run", exit=3)["code"] == "no-commit"


def test_in_a_linked_worktree_it_is_the_branch_of_that_worktree(repository_folder: Path) -> None:
    """The branch you are on is the one around you, and not that of a task's worktree."""
    folder = repository_folder.parent / "linked"
    git("worktree", "add", "--quiet", "-b", "linked", str(folder), cwd=repository_folder)
    tip = commit(folder, "Linked", {"linked.txt": "1"})
    linked = Cli(folder, **OFF)
    linked.queue(does("One", saved("one.txt", "1")))
    linked.run()
    linked("approve", "one")
    linked("merge")
    assert git("rev-parse", "orch/integration~1", cwd=folder) == tip
    git("checkout", "--quiet", "-b", "other", cwd=repository_folder)
    moved = commit(repository_folder, "Other", {"other.txt": "1"})
    inside = Cli(Path(linked.tasks()["one"]["worktree"]), **OFF)
    inside.queue(does("Two", saved("two.txt", "2")))
    inside.run()
    assert git("rev-parse", "orch/two~1", cwd=folder) == moved
