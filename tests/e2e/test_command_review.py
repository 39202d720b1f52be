"""`comment`, `revise`, `reject` and `cleanup`: what a verdict changes, and what stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.checked import notes, show
from tests.support.cli import Cli, does, saved
from tests.support.git import git


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def test_comments_and_revise_reach_the_next_attempt(cli: Cli) -> None:
    """What a reviewer said is in the next attempt's brief, and that attempt goes on with the branch."""
    cli.configure(
        'agent = "keep"\n[agents.keep]\nkind = "command"\n'
        'command = ["/bin/sh", "-c", "n=$(ls | grep -c brief); cat > brief$n.md"]\n'
    )
    cli("submit", "Write")
    cli.run()
    first = cli.tasks()["write"]
    cli("comment", "write", "brief0.md:3", "-m", "Why `this`;\nand $that?")
    cli("revise", "write", "-m", "Ünd überhaupt 🦀")
    assert cli.tasks()["write"]["state"] == "queued"
    cli.run()
    brief = show(cli, "orch/write:brief1.md")
    assert "`brief0.md:3`: Why `this`;\nand $that?" in brief
    assert "Ünd überhaupt 🦀" in brief
    assert cli("task", "write", "--brief").text.rstrip("\n") == brief
    second = cli.tasks()["write"]
    assert git("merge-base", first["tip"], second["tip"], cwd=cli.folder) == first["tip"]
    verdicts = [line for line in notes(cli, first["tip"]) if line["kind"] == "verdict"]
    assert [(line["verdict"], len(line["comments"])) for line in verdicts] == [("revise", 2)]
    assert verdicts[0]["who"] == "Una User <una@example.com>"
    assert cli.error("revise", "write", exit=2)["code"] == "no-comment"


def test_work_sent_back_and_left_as_it_is_has_failed(cli: Cli) -> None:
    """An attempt that neither changes the branch nor answers a comment is not finished; its branch stays usable."""
    cli.queue(does("Write", "echo 1 > a.txt"))
    cli.run()
    tip = cli.tasks()["write"]["tip"]
    cli("revise", "write", "-m", "Say 2")
    cli.run(ok=6)
    task = cli.tasks()["write"]
    assert (task["state"], task["reason"], task["attempts"], task["tip"]) == ("failed", "no changes", 2, tip)
    assert cli("task", "write").text.splitlines()[-1].split() == (
        "↳ orchestrate revise write go on with its branch, with your words".split()
    )
    cli("revise", "write", "-m", "2, please\n#!do\necho 2 > a.txt\n#!end")
    cli.run()
    assert cli.tasks()["write"]["state"] == "finished"


def test_reject_keeps_the_branch(cli: Cli) -> None:
    """A rejected task's branch stays; it can neither be merged nor approved, but asked for again."""
    cli.queue(does("One", saved("one.txt", "1")))
    cli.run()
    tip = cli.tasks()["one"]["tip"]
    assert cli.json("reject", "one", "-m", "Not wanted")["task"]["state"] == "rejected"
    assert git("rev-parse", "orch/one", cwd=cli.folder) == tip
    assert cli.error("merge", "one", exit=5)["code"] == "not-approved"
    cli.error("approve", "one", exit=5)
    assert [line["verdict"] for line in notes(cli, tip) if line["kind"] == "verdict"] == ["reject"]
    assert cli.json("retry", "one")["tasks"][0]["state"] == "queued"


def test_cleanup_removes_and_keeps_everything_reachable(cli: Cli) -> None:
    """Worktrees and branches of what is over go; every commit and uncommitted file stays reachable."""
    cli.queue(*(does(name, saved(f"{name}.txt", name)) for name in ("one", "two", "three")))
    cli.run()
    tips = {name: task["tip"] for name, task in cli.tasks().items()}
    cli("approve", "one")
    cli("reject", "two")
    cli("merge")
    (cli.folder.parent / "repo.orch" / "two" / "late.txt").write_text("late\n")
    assert cli.json("cleanup", "-n")["tasks"] == ["one", "two"]
    assert len(cli.tasks()) == 3
    with cli.untouched():
        assert cli("cleanup", "--yes").text == "2 tasks removed\n"
    assert set(cli.tasks()) == {"three"}
    assert sorted(path.name for path in (cli.folder.parent / "repo.orch").iterdir() if path.name in tips) == ["three"]
    branches = git("for-each-ref", "--format=%(refname:short)", "refs/heads", cwd=cli.folder).split()
    assert branches == ["main", "orch/candidate", "orch/integration", "orch/three"]
    reachable = git("rev-list", "--glob=refs/gitorch", cwd=cli.folder).split()
    assert {tips["one"], tips["two"]} <= set(reachable)
    assert show(cli, "refs/gitorch/rescue/two:late.txt") == "late"
    assert cli("cleanup").text == "nothing to clean up\n"
    cli("reject", "three")
    assert cli("cleanup", "--yes").text == "1 task removed\n"


