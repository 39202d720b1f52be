"""What is known before the morning, as the command line tells it: conflicts, the candidate, and what a run merges."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from gitorch.services.open import open_workspace
from tests.support.cli import OBEDIENT, Cli, Pipe, does, left_behind, saved
from tests.support.git import commit, commit_on_branch, git

PAIR = "! { test -e a.txt && test -e b.txt; }"
"""A check that a and b pass alone, and fail together."""


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def checking(command: str, **merge: str) -> str:
    settings = "".join(f'{key} = "{value}"\n' for key, value in merge.items())
    return f"{OBEDIENT}[checks]\ntest = '''{command}'''\n[merge]\n{settings}"


def names_in(cli: Cli, branch: str) -> set[str]:
    return set(git("ls-tree", "--name-only", branch, cwd=cli.folder).splitlines())


def pairs(found: dict[str, Any]) -> list[list[str]]:
    return [one["tasks"] for one in found["conflicts"]]


def test_a_conflict_is_known_before_the_morning(cli: Cli) -> None:
    """Two tasks write the same file: status, the task's page and the run's end say who, with whom and where; the
    candidate holds what fits together and names what it leaves out."""
    cli.queue(
        does("one", saved("same.txt", "one"), id="one"),
        does("two", saved("same.txt", "two"), id="two"),
        does("three", saved("three.txt", "three"), id="three"),
    )
    with cli.untouched():
        end = cli.run()
    found = cli.json("status")
    assert found["conflicts"] == [{"tasks": ["one", "two"], "paths": ["same.txt"]}]
    candidate = found["candidate"]
    assert candidate["branch"] == "orch/candidate"
    assert candidate["tip"] == git("rev-parse", "orch/candidate", cwd=cli.folder)
    assert candidate["tasks"] == ["one", "three"]
    assert [(one["id"], one["with"], one["paths"]) for one in candidate["left_out"]] == [("two", ["one"], ["same.txt"])]
    assert candidate["checks"]["judgement"] == "not checked"
    assert {"same.txt", "three.txt"} <= names_in(cli, "orch/candidate")
    assert git("show", "orch/candidate:same.txt", cwd=cli.folder) == "one"

    for text in (cli("status").text, end.text):
        assert "Will conflict" in text
        assert "one and two in same.txt" in text
        assert "orch/candidate" in text
        assert "not checked" in text
    assert "will conflict with two" in cli("status").text
    assert cli.json("task", "two")["conflicts"] == [{"tasks": ["one", "two"], "paths": ["same.txt"]}]
    assert "one in same.txt" in cli("task", "two").text
    assert cli.json("task", "three")["conflicts"] == []


def test_a_conflict_of_rewritten_commits_is_not_repeated(cli: Cli) -> None:
    """A commit by hand on top leaves a foreseen conflict; a branch whose commits a person replaced has none of them."""
    cli.queue(does("one", saved("same.txt", "one"), id="one"), does("two", saved("same.txt", "two"), id="two"))
    cli.run()
    base, worktree = cli.tasks()["two"]["base"], Path(cli.tasks()["two"]["worktree"])
    commit(worktree, "Add more", {"more.txt": "1"})
    assert pairs(cli.json("status")) == [["one", "two"]]
    git("reset", "--quiet", "--hard", base, cwd=worktree)
    commit(worktree, "Start over", {"other.txt": "1"})
    assert pairs(cli.json("status")) == []
    assert "will conflict" not in cli("review", "--list").text


def test_uncommitted_work_of_a_running_agent_is_foreseen(cli: Cli, tmp_path: Path) -> None:
    """An agent that has not committed yet already meets what is finished; its worktree does not notice."""
    pipe, go = Pipe(tmp_path / "pipe"), Pipe(tmp_path / "go")
    cli.queue(
        does("one", saved("same.txt", "one"), id="one"),
        does("two", "echo two > same.txt", f"echo written > {pipe}", f"read word < {go}", id="two"),
    )
    with cli.start("run") as run:
        assert pipe.line() == "written"
        with cli.start("watch", "--json") as watch:
            run.goes_on_until(lambda: b"same.txt" in watch.log.with_suffix(".out").read_bytes())
            assert cli.states()["two"] == "running"
            status = git("status", "--porcelain", cwd=Path(cli.tasks()["two"]["worktree"]))
            assert status == "?? same.txt"
            go.say()
            assert run.end().code == 0
    assert pairs(cli.json("status")) == [["one", "two"]]


def test_green_alone_and_red_together_is_known(cli: Cli) -> None:
    """The union is checked in a slot of its own, and who turns it red is named; no agent waited for that."""
    cli.configure(checking(PAIR))
    cli.queue(does("a", saved("a.txt", "a"), id="a"), does("b", saved("b.txt", "b"), id="b"))
    end = cli.run()
    found = cli.json("status")["candidate"]
    assert found["tasks"] == ["a", "b"]
    assert found["checks"]["judgement"] == "red"
    assert found["red"] == [{"id": "b", "check": "test", "with": ["a"], "alone": True}]
    assert "b passes alone, fails check test together with a" in end.text
    assert all(task["checks"]["passed"] for task in cli.tasks().values())
    assert cli.json("status")["integration"]["oid"] is None, "nothing is published by itself"


def test_a_check_is_not_begun_again_without_a_reason(cli: Cli, tmp_path: Path) -> None:
    """A candidate that nothing has outdated is checked once, however long that takes.

    Of one task alone it is not checked again: its tree is that of the task.
    """
    looks = tmp_path / "looks"
    cli.configure(checking(f"case $PWD in *candidate) echo look >> {looks}; sleep 6;; esac"))
    cli.queue(does("a", saved("a.txt", "a"), id="a"))
    cli.run()
    assert cli.json("status")["candidate"]["checks"]["judgement"] == "green"
    assert not looks.exists()
    cli.queue(does("b", saved("b.txt", "b"), id="b"))
    cli.run()
    assert cli.json("status")["candidate"]["checks"]["judgement"] == "green"
    assert looks.read_text() == "look\n"


def test_a_green_union_is_said_to_be_green(cli: Cli) -> None:
    """The judgement is of the candidate's own tree; with `merge.verify = "never"` nothing is called green."""
    cli.configure(checking("true"))
    cli.queue(does("a", saved("a.txt", "a"), id="a"))
    cli.run()
    found = cli.json("status")["candidate"]
    assert found["checks"]["judgement"] == "green"
    assert [one["tree"] for one in found["checks"]["results"]] == [found["tree"]]
    cli.configure(checking("true", verify="never"))
    cli.queue(does("b", saved("b.txt", "b"), id="b"))
    cli.run()
    found = cli.json("status")["candidate"]
    assert found["tasks"] == ["a", "b"]
    assert (found["checks"]["judgement"], found["reason"]) == ("not checked", "merge.verify is never")


