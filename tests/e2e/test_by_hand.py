"""Commits that a person adds to a task's branch are reviewed, checked and approved like the agent's, never unseen."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import OBEDIENT, Cli, does
from tests.support.git import git

CHECKED = OBEDIENT + '[checks]\nok = "test ! -e broken"\n'


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder, GITORCH_SANDBOX_MODE="off")


def worktree(cli: Cli, name: str) -> Path:
    return Path(cli.tasks()[name]["worktree"])


def by_hand(folder: Path, path: str, content: str = "by hand\n", message: str = "Fix a nit") -> str:
    """Commit a file in a worktree, as Ada; return the commit."""
    (folder / path).write_text(content)
    git("add", "-A", cwd=folder)
    git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", message, cwd=folder)
    return git("rev-parse", "HEAD", cwd=folder)


def test_a_later_commit_is_shown_and_never_approved_unseen(cli: Cli) -> None:
    """`status`, `diff` and `review` show it and who made it; `approve` takes what was shown, and no later commit."""
    cli.queue(does("Work", "echo one > one.txt; git add -A; git commit -qm One"))
    cli.run()
    tip = by_hand(worktree(cli, "work"), "later.txt")
    task = cli.tasks()["work"]
    assert (task["tip"], task["state"]) == (tip, "finished")
    assert [(commit["author"], commit["subject"]) for commit in task["later"]] == [("Ada", "Fix a nit")]
    assert "1 commit by Ada since attempt 1: Fix a nit" in cli("status").text
    error = cli.error("approve", "work", exit=5)
    assert (error["code"], error["fix"][0]) == ("unseen-commits", "orchestrate review work")
    cli("approve", "work", "--force", ok=5)
    held = cli("approve", "--all")
    assert "work has changed since you last saw it" in held.stderr
    assert cli.json("approve", "--all")["held"] == [{"id": "work", "reason": "has changed since you last saw it"}]
    assert cli.states() == {"work": "finished"}

    assert "later.txt" in cli("review", "work").text
    last = by_hand(worktree(cli, "work"), "last.txt")
    assert cli.error("approve", "work", exit=5)["code"] == "unseen-commits"
    assert "last.txt" in cli("diff", "work").text
    assert cli.json("approve", "work")["tasks"][0]["tip"] == last
    cli("merge")
    merged = git("ls-tree", "--name-only", "orch/integration", cwd=cli.folder).split()
    assert {"one.txt", "later.txt", "last.txt"} <= {*merged}


def test_an_agent_that_looks_does_not_show_anything_to_a_person(cli: Cli) -> None:
    """A review that runs below an agent does not count."""
    cli.queue(does("Work", "echo one > one.txt; git add -A; git commit -qm One"))
    cli.run()
    by_hand(worktree(cli, "work"), "later.txt")
    cli("review", "work", env={"GITORCH_TASK": "work"})
    cli("approve", "work", ok=5)


def test_check_runs_the_checks_of_the_tip_again(cli: Cli) -> None:
    """What was added by hand is unchecked, until `check`, which says who added what; then it can be approved."""
    cli.configure(CHECKED)
    cli.queue(does("Work", "touch broken; git add -A; git commit -qm One"))
    cli.run(ok=6)
    folder = worktree(cli, "work")
    assert cli.tasks()["work"]["checks"]["passed"] is False
    git("rm", "-q", "broken", cwd=folder)
    tip = by_hand(folder, "fix.txt")
    assert cli.tasks()["work"]["checks"] == {"passed": None, "results": []}
    cli("review", "work")
    error = cli.error("approve", "work", exit=5)
    assert (error["code"], error["fix"][0]) == ("checks-failed", "orchestrate check work")
    (folder / "uncommitted.txt").write_text("x")
    checked = cli("check", "work")
    assert "1 commit by Ada since attempt 1: Fix a nit" in checked.text
    assert "uncommitted" in checked.stderr
    (outcome,) = cli.json("check", "work")["tasks"]
    assert (outcome["tip"], outcome["passed"], outcome["uncommitted"]) == (tip, True, True)
    assert outcome["later"][0]["author"] == "Ada"
    assert cli.tasks()["work"]["checks"]["passed"] is True
    cli("approve", "work")
    by_hand(folder, "broken")
    assert "since the approval: approve it again" in cli("status").text
    assert [task["id"] for task in cli.json("merge", ok=5)["held"]] == ["work"]
    assert cli.json("check", "work", ok=6)["tasks"][0]["passed"] is False
    assert cli.states() == {"work": "finished"}
    assert cli.tasks()["work"]["reason"] == "checks failed: ok"


def test_a_merge_in_which_tasks_wait(cli: Cli) -> None:
    """Exit 5 if all of them wait, or one that was named; 0 if others go in, or nothing is approved."""
    cli.queue(*(does(title, f"echo > {title}; git add -A; git commit -qm {title}") for title in ("One", "Two")))
    cli.run()
    assert cli.json("merge")["held"] == []
    cli("approve", "one", "two", "--force")
    by_hand(worktree(cli, "one"), "later.txt")
    for words, code in ((("one",), 5), (("one", "two"), 5), ((), 0)):
        answer = cli.json("merge", "--dry-run", *words, ok=code)
        assert [task["id"] for task in answer["held"]] == ["one"], words
    assert [task["id"] for task in cli.json("merge")["merged"]] == ["two"]
    assert cli.json("merge", ok=5)["merged"] == []


def test_an_approval_that_was_outdated_by_hand_is_given_again(cli: Cli) -> None:
    """The task needs a look again, in `status` and `review`; after its checks have run, it can be approved."""
    cli.configure(CHECKED)
    cli.queue(does("Work", "echo one > one.txt; git add -A; git commit -qm One"))
    cli.run()
    cli("approve", "work")
    assert cli.json("review")["tasks"] == []
    tip = by_hand(worktree(cli, "work"), "later.txt")
    status = cli("status").text
    assert "1 to review" in status
    assert "review: 1 commit by Ada since the approval" in status
    assert "1/1" not in status
    assert "orchestrate merge" not in status
    assert [card["task"]["tip"] for card in cli.json("review")["tasks"]] == [tip]
    assert cli.error("approve", "work", exit=5)["code"] == "unseen-commits"
    cli("review", "work")
    assert cli.error("approve", "work", exit=5)["code"] == "checks-failed"
    cli("check", "work")
    assert cli.states() == {"work": "finished"}
    assert cli.json("approve", "work")["tasks"][0]["tip"] == tip
    assert [task["id"] for task in cli.json("merge")["merged"]] == ["work"]


def test_a_commit_after_the_approval_is_not_merged_until_it_is_approved(cli: Cli) -> None:
    """The approval covers what was approved; approving again, after a look, covers the rest."""
    cli.queue(does("Work", "echo one > one.txt; git add -A; git commit -qm One"))
    cli.run()
    cli("approve", "work")
    tip = by_hand(worktree(cli, "work"), "later.txt")
    assert cli.error("approve", "work", exit=5)["code"] == "unseen-commits"
    cli("diff", "work")
    assert cli.json("approve", "work")["tasks"][0]["tip"] == tip


def test_an_amended_branch_is_reviewed_as_it_is(cli: Cli) -> None:
    """Other history than the agent's is shown as rewritten, and can be approved."""
    cli.queue(does("Work", "echo one > one.txt; git add -A; git commit -qm One"))
    cli.run()
    folder = worktree(cli, "work")
    git("commit", "-q", "--amend", "-m", "Better words", cwd=folder)
    assert "rewritten" in cli("review", "work").text
    cli("approve", "work")
    cli("merge")
    assert git("log", "-1", "--format=%s", "orch/integration", cwd=cli.folder) == "Better words"


