"""`undo` and `redo` as people and scripts meet them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from gitorch.git.layout import TRASH
from tests.support.cli import Cli, does, saved
from tests.support.days import branch, whole
from tests.support.git import commit, git


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def test_a_morning_taken_back_and_brought_again(cli: Cli) -> None:
    """After a real night, verdicts, merge and clean-up are taken back one by one; the agents' work is not."""
    cli.queue(does("One", saved("one.txt", "1"), id="one"), does("Two", saved("two.txt", "2"), id="two"))
    cli.run()
    states = [whole(cli.folder)]
    with cli.untouched():
        for words in (("approve", "one"), ("reject", "two"), ("merge",), ("cleanup", "--yes")):
            cli(*words)
            states.append(whole(cli.folder))
        for at, kind in zip((3, 2, 1, 0), ("cleanup", "merge", "reject", "approve"), strict=True):
            found = cli.json("undo")
            assert found["operation"]["kind"] == kind
            assert whole(cli.folder) == states[at]
        error = cli.error("undo", exit=5)
        assert error["code"] == "undo-refused"
        assert "has changed since" in error["what"]
        for at in (1, 2, 3, 4):
            cli("redo")
            assert whole(cli.folder) == states[at]
        assert cli.error("redo", exit=5)["code"] == "nothing-to-undo"


def test_undo_says_what_it_did_and_what_is_gone(cli: Cli) -> None:
    """In words: the operation, the tasks as they are now, what could not be brought back, and the way forward."""
    cli.queue(does("One", "date +%N > one.txt; git add -A; git commit -qm One", id="one"))
    cli.run()
    assert "to undo: orchestrate undo" in cli("approve", "one").stderr
    assert "to undo: orchestrate undo" in cli("merge").stderr
    answer = cli("undo")
    assert answer.text.splitlines() == ["undone: merge one", "one  approved"]
    assert answer.stderr.splitlines() == ["to redo: orchestrate redo"]
    assert cli("redo").text.splitlines() == ["redone: merge one", "one  merged"]
    cli("cleanup", "--yes")
    shutil.rmtree(cli.folder.parent / "repo.orch" / TRASH)
    answer = cli("undo")
    assert "the worktree of one no longer exists" in answer.stderr
    assert cli.json("undo", "--list")["undone"][0]["what"] == "clean up one"
    cli("log", "one")
    cli("undo")
    cli("undo")
    cli("revise", "one", "-m", "Once more")
    cli.run()
    assert cli.states() == {"one": "finished"}


def test_the_list_tells_what_can_be_taken_back(cli: Cli) -> None:
    """A table of number, when, what and which tasks; the last twenty, or all; what was undone stands on top."""
    assert cli("undo", "--list").text == "nothing to undo\n"
    for number in range(22):
        cli.queue({"prompt": f"Task {number}", "id": f"t{number}"})
    answer = cli("undo", "--list")
    lines = answer.text.splitlines()
    assert len(lines) == 21
    assert lines[0].split() == ["#", "When", "Operation", "Tasks"]
    assert lines[1].split()[0] == "22"
    assert lines[1].split()[2:] == ["submit", "t21", "t21", "undo"]
    assert "orchestrate undo --list --all" in answer.stderr
    assert len(cli("undo", "--list", "--all").text.splitlines()) == 23
    cli("undo")
    found = cli.json("undo", "--list")
    assert (found["more"], len(found["operations"])) == (True, 20)
    (undone,) = found["undone"]
    assert (undone["number"], undone["kind"], undone["tasks"], undone["possible"]) == (22, "submit", ["t21"], True)
    assert cli("undo", "--list").text.splitlines()[1].split()[-1] == "redo"
    cli.queue({"prompt": "New", "id": "new"})
    assert cli.json("undo", "--list")["undone"] == [], "something new ends redo"
    assert cli("undo", "--all", ok=2).stderr.startswith("error: --all requires --list")


def test_the_list_tells_where_undo_stops(cli: Cli) -> None:
    """The reason is told once, for the operation that cannot be undone; those before it are not reached."""
    cli.queue(does("One", saved("one.txt", "1")), does("Two", saved("two.txt", "2")))
    cli.run()
    cli.queue({"prompt": "Later", "id": "later"})
    *rows, stop = cli("undo", "--list").text.splitlines()
    assert [row.split()[-1] for row in rows[1:]] == ["undo", "-"]
    assert re.fullmatch(r"1 'submit one, two' cannot be undone: .*", stop)


def test_several_tasks_of_one_command_are_one_operation(cli: Cli) -> None:
    """What one command did to several tasks is taken back by one undo."""
    cli.queue({"prompt": "One"}, {"prompt": "Two"})
    cli("kill", "one", "two")
    before = whole(cli.folder)
    cli("retry", "one", "two")
    cli("undo")
    assert whole(cli.folder) == before
    assert cli.states() == {"one": "cancelled", "two": "cancelled"}
    cli("undo")
    cli("undo")
    assert cli.states() == {}


def test_undo_in_a_repository_without_commits(tmp_path: Path) -> None:
    """The first task of an empty repository can be taken back, too."""
    folder = tmp_path / "empty"
    folder.mkdir()
    git("init", "--quiet", cwd=folder)
    cli = Cli(folder)
    cli("submit", "Begin")
    cli("undo")
    assert cli.states() == {}
    cli("redo")
    assert cli.states() == {"begin": "queued"}


def test_what_merge_into_published_is_taken_back_by_its_owner_first(cli: Cli) -> None:
    """`merge --into main` moved a branch of the user's: undo says how to move it back, and then does the rest."""
    branch(cli.folder, "work/one", "one.txt")
    before = git("rev-parse", "main", cwd=cli.folder)
    cli("adopt", "work/one")
    cli("approve", "one")
    states = whole(cli.folder)
    git("checkout", "--quiet", "--detach", cwd=cli.folder)
    cli("merge", "--into", "main")
    assert git("rev-parse", "main", cwd=cli.folder) != before
    error = cli.error("undo", exit=5)
    assert "it was published to main" in error["what"]
    assert error["fix"] == [f"git branch --force main {before}", "orchestrate undo"]
    git(*error["fix"][0].split()[1:], cwd=cli.folder)
    cli("undo")
    now = whole(cli.folder)
    assert {key: now[key] for key in ("refs", "notes", "tasks")} == {
        key: states[key] for key in ("refs", "notes", "tasks")
    }


def test_what_was_taken_back_from_a_branch_can_be_merged_into_it_again(cli: Cli) -> None:
    """A reset that `undo` asked for removes no work from the integration branch; a later one by itself does."""
    branch(cli.folder, "work/one", "one.txt")
    before = git("rev-parse", "main", cwd=cli.folder)
    cli("adopt", "work/one")
    cli("approve", "one")
    cli("merge")
    cli("merge", "--into", "main")
    git("reset", "--quiet", "--keep", before, cwd=cli.folder)
    cli("undo")
    commit(cli.folder, "Go on\n", {"more.txt": "more\n"})
    cli("merge", "--into", "main")
    assert (cli.folder / "one.txt").exists()
    git("reset", "--quiet", "--hard", "HEAD~1", cwd=cli.folder)
    cli("merge", "--into", "main")
    assert not (cli.folder / "one.txt").exists()