def test_finished_work_merges_by_itself_where_that_was_asked(cli: Cli) -> None:
    """With `merge.auto = "finished"` green work is published by the run; what conflicts or is red stays finished."""
    cli.configure(checking("! test -e red.txt", auto="finished"))
    cli.queue(
        does("one", saved("same.txt", "one"), id="one"),
        does("two", saved("same.txt", "two"), id="two", after=["three"]),
        does("three", saved("three.txt", "three"), id="three"),
        does("red", saved("red.txt", "red"), id="red"),
    )
    end = cli.run(ok=6)
    assert cli.states() == {"one": "merged", "two": "finished", "three": "merged", "red": "finished"}
    assert {"same.txt", "three.txt"} <= names_in(cli, "orch/integration")
    assert "red.txt" not in names_in(cli, "orch/integration")
    merged = cli.tasks()["one"]["tip"]
    assert merged
    tip = git("rev-parse", "orch/integration", cwd=cli.folder)
    notes = git("log", "--format=%N", "--notes=refs/notes/gitorch", tip, cwd=cli.folder)
    assert '"who":"merge.auto"' in notes
    assert "merged" in end.text
    assert pairs(cli.json("status")) == [["two"]]
    assert cli.json("status")["candidate"]["onto"] == tip


def test_what_is_approved_during_a_run_is_merged_by_it(cli: Cli, tmp_path: Path) -> None:
    """By default a run merges what a person approves meanwhile, and nothing that nobody approved."""
    go = Pipe(tmp_path / "go")
    cli.queue(
        does("a", saved("a.txt", "a"), id="a"),
        does("b", saved("b.txt", "b"), id="b"),
        does("slow", f"read word < {go}", saved("slow.txt", "slow"), id="slow"),
    )
    with cli.start("run") as run:
        run.goes_on_until(lambda: [cli.states()[name] for name in ("a", "b")] == ["finished", "finished"])
        cli("approve", "a")
        run.goes_on_until(lambda: cli.states()["a"] == "merged")
        go.say()
        assert run.end().code == 0
    assert cli.states() == {"a": "merged", "b": "finished", "slow": "finished"}
    assert "a.txt" in names_in(cli, "orch/integration")
    assert "b.txt" not in names_in(cli, "orch/integration")
    cli("approve", "b")
    cli.queue(does("c", saved("c.txt", "c"), id="c"))
    cli.run()
    assert cli.states()["b"] == "approved", "what was approved before this run waits for `merge`"