def test_merged_work_that_was_taken_off_the_branch_is_named(cli: Cli) -> None:
    """`status` says that the integration branch was moved, with the command that puts it back; `undo` works then."""
    cli.queue(does("One", saved("one.txt", "1")), does("Two", saved("two.txt", "2"), after=["one"]))
    cli.run()
    cli("approve", "one")
    tip = cli.json("merge")["integration"]["after"]
    error = cli.error("merge", "one", exit=5)
    assert (error["code"], error["what"]) == ("already-merged", "one is merged already")
    assert cli.tasks()["one"]["reason"] is None
    kept = cli.json("cleanup", "-n")
    assert (kept["tasks"], kept["proofs"][0]["proof"]) == ([], "stays: two builds on it")
    git("branch", "--force", "orch/integration", "main", cwd=cli.folder)
    assert cli.tasks()["one"]["reason"] == f"{tip[:7]} is no longer in orch/integration"
    fix = f"git branch -f orch/integration {tip[:12]}"
    text = cli("status").text
    assert f"orch/integration was moved, and does not have 1 merged task; to put it back: {fix}" in text
    # work that a branch of the user's has is not lost
    git("branch", "kept", tip, cwd=cli.folder)
    assert cli.tasks()["one"]["reason"] is None
    git("branch", "-D", "kept", cwd=cli.folder)
    git(*fix.split()[1:], cwd=cli.folder)
    assert cli.tasks()["one"]["reason"] is None
    cli("undo")
    assert cli.states()["one"] == "approved"


def test_stale_is_told_and_undone(cli: Cli) -> None:
    """What builds on a task that was sent back is stale until it was done again on the new work."""
    cli.queue(does("A", "echo $$ >> a.txt"), does("B", "cp a.txt b.txt", after=["a"]))
    cli.run()
    cli("revise", "a", "-m", "again")
    assert cli.tasks()["b"]["stale"] is True
    cli.run()
    tasks = cli.tasks()
    assert (tasks["b"]["stale"], tasks["b"]["base"]) == (False, tasks["a"]["tip"])


def test_a_comment_on_what_is_not_utf8(cli: Cli) -> None:
    """The code of such a file, bytes of a terminal, a submodule: each can have a comment."""
    script = (
        r"""printf 'caf\351\n' > latin.txt; mkdir sub; printf x > "$(printf 'caf\351.txt')"; git add -A""",
        "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub; git commit -qm x",
    )
    cli.queue(does("A", *script, id="a"))
    cli.run()
    (comment,) = cli.json("comment", "a", "latin.txt:1", "-m", "caf\udce9")["task"]["comments"]
    assert (comment["line"], comment["text"]) == (1, r"caf\xe9")
    assert r"+caf\xe9" in (cli("revise", "a"), cli("task", "a", "--brief").text)[1]
    cli("comment", "a", "sub", "-m", "why a submodule")
    assert cli.error("comment", "a", "sub:1", "-m", "x", exit=2)["what"] == "sub is a submodule: it has no lines here"
    said = cli.error("comment", "a", "caf\udce9.txt", "-m", "x", exit=2)["what"]
    assert said.startswith(r"the name of caf\xe9.txt is not UTF-8")


def test_a_place_must_exist_before_a_task_has_started(cli: Cli) -> None:
    """A comment on a queued task is about what it would start on: its base, and what it builds on."""
    cli.queue(does("A", "echo a > a.txt"))
    cli.run()
    cli.queue(does("B", "true", after=["a"]), does("C", "true"))
    for name, place in (("c", "a.txt"), ("c", "README.md:999"), ("b", "a.txt:2"), ("b", "nothing")):
        assert cli.error("comment", name, place, "-m", "x", exit=2)["code"] in ("no-such-file", "no-such-line")
    said = cli.json("comment", "b", "a.txt:1", "-m", "must: x")["task"]["comments"][0]
    assert (said["line"], said["severity"], said["text"]) == (1, "must", "x")
    assert cli.json("comment", "c", "-m", "x")["task"]["comments"][0]["text"] == "x"


def test_a_comment_on_two_tasks_is_offered_once_for_all(cli: Cli) -> None:
    """Sent comments and waiting ones count; the answer is a command to run, and nothing is written."""
    cli.queue(does("A", "echo a > a.txt"), does("B", "true"))
    cli.run(ok=6)
    assert cli("review", "--repeated").text == "no comment was made on two tasks\n"
    with cli.untouched():
        cli("revise", "a", "-m", "No prints!")
        cli("comment", "b", "-m", "no prints")
        (entry,) = cli.json("review", "--repeated")["repeated"]
        assert (entry["tasks"], entry["line"]) == (["a", "b"], "- No prints.")
        text = cli("review", "--repeated").text
    assert "said on 2 tasks: a, b" in text
    assert "orchestrate submit 'Add this line to AGENTS.md: - No prints.'" in text


def test_a_task_that_was_cancelled_leaves_the_board(cli: Cli) -> None:
    """At once if no agent has begun; with the work of an agent, only after it was rejected."""
    cli.queue(does("Never began"), does("Worked", saved("a.txt", "a"), "sleep 600"))
    cli("kill", "never-began")
    with cli.start("run") as run:
        run.goes_on_until(lambda: cli.states()["worked"] == "running")
        cli("kill", "worked")
        run.end()
    (proof,) = cli.json("cleanup", "--dry-run")["proofs"]
    assert (proof["task"], proof["proof"]) == ("never-began", "cancelled, and no agent has begun")
    cli("cleanup", "--yes")
    assert set(cli.tasks()) == {"worked"}
    cli("undo")
    assert cli.states()["never-began"] == "cancelled"
    cli("reject", "worked")
    assert set(cli.json("cleanup", "--yes")["tasks"]) == {"never-began", "worked"}