@pytest.mark.parametrize("way", ["merge", "rebase"])
def test_a_conflict_that_was_solved_by_hand_goes_on(cli: Cli, way: str) -> None:
    """The task in conflict is for review again, without conflict; approve and merge take it, and only its own work."""
    (cli.folder / "shared.txt").write_text("base\n")
    git("add", "-A", cwd=cli.folder)
    git("commit", "-qm", "Shared", cwd=cli.folder)
    cli.configure(CHECKED)
    for name in ("first", "second"):
        cli.queue(does(name, f"echo {name} > shared.txt; git commit -qam {name}"))
    cli.run()
    cli("approve", "first", "second")
    cli("merge", ok=7)
    states = cli.states()
    loser = next(name for name, state in states.items() if state == "conflicted")
    folder = worktree(cli, loser)
    subprocess.run(["git", way, "orch/integration"], cwd=folder, capture_output=True, check=False)  # it conflicts
    (folder / "shared.txt").write_text("first and second\n")
    git("add", "-A", cwd=folder)
    subprocess.run(
        ["git", way, "--continue"],
        cwd=folder,
        env={**os.environ, "GIT_EDITOR": "true"},
        capture_output=True,
        check=True,
    )
    assert [card["task"]["id"] for card in cli.json("review")["tasks"]] == [loser]
    (card,) = cli.json("review", loser)["tasks"]
    assert [file["path"] for file in card["files"]] == ["shared.txt"]
    assert not [signal for signal in card["signals"] if "conflicts" in signal["text"]]
    board = cli("status").text
    assert "review: 1 commit by" in board
    assert "conflicts with" not in board.partition("Candidate")[0]
    assert "orchestrate review   1 to review" in board
    cli("check", loser)
    cli("approve", loser)
    assert [task["id"] for task in cli.json("merge")["merged"]] == [loser]
    assert git("show", "orch/integration:shared.txt", cwd=cli.folder) == "first and second"
    assert cli.states() == {"first": "merged", "second": "merged"}