def test_a_merge_that_came_first_is_not_overwritten(cli: Cli, tmp_path: Path) -> None:
    """The integration branch moves while a run is about to publish: the run plans again, on top of it."""
    cli.configure(checking("true", auto="finished"))
    cli.queue(does("one", saved("one.txt", "one"), id="one"))
    cli.run()
    git("checkout", "--quiet", "orch/integration", cwd=cli.folder)
    other = commit_beside(cli, "other.txt")
    once = tmp_path / "once"
    unfenced = f"env -u GIT_CONFIG_COUNT git --git-dir={cli.folder}/.git"
    move = f"test -e {once} || {{ : > {once}; {unfenced} update-ref {INTEGRATION} {other}; }}"
    cli.configure(checking(f"case $PWD in *candidate) {move};; esac", auto="finished"))
    cli.queue(does("two", saved("two.txt", "two"), id="two", base="main"))
    end = cli.run(ok=6)
    assert f"{INTEGRATION} was moved to {other[:12]} before gitorch moved it" in end.text
    assert once.exists()
    assert cli.states() == {"one": "merged", "two": "merged"}
    assert {"one.txt", "two.txt", "other.txt"} <= names_in(cli, "orch/integration")
    assert b"warning: " not in end.stdout, "what was tried again and went well is no trouble"


def test_a_run_merges_on_a_base_that_moved(cli: Cli) -> None:
    """As a person's merge does: what is merged is replayed on the base first, in the same step, and tells of it."""
    cli.configure(checking("true", auto="finished"))
    cli.queue(does("one", saved("one.txt", "one"), id="one"))
    cli.run()
    old = git("rev-parse", "orch/integration", cwd=cli.folder)
    moved = commit(cli.folder, "Mine\n", {"mine.txt": "m\n"})
    cli.queue(does("two", saved("two.txt", "two"), id="two"))
    with cli.untouched():
        cli.run()
    assert cli.states() == {"one": "merged", "two": "merged"}
    assert git("merge-base", "main", "orch/integration", cwd=cli.folder) == moved
    assert {"one.txt", "two.txt", "mine.txt"} <= names_in(cli, "orch/integration")
    assert git("for-each-ref", "--format=%(objectname)", "refs/gitorch/orig", cwd=cli.folder) == old
    notes = git("notes", "--ref=gitorch", "show", "orch/integration~1", cwd=cli.folder)
    assert '"task":"one"' in notes
    commits = git("rev-list", "orch/integration", cwd=cli.folder).splitlines()
    merged = {task.id: task.merged_as for task in open_workspace(cli.folder).tasks.values()}
    assert merged == {"one": commits[1], "two": commits[0]}
    cli("undo")
    assert git("rev-parse", "orch/integration", cwd=cli.folder) == old


