"""`merge`: what goes in and what does not, what is shown, and what is checked how often."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.checked import checked, notes, show
from tests.support.cli import OBEDIENT, Cli, Pipe, does, saved
from tests.support.git import DATE, commit_on_branch, git


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def test_merge_is_as_promised(cli: Cli) -> None:
    """`merge --json` has the promised fields for what went in, what clashed, what failed its check and what waits."""
    checked(cli, test="test ! -f bad.txt || test ! -f worse.txt")
    start = git("rev-parse", "main", cwd=cli.folder)
    cli.queue(
        does("One", "echo 1 > README.md", "git commit -qam one", "echo x > x.txt"),
        does("Clash", "echo 2 > README.md", "git commit -qam clash"),
        does("Above", saved("above.txt", "a"), after=["clash"]),
        does("Upper", saved("upper.txt", "u"), after=["one"]),
        does("Bad", saved("bad.txt", "b")),
        does("Worse", saved("worse.txt", "w")),
    )
    cli.run()
    tips = {name: task["tip"] for name, task in cli.tasks().items()}
    cli("approve", "--all")
    plan = cli.json("merge", "-n", ok=7)
    assert git("for-each-ref", "refs/heads/orch/integration", cwd=cli.folder) == ""
    merged = cli.json("merge", ok=7)
    assert set(merged) >= {"schema", "integration", "merged", "conflicted", "failed", "held"}
    after = git("rev-parse", "orch/integration", cwd=cli.folder)
    assert merged["integration"] == {"branch": "orch/integration", "before": None, "after": after}
    assert [one["id"] for one in merged["merged"]] == ["one", "upper", "bad"]
    first = merged["merged"][0]
    assert set(first) == {"id", "old_tip", "new_tip", "commits"}
    assert first["old_tip"] == tips["one"]
    assert [set(pair) for pair in first["commits"]] == [{"old", "new"}] * 2
    assert git("rev-list", "--reverse", f"{start}..{after}", cwd=cli.folder).split() == [
        pair["new"] for one in merged["merged"] for pair in one["commits"]
    ]
    (conflict,) = plan["conflicted"]
    assert merged["conflicted"] == [conflict]
    assert {name: conflict[name] for name in ("id", "paths", "with")} == {
        "id": "clash",
        "paths": ["README.md"],
        "with": ["one"],
    }
    assert [(one["path"], one["stage"]) for one in conflict["stages"]] == [("README.md", n) for n in (1, 2, 3)]
    assert conflict["hunks"] == [{"path": "README.md", "line": 1, "ours": ["1"], "theirs": ["2"]}]
    (failed,) = merged["failed"]
    assert Path(failed.pop("output")).exists()
    assert failed == {"id": "worse", "check": "test", "with": ["bad"], "alone": True}
    (held,) = merged["held"]
    assert held["id"] == "above"
    assert "clash" in held["reason"]
    assert {name: task["tip"] for name, task in cli.tasks().items()} == tips
    assert [show(cli, f"orch/{name}:README.md") for name in ("one", "clash")] == ["1", "2"]


def test_a_conflict_leaves_the_branch_as_it_was(cli: Cli) -> None:
    """A plan shows the place, and what both sides have there. A conflicted task keeps branch, worktree and files.

    It can be sent back, and merges once its conflict is gone.
    """
    cli.queue(
        does("One", "echo 1 > README.md; git commit -qam one"),
        does("Two", "echo 2 > README.md; git commit -qam two"),
    )
    cli.run()
    worktree = Path(cli.tasks()["two"]["worktree"])
    before = git("rev-parse", "orch/two", cwd=cli.folder), (worktree / "README.md").read_text()
    cli("approve", "--all")
    shown = cli("merge", "-n", ok=7).text
    place = shown.index("  README.md:1\n")
    assert shown[place:].split("\n")[:3] == ["  README.md:1", "    one  1", "    two  2"]
    with cli.untouched():
        merged = cli.json("merge", ok=7)
    assert [(one["id"], one["paths"], one["with"]) for one in merged["conflicted"]] == [("two", ["README.md"], ["one"])]
    assert (git("rev-parse", "orch/two", cwd=cli.folder), (worktree / "README.md").read_text()) == before
    assert git("status", "--porcelain", cwd=worktree) == ""
    task = cli.tasks()["two"]
    assert task["state"] == "conflicted"
    assert "README.md" in task["reason"]
    cli("retry", "two")
    cli.run()
    cli("approve", "two")
    cli("merge")
    assert show(cli, "orch/integration:README.md") == "2"


def test_a_red_union_is_named(cli: Cli) -> None:
    """Two green branches that are red together: the one that turns it red is named, exit 6, and does not go in."""
    checked(cli, test="test ! -f a.txt || test ! -f b.txt")
    cli.queue(does("A", saved("a.txt", "a")), does("B", saved("b.txt", "b")), does("C", saved("c.txt", "c")))
    cli.run()
    assert {task["checks"]["passed"] for task in cli.tasks().values()} == {True}
    cli("approve", "--all")
    held = cli.json("merge", "--verify", "end", ok=6)
    assert (held["merged"], len(held["held"])) == ([], 3)
    merged = cli.json("merge", ok=6)
    assert [(one["id"], one["check"], one["with"], one["alone"]) for one in merged["failed"]] == [
        ("b", "test", ["a"], True)
    ]
    assert [one["id"] for one in merged["merged"]] == ["a", "c"]
    assert git("ls-tree", "--name-only", "orch/integration", "a.txt", "b.txt", "c.txt", cwd=cli.folder).split() == [
        "a.txt",
        "c.txt",
    ]
    noted = [line for line in notes(cli, "orch/integration") if line["kind"] == "check"]
    tree = git("rev-parse", "orch/integration^{tree}", cwd=cli.folder)
    assert any(line["tree"] == tree and line["exit_code"] == 0 for line in noted)
    assert cli.states()["b"] == "approved"


def test_a_partner_that_went_in_earlier_is_named(repository_folder: Path) -> None:
    """A task that passes by itself, and fails with one of an earlier merge: that one is found among all of them."""
    check = '[checks]\ntest = "! { test -e b.txt && test -e last.txt; }"\n'
    cli = Cli(repository_folder, OBEDIENT + check)
    names = ["a", "b", "c", "d", "last"]
    cli.queue(*(does(name.title(), saved(f"{name}.txt", name), id=name) for name in names))
    cli.run()
    cli("approve", *names[:2])
    cli("merge")
    cli("approve", *names[2:4])
    cli("merge")
    cli("approve", "last")
    (failed,) = cli.json("merge", ok=6)["failed"]
    assert (failed["id"], failed["with"], failed["alone"]) == ("last", ["b"], True)
    assert "check test fails together with b" in cli.tasks()["last"]["reason"]
    assert "check test passes alone, fails together with b" in cli("merge", ok=6).text


def test_a_merge_shows_its_work(cli: Cli) -> None:
    """The order as a tree, then a line for each check, then what came of it and the commands that follow."""
    checked(cli, test="test ! -f a.txt || test ! -f b.txt")
    cli.queue(
        does("A", saved("a.txt", "a")), does("B", saved("b.txt", "b")), does("C", saved("c.txt", "c"), after=["a"])
    )
    cli.run()
    cli("approve", "--all")
    answer = cli("merge", "--recheck", ok=6)  # the run has checked the same union already
    told = answer.stderr.splitlines()
    assert [line.split()[:2] for line in told[:3]] == [["1", "a"], ["3", "└──"], ["2", "b"]]
    assert told[3:5] == [
        "1/1  check the union · test of 3 tasks: a, b, c",
        "2/2  check once more · test of 3 tasks: a, b, c",
    ]
    assert "check test passes alone, fails together with a" in answer.text
    assert "2 tasks merged into orch/integration" in answer.text
    assert "orchestrate revise b" in answer.text
    assert "orchestrate merge --recheck" in answer.text
    assert cli("-q", "merge", ok=6).stderr == ""


def test_a_tree_is_not_tested_twice_over_commands(cli: Cli, tmp_path: Path) -> None:
    """What an earlier merge found is known to the next one, red and green; `--recheck` asks anew."""
    looks = tmp_path / "looks"
    checked(cli, test=f"case $PWD in */integration*) echo look >> '{looks}';; esac; test ! -f a.txt || test ! -f b.txt")
    cli.queue(does("A", saved("a.txt", "a")), does("B", saved("b.txt", "b")))
    cli.run()
    cli("approve", "--all")
    (cli.repository.common_dir / "gitorch" / "verdicts.jsonl").unlink()  # the run has checked the candidate

    def count() -> int:
        before = len(looks.read_text().splitlines()) if looks.exists() else 0
        looks.unlink(missing_ok=True)
        return before

    cli("merge", "--verify", "end", ok=6)
    assert count() == 3  # the union, the base, the union once more
    cli("merge", ok=6)
    assert count() == 2  # a, and b, alone
    cli("merge", ok=6)
    assert count() == 0  # a is the base now, and both together are known
    cli("merge", "--recheck", ok=6)
    assert count() > 0


def test_what_git_ignores_makes_no_check_green(cli: Cli) -> None:
    """A task's checks see what it committed, like those of the merge; forced, it is held back there."""
    checked(cli, test="test -f build/made")
    cli.queue(does("A", "mkdir build; touch build/made", saved("a.txt", "a")))
    cli.run(ok=6)
    assert cli.tasks()["a"]["checks"]["passed"] is False
    cli("approve", "--all", "--force")
    assert cli.json("merge", ok=6)["merged"] == []