def test_check_refuses_what_has_no_work(cli: Cli) -> None:
    """A queued task, and a repository without checks, are refused with the reason."""
    cli.queue(does("Work", "echo one > one.txt; git add -A; git commit -qm One"))
    assert cli.error("check", "work", exit=5)["code"] == "not-checkable"
    cli.run()
    assert cli.error("check", "work", exit=5)["code"] == "no-checks"


def test_branches_that_are_gone_or_empty_hold_up_no_other(cli: Cli) -> None:
    """`approve --all` names them with the reason, and approves the rest; `approve` of one alone is refused."""
    for name in ("gone", "empty", "good"):
        cli.queue(does(name, f"echo {name} > {name}.txt; git add -A; git commit -qm {name}"))
    cli.run()
    git("update-ref", "-d", "refs/heads/orch/gone", cwd=cli.folder)
    git("reset", "-q", "--hard", "main", cwd=worktree(cli, "empty"))
    cli("review", "empty")
    answer = cli.json("approve", "--all")
    assert [task["id"] for task in answer["tasks"]] == ["good"]
    assert {one["id"]: one["reason"] for one in answer["held"]} == {
        "gone": "has no branch any more",
        "empty": "has no commits of its own",
    }
    assert cli.error("approve", "gone", exit=5)["code"] == "branch-moved"
    assert cli.error("approve", "empty", exit=5)["code"] == "no-commits"


def test_cleanup_leaves_a_branch_that_a_person_has_checked_out(cli: Cli, tmp_path: Path) -> None:
    """Its HEAD would name a branch that is gone, and every file would be an addition; the other tasks go."""
    cli.queue(does("Here", "echo 1 > here; git add -A; git commit -qm Here"))
    cli.queue(does("There", "echo 1 > there; git add -A; git commit -qm There"))
    cli.queue(does("Other", "echo 1 > other; git add -A; git commit -qm Other"))
    cli.run()
    for name in ("here", "there", "other"):
        cli("reject", name, "-m", "no")
    for name in ("here", "there"):
        git("checkout", "-q", "--detach", cwd=worktree(cli, name))
    git("checkout", "-q", "orch/here", cwd=cli.folder)
    git("worktree", "add", "-q", str(tmp_path / "mine"), "orch/there", cwd=cli.folder)
    with cli.untouched():
        proofs = {proof["task"]: proof["proof"] for proof in cli.json("cleanup", "--yes")["proofs"]}
    assert proofs["here"] == f"stays: orch/here is checked out in {cli.folder}"
    assert proofs["there"] == f"stays: orch/there is checked out in {tmp_path / 'mine'}"
    assert [*cli.states()] == ["here", "there"]
    git("checkout", "-q", "main", cwd=cli.folder)
    git("checkout", "-q", "--detach", cwd=tmp_path / "mine")
    cli("cleanup", "--yes")
    assert cli.states() == {}


def test_a_new_attempt_does_not_move_a_branch_under_a_person(cli: Cli) -> None:
    """The attempt fails and says where the branch is checked out; index and files there stay as they are."""
    cli.queue(does("Work", "echo $$ > one.txt; git add -A; git commit -qm One"))
    cli.run()
    git("checkout", "-q", "--detach", cwd=worktree(cli, "work"))
    git("checkout", "-q", "orch/work", cwd=cli.folder)
    cli("retry", "work")
    tip = git("rev-parse", "HEAD", cwd=cli.folder)
    cli.run(ok=6)
    assert (git("rev-parse", "HEAD", cwd=cli.folder), git("status", "--porcelain", cwd=cli.folder)) == (tip, "")
    assert f"orch/work is checked out in {cli.folder}: check out something else there" in cli.tasks()["work"]["reason"]
    git("checkout", "-q", "main", cwd=cli.folder)
    cli("retry", "work")
    cli.run()
    assert cli.states() == {"work": "finished"}