def test_a_run_does_not_merge_on_a_base_that_conflicts(cli: Cli) -> None:
    """What a person's merge refuses is held, and the run says why; the candidate says it of each task."""
    cli.configure(checking("true", auto="finished"))
    cli.queue(does("one", saved("same.txt", "one"), id="one"))
    cli.run()
    old = git("rev-parse", "orch/integration", cwd=cli.folder)
    commit(cli.folder, "Mine\n", {"same.txt": "mine\n"})
    cli.queue(does("two", saved("two.txt", "two"), id="two"))
    with cli.untouched():
        end = cli.run("--json").stream[-1]
    reason = "orch/integration conflicts in same.txt with main, which moved on"
    assert end["troubles"] == [reason]
    assert cli.states() == {"one": "merged", "two": "finished"}
    assert git("rev-parse", "orch/integration", cwd=cli.folder) == old
    assert [one["reason"] for one in cli.json("status")["candidate"]["left_out"]] == [reason]


def test_what_keeps_a_run_from_merging_is_said(cli: Cli, tmp_path: Path) -> None:
    """The integration branch is checked out somewhere: it stays, the task stays finished, and the run says why."""
    git("branch", "orch/integration", "main", cwd=cli.folder)
    place = tmp_path / "integration"
    git("worktree", "add", "--quiet", str(place), "orch/integration", cwd=cli.folder)
    cli.configure(checking("true", auto="finished"))
    cli.queue(does("one", saved("one.txt", "one"), id="one"))
    end = cli.run("--json").stream[-1]
    assert cli.states() == {"one": "finished"}
    assert end["troubles"] == [f"orch/integration is checked out in {place}"]
    assert git("status", "--porcelain", cwd=place) == ""


def finish_one(cli: Cli) -> None:
    """Let a task finish: the candidate of a later one is then a tree of its own, and is checked."""
    cli.configure(checking("true"))
    cli.queue(does("zero", saved("zero.txt", "zero"), id="zero"))
    cli.run()


def test_a_run_that_is_stopped_waits_for_no_check(cli: Cli, tmp_path: Path) -> None:
    """Ctrl-C while the candidate is checked ends the check; the next run checks it, and nothing is called green."""
    finish_one(cli)
    pipe = Pipe(tmp_path / "pipe")
    wait = f"case $PWD in *candidate) test -e {tmp_path}/go || {{ echo checking > {pipe}; exec sleep 600; }};; esac"
    cli.configure(checking(wait))
    cli.queue(does("one", saved("one.txt", "one"), id="one"))
    with cli.start("run") as run:
        assert pipe.line() == "checking"
        assert cli.json("status")["candidate"]["checks"]["judgement"] == "being checked"
        run.process.send_signal(signal.SIGINT)
        assert run.end().code == 130
    found = cli.json("status")["candidate"]
    assert (found["checks"]["judgement"], found["reason"]) == ("not checked", "the next run checks it")
    (tmp_path / "go").touch()
    cli.run(ok=(0, 6))
    assert cli.json("status")["candidate"]["checks"]["judgement"] == "green"


def test_a_check_that_outlived_a_killed_run_is_ended(cli: Cli, tmp_path: Path) -> None:
    """kill -9 while the candidate is checked: the next run ends what was left, and checks it again."""
    finish_one(cli)
    pipe = Pipe(tmp_path / "pipe")
    wait = f"case $PWD in *candidate) test -e {tmp_path}/go || {{ echo checking > {pipe}; exec sleep 600; }};; esac"
    cli.configure(checking(wait))
    cli.queue(does("one", saved("one.txt", "one"), id="one"))
    with cli.start("run") as run:
        assert pipe.line() == "checking"
        run.process.kill()
        run.process.wait()
        found = cli.json("status")["candidate"]
        assert (found["checks"]["judgement"], found["reason"]) == ("not checked", "the next run checks it")
        assert left_behind(cli.folder), "the check goes on"
        (tmp_path / "go").touch()
        cli.run(ok=(0, 6))
        assert left_behind(cli.folder) == []
    assert cli.json("status")["candidate"]["checks"]["judgement"] == "green"