def test_unapproved_work_is_not_merged(cli: Cli) -> None:
    """`merge` takes what is approved and nothing else; naming another task is refused; an empty merge moves nothing."""
    cli.queue(does("One", saved("one.txt", "1")), does("Two", saved("two.txt", "2"), after=["one"]))
    cli.run()
    assert cli.json("merge")["merged"] == []
    assert cli.error("merge", "one", exit=5)["code"] == "not-approved"
    cli("approve", "two")
    merged = cli.json("merge", ok=5)
    assert (merged["merged"], [one["id"] for one in merged["held"]]) == ([], ["two"])
    assert merged["integration"]["after"] is None
    cli("approve", "one")
    assert [one["id"] for one in cli.json("merge", "--skip", "two")["merged"]] == ["one"]
    assert [one["id"] for one in cli.json("merge")["merged"]] == ["two"]


def test_what_is_checked_out_is_not_moved(cli: Cli) -> None:
    """While the user stands on the integration branch a merge is refused, with the command that helps."""
    cli.queue(does("One", saved("one.txt", "1")), does("Two", saved("two.txt", "2")))
    cli.run()
    cli("approve", "--all")
    cli("merge", "one")
    git("switch", "--quiet", "orch/integration", cwd=cli.folder)
    assert cli.error("merge", exit=5)["code"] == "checked-out"
    git("switch", "--quiet", "main", cwd=cli.folder)
    cli("merge")
    assert show(cli, "orch/integration:two.txt") == "2"


