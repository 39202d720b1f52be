"""Suggestions: a replacement in a comment becomes a commit of the reviewer's on the task's branch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import OBEDIENT, Cli, does
from tests.support.git import git
from tests.support.prepared import PreparedNight

_CHECKED = f'{OBEDIENT}[checks]\ntest = "! grep -q bad a.txt"\n'
_WORK = (
    r"printf 'one\ntwo\nthree\nfour\nfive\n' > a.txt; printf 'x\r\ny\r\nz' > dos.txt; git add -A; git commit -qm One"
)


def spend(folder: Path) -> Cli:
    """A finished task with two files."""
    cli = Cli(folder, _CHECKED, GITORCH_SANDBOX_MODE="off")
    cli.queue(does("Work", _WORK, id="work"))
    cli.run()
    return cli


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, _template: Path) -> PreparedNight:
    return PreparedNight(tmp_path_factory.mktemp("prepared"), _template, spend)


@pytest.fixture
def cli(night: PreparedNight, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return night.restore(monkeypatch)


def suggest(cli: Cli, place: str, text: str, words: str = "better") -> None:
    cli("comment", "work", place, "-m", f"{words}\n```suggestion\n{text}```")


def content(cli: Cli, path: str = "a.txt") -> bytes:
    return git("show", f"orch/work:{path}", cwd=cli.folder).encode()


def test_suggestions_become_one_commit(cli: Cli) -> None:
    """By number, then the rest: authored by the reviewer, checked, in the worktree too; undo takes it back exactly."""
    with cli.untouched():
        suggest(cli, "a.txt:2", "two\n2 b\n")
        suggest(cli, "a.txt:4-5", "", words="not needed")
        suggest(cli, "dos.txt:3", "last\n")
        cli("comment", "work", "a.txt:3", "-m", "only words")
        before = cli.tasks()["work"]
        assert [comment.get("suggestion") for comment in before["comments"]] == ["two\n2 b", "", "last", None]
        assert before["comments"][0]["text"] == "better"
        assert "suggests:" in cli("review", "work").text
        first = cli.json("apply", "work", "1")
        assert (first["passed"], first["task"]["tip"]) == (True, first["commit"])
        assert content(cli) == b"one\ntwo\n2 b\nthree\nfour\nfive"
        # the other comments are where their lines are now
        assert [comment["line"] for comment in cli.tasks()["work"]["comments"]] == [5, 3, 4]
        cli("apply", "work")
    assert content(cli) == b"one\ntwo\n2 b\nthree"
    assert git("cat-file", "blob", "orch/work:dos.txt", cwd=cli.folder) == "x\r\ny\r\nlast"
    after = cli.tasks()["work"]
    assert [comment["text"] for comment in after["comments"]] == ["only words"]
    log = git("log", "-2", "--format=%an <%ae>%n%B", "orch/work", cwd=cli.folder)
    assert log.count("Una User <una@example.com>") == 2
    assert "Apply a suggestion to a.txt:2\n\na.txt:2: better\n\nTask: work" in log
    assert "Apply 2 suggestions of the review\n\na.txt:5-6: not needed\n\ndos.txt:3: better" in log
    worktree = Path(after["worktree"])
    assert git("status", "--porcelain", cwd=worktree) == ""
    assert (worktree / "a.txt").read_text() == "one\ntwo\n2 b\nthree\n"
    assert "2 commits by Una User since attempt 1" in cli("task", "work").text
    cli("undo")
    cli("undo")
    assert cli.tasks()["work"] == before
    assert (worktree / "a.txt").read_text() == "one\ntwo\nthree\nfour\nfive\n"
    assert git("status", "--porcelain", cwd=worktree) == ""
    cli("redo")
    cli("redo")
    assert cli.tasks()["work"] == after
    cli("approve", "work")
    cli("merge")
    assert "2 b" in git("show", "orch/integration:a.txt", cwd=cli.folder)


def test_a_red_suggestion_says_so(cli: Cli) -> None:
    """The checks run on the new commit: what fails is exit 6, and no approval without --force."""
    suggest(cli, "a.txt:1", "bad\n")
    assert cli("apply", "work", ok=6).code == 6
    assert cli.tasks()["work"]["reason"] == "checks failed: test"
    assert cli.error("approve", "work", exit=5)["code"] == "checks-failed"


def test_lines_that_have_changed_are_refused(cli: Cli) -> None:
    """Lines that only moved are found; changed ones, gone files, busy worktrees and odd places are refused in words."""
    assert cli.error("apply", "work", exit=2)["code"] == "no-suggestion"
    suggest(cli, "a.txt:4", "FOUR\n")
    suggest(cli, "a.txt:2-3", "TWO\n")
    suggest(cli, "a.txt:3", "THREE\n")
    suggest(cli, "dos.txt", "x\n")
    cli("review", "work", "-F", "-", ok=10, input=b"@ a.txt:4\nx\n```suggestion\nFOUR\n```\n@ a.txt:2\ny\n")
    assert cli.error("apply", "work", "2", exit=2)["code"] == "no-suggestion"
    cli("undo")
    assert cli.error("apply", "work", "4", exit=5)["code"] == "suggestion-without-lines"
    assert cli.error("apply", "work", "2", "3", exit=5)["code"] == "suggestions-overlap"
    worktree = Path(cli.tasks()["work"]["worktree"])
    (worktree / "a.txt").write_text("zero\none\ntwo\nthree!\nfour\nfive\n")
    cli("task", "work")
    assert cli.error("apply", "work", "1", exit=5)["code"] == "checkout-dirty"
    git("commit", "-qam", "By hand", cwd=worktree)
    assert cli.error("apply", "work", "1", exit=5)["code"] == "unseen-commits"
    cli("diff", "work")
    for number in ("2", "3"):
        assert cli.error("apply", "work", number, exit=5)["code"] == "suggestion-outdated"
    assert cli.json("apply", "work", "1")["passed"] is True
    assert content(cli) == b"zero\none\ntwo\nthree!\nFOUR\nfive"
    git("rm", "-q", "a.txt", cwd=worktree)
    git("commit", "-qm", "Remove", cwd=worktree)
    cli("diff", "work")
    assert cli.error("apply", "work", "1", exit=5)["code"] == "suggestion-outdated"
    cli("approve", "work", "--force")
    assert cli.error("apply", "work", "1", exit=5)["code"] == "not-open"


def test_without_a_worktree_and_not_on_a_branch_of_the_user(cli: Cli) -> None:
    """Where the worktree is gone, the branch alone moves; an adopted branch never does."""
    suggest(cli, "a.txt:1", "ONE\n")
    git("worktree", "remove", "--force", "--force", cli.tasks()["work"]["worktree"], cwd=cli.folder)
    cli("apply", "work")
    assert content(cli).startswith(b"ONE\n")
    git("branch", "mine", "orch/work", cwd=cli.folder)
    git("switch", "-q", "mine", cwd=cli.folder)
    git("commit", "-q", "--allow-empty", "-m", "Mine", cwd=cli.folder)
    cli("adopt", "mine", "--base", "main")
    commented = cli("comment", "mine", "a.txt:1", "-m", "x\n```suggestion\ny\n```")
    assert "apply the suggestion yourself: orchestrate apply mine" in commented.stderr
    assert cli.error("apply", "mine", exit=5)["code"] == "adopted-branch"