def test_the_plan_of_a_merge_names_what_is_in_flight(cli: Cli) -> None:
    """`merge -n` says which approved work will conflict with what nobody has approved yet; a merge refreshes all."""
    cli.queue(
        does("one", saved("same.txt", "one"), id="one"),
        does("two", saved("same.txt", "two"), id="two"),
        does("three", saved("three.txt", "three"), id="three"),
    )
    cli.run()
    cli("approve", "one")
    found = cli.json("merge", "-n")
    assert [one["id"] for one in found["merged"]] == ["one"]
    assert found["conflicts"] == [{"tasks": ["one", "two"], "paths": ["same.txt"]}]
    assert "one and two in same.txt" in cli("merge", "-n").text
    cli("merge")
    assert cli.json("status")["conflicts"] == [{"tasks": ["two"], "paths": ["same.txt"], "with": "orch/integration"}]
    assert "two and merged work in same.txt" in cli("status").text
    assert cli.json("status")["candidate"]["tasks"] == ["three"]
    cli("reject", "three")
    assert cli.json("status")["candidate"]["tasks"] == []


INTEGRATION = "refs/heads/orch/integration"


def commit_beside(cli: Cli, name: str) -> str:
    """Make a commit on top of main that no branch holds; return its id."""
    git("checkout", "--quiet", "--detach", cwd=cli.folder)
    made = commit(cli.folder, "beside", {name: "x\n"})
    git("checkout", "--quiet", "main", cwd=cli.folder)
    return made


def test_running_agents_are_told_whom_they_will_conflict_with(cli: Cli) -> None:
    """An agent that is still at work finds the lines of the other side in the file that its brief names."""
    told = '"$GITORCH_CONFLICTS"'
    cli.queue(
        does("early \x1b[31m", saved("same.txt", "early"), id="early"),
        does("late", saved("same.txt", "late"), f"until test -e {told}; do sleep 0.2; done", f"cp {told} .", id="late"),
    )
    cli.run("-c", "run.task_timeout=2m", "-c", "sandbox.mode=off")
    message = git("show", "orch/late:conflicts.md", cwd=cli.folder)
    assert message.startswith("# Work that will conflict with yours\n")
    assert "## early: early [31m" in message
    assert "In same.txt:" in message
    assert "+early" in message
    brief = cli.folder / ".git" / "gitorch" / "attempts" / "late" / "1" / "brief-1.md"
    assert "the file `$GITORCH_CONFLICTS` appears" in brief.read_text("utf-8")


def test_a_name_that_goes_away_is_named(repository_folder: Path) -> None:
    """No text conflicts: the forecast says it in `status`, `merge -n` and `review`, as long as both are in flight."""
    prices = "def parse_price(text):\n    return int(text)\n"
    commit(repository_folder, "prices", {"prices.py": prices, "shop.py": "import prices\n"})
    rename = ("rename", {"prices.py": prices.replace("parse_price", "read_price")})
    commit_on_branch(repository_folder, "task/rename", "main", rename)
    sell = ("sell", {"shop.py": "import prices\n\n\ndef sell(text):\n    return prices.parse_price(text)\n"})
    commit_on_branch(repository_folder, "task/sell", "main", sell)
    cli = Cli(repository_folder)
    cli("adopt", "task/*")

    expected = {
        "name": "parse_price",
        "removed_by": "rename",
        "removed_in": "prices.py",
        "used_by": "sell",
        "used_in": "shop.py",
    }
    assert cli.json("merge", "-n")["removed_names"] == [expected]
    assert cli.json("status")["removed_names"] == [expected]
    sentence = "parse_price is removed or renamed by rename in prices.py, and newly used by sell in shop.py"
    assert sentence in " ".join(cli("status").text.split())
    assert sentence in " ".join(cli("merge", "-n").text.split())
    (card,) = cli.json("review", "sell")["tasks"]
    assert [signal["text"] for signal in card["signals"] if signal["kind"] == "removed-name"] == [
        "newly uses parse_price, which rename removes or renames"
    ]
    cli("reject", "rename")
    assert "removed_names" not in cli.json("status")