def test_every_engine_publishes_the_same_commits(cli: Cli, tmp_path: Path) -> None:
    """`merge --engine` chooses how commits are replayed, and never what comes out: the same ids, to the last commit."""
    cli.queue(
        does("One", "echo 1 >> README.md", "git commit -qam one"),
        does("Two", saved("two.txt", "2"), "echo 2 >> src/lib.py"),
        does("Clash", "echo 3 >> README.md", "git commit -qam clash"),
    )
    cli.run()
    cli("approve", "--all")
    found = {}
    for engine in ("auto", "merge-tree", "git-rebase"):
        place = tmp_path / engine / "repo"
        shutil.copytree(cli.folder, place, symlinks=True)
        one = Cli(place, GIT_COMMITTER_DATE=DATE)
        one("merge", "--engine", engine, ok=7)
        found[engine] = git("rev-parse", "orch/integration", cwd=place)
        assert one.states()["clash"] == "conflicted"
    assert len(set(found.values())) == 1, found
    assert cli("merge", "--engine", "other", ok=2).stderr


@pytest.mark.parametrize("order", [["upper", "lower"], ["lower", "upper"], ["lower upper"]])
def test_a_branch_in_the_middle_of_another_takes_nothing_of_it_with_it(cli: Cli, order: list[str]) -> None:
    """A branch that starts on commits of one that it does not wait for merges its own commits, and no others count."""
    start = git("rev-parse", "main", cwd=cli.folder)
    commit_on_branch(cli.folder, "lower", start, *((name, {f"{name}.txt": "x\n"}) for name in ("a", "b", "d")))
    commit_on_branch(cli.folder, "upper", git("rev-parse", "lower~1", cwd=cli.folder), ("c", {"c.txt": "x\n"}))
    cli("adopt", "lower")
    cli("adopt", "upper", "--base", "lower~1")
    cli("approve", "--all", "--force")
    merged = [task for names in order for task in cli.json("merge", *names.split())["merged"]]
    assert sorted((task["id"], len(task["commits"])) for task in merged) == [("lower", 3), ("upper", 1)]
    files = git("ls-tree", "--name-only", "orch/integration", cwd=cli.folder).split()
    assert {"a.txt", "b.txt", "c.txt", "d.txt"} <= {*files}


def test_a_merge_that_another_one_overtakes_is_planned_again(cli: Cli, tmp_path: Path) -> None:
    """While its checks run, a run or a person can merge something else: it goes in on top of that."""
    cli.environment["GITORCH_SANDBOX_MODE"] = "off"
    cli.queue(does("One", saved("one.txt", "1")), does("Two", saved("two.txt", "2")))
    cli.run()
    cli("approve", "one", "two")
    ready, gate = Pipe(tmp_path / "ready"), Pipe(tmp_path / "gate")
    checked(cli, test=f"if mkdir '{tmp_path}/first'; then echo > {ready}; read word < {gate}; fi")
    with cli.start("merge", "one") as merging:
        ready.line()
        cli("merge", "two", "--verify", "never")
        gate.say()
        answer = merging.end()
    assert answer.code == 0, answer.stderr
    assert cli.states() == {"one": "merged", "two": "merged"}
    assert git("log", "--format=%s", "-2", "orch/integration", cwd=cli.folder).split("\n") == [
        "Write one.txt",
        "Write two.txt",
    ]
