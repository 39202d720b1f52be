"""`adopt`: branches of people and other tools become finished tasks, and go through review, merge and undo like all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from gitorch import services
from gitorch.services.open import open_workspace
from tests.support.cli import Cli, told
from tests.support.days import approve, branch, merge, whole
from tests.support.git import commit, commit_on_branch, git


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def oid(cli: Cli, name: str) -> str:
    return git("rev-parse", name, cwd=cli.folder)


def by_id(adopted: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {task["id"]: task for task in adopted["tasks"]}


def test_a_branch_becomes_a_finished_task(cli: Cli) -> None:
    """The branch stays where it is and becomes a task with title, base, tip and a number; all that follows works."""
    tip = branch(cli.folder, "feature/log-in", "form.txt", "style.txt")
    with cli.untouched():
        (task,) = cli.json("adopt", "feature/log-in")["tasks"]
        assert (task["id"], task["number"], task["title"], task["state"]) == ("log-in", 1, "Add form.txt", "finished")
        assert (task["branch"], task["base"], task["tip"]) == ("feature/log-in", oid(cli, "main"), tip)
        assert (task["adopted"], task["checks"]["passed"], task["attempt"]) == (True, None, None)
        files = [one["path"] for one in cli.json("diff", "log-in")["files"]]
        assert files == ["form.txt", "style.txt"]
        assert [card["task"]["id"] for card in cli.json("review")["tasks"]] == ["log-in"]
        assert "- Add style.txt" in cli.json("task", "log-in")["task"]["prompt"]
        cli("approve", "log-in")
        assert [one["id"] for one in cli.json("merge", "-n")["merged"]] == ["log-in"]
        assert [one["id"] for one in cli.json("merge")["merged"]] == ["log-in"]
        cli("cleanup", "--yes")
    assert oid(cli, "feature/log-in") == tip
    assert oid(cli, "orch/integration^{tree}") == oid(cli, f"{tip}^{{tree}}")


def test_adopt_says_what_it_made_and_the_way_back(cli: Cli) -> None:
    """In words: a table with branch, commits and what waits for what, the way back, and the next command last."""
    branch(cli.folder, "work/one", "a", "b")
    branch(cli.folder, "work/two", "c", base="work/one")
    answer = cli("adopt", "work/*")
    first, second = answer.text.splitlines()[1:]
    assert first.split() == ["1", "one", "work/one", "2", "commits", "none", "-"]
    assert second.split() == ["2", "two", "work/two", "1", "commit", "none", "one"]
    assert answer.stderr.splitlines() == ["to undo: orchestrate undo", "next: orchestrate review"]
    assert cli.error("log", "one", exit=3)["fix"] == ["orchestrate diff one"]  # not a run: no agent will work on it


def test_stacks_are_found_whatever_the_order(cli: Cli) -> None:
    """A branch that contains another one waits for the nearest and is based on its tip; a merge of two for both."""
    branch(cli.folder, "s/low", "low")
    branch(cli.folder, "s/mid", "mid", base="s/low")
    branch(cli.folder, "s/aside", "aside", base="s/low")
    top = branch(cli.folder, "s/top", "top", base="s/mid")
    tree = git("merge-tree", "--write-tree", "s/top", "s/aside", cwd=cli.folder)
    both = git("commit-tree", tree, "-p", top, "-p", "s/aside", "-m", "Join", cwd=cli.folder)
    git("branch", "s/a-join", both, cwd=cli.folder)
    tasks = by_id(cli.json("adopt", "s/*"))
    after = {name: task["after"] for name, task in tasks.items()}
    assert after == {"low": [], "mid": ["low"], "aside": ["low"], "top": ["mid"], "a-join": after["a-join"]}
    assert sorted(after["a-join"]) == ["aside", "top"]
    assert [tasks[name]["base"] for name in ("mid", "top")] == [tasks["low"]["tip"], tasks["mid"]["tip"]]
    assert [task["number"] for task in tasks.values()] == [1, 2, 3, 4, 5]
    cli("approve", "--all")
    merged = [one["id"] for one in cli.json("merge")["merged"]]
    assert merged.index("low") < merged.index("mid") < merged.index("top") < merged.index("a-join")
    files = git("ls-tree", "--name-only", "orch/integration", cwd=cli.folder).split()
    assert {"low", "mid", "aside", "top"} <= set(files)


def test_a_branch_on_top_of_a_task_waits_for_it(cli: Cli) -> None:
    """What a person builds on an agent's branch is theirs; what the agent did is not adopted with it."""
    cli.queue({"prompt": told("Low", "echo 1 > low.txt; git add -A; git commit -qm low"), "id": "low"})
    cli.run()
    branch(cli.folder, "mine", "mine.txt", base="orch/low")
    (task,) = cli.json("adopt", "mine")["tasks"]
    assert (task["after"], task["base"]) == (["low"], oid(cli, "orch/low"))


def test_after_and_base(cli: Cli) -> None:
    """`--after` makes them wait for a task, `--base` says what they are compared with; unknown ones are refused."""
    branch(cli.folder, "one", "one")
    develop = branch(cli.folder, "develop", "d1", "d2")
    branch(cli.folder, "two", "two", base="develop")
    cli("adopt", "one")
    assert cli.error("adopt", "two", "--after", "nobody", exit=3)["code"] == "no-such-task"
    assert cli.error("adopt", "two", "--base", "nowhere", exit=3)["code"] == "no-base"
    (task,) = cli.json("adopt", "two", "--base", "develop", "--after", "one")["tasks"]
    assert (task["base"], task["after"]) == (develop, ["one"])


def test_a_branch_that_took_in_the_base_is_based_where_it_did_last(cli: Cli) -> None:
    """Commits that came by merging the base are not its own, however often it was merged."""
    branch(cli.folder, "old", "old")
    for number in (1, 2):
        commit(cli.folder, f"On main {number}\n", {f"main-{number}": "x\n"})
        tree = git("merge-tree", "--write-tree", "old", "main", cwd=cli.folder)
        joined = git("commit-tree", tree, "-p", "old", "-p", "main", "-m", "Merge main", cwd=cli.folder)
        git("branch", "--force", "old", joined, cwd=cli.folder)
    commit(cli.folder, "On main 3\n", {"main-3": "x\n"})
    (task,) = cli.json("adopt", "old")["tasks"]
    assert task["base"] == git("merge-base", "old", "main", cwd=cli.folder) == oid(cli, "main~1")
    assert [one["path"] for one in cli.json("diff", "old")["files"]] == ["old"]


def test_a_remote_tracking_branch_gets_a_branch_of_its_own(cli: Cli) -> None:
    """A fetch moves `origin/x` whenever it likes, so the task holds on to the tip that was adopted."""
    tip = branch(cli.folder, "far", "far.txt")
    git("update-ref", "refs/remotes/origin/feat", tip, cwd=cli.folder)
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/feat", cwd=cli.folder)
    git("branch", "-D", "far", cwd=cli.folder)
    found = cli.json("adopt", "origin/*")
    (task,) = found["tasks"]
    assert (task["branch"], found["sources"]) == ("orch/feat", {"feat": "origin/feat"})
    git("update-ref", "-d", "refs/remotes/origin/feat", cwd=cli.folder)
    assert oid(cli, "orch/feat") == tip
    cli("reject", "feat")
    cli("cleanup", "-y")
    assert git("for-each-ref", "--format=%(objectname)", "refs/gitorch/trash/feat/", cwd=cli.folder) == tip


# refused, and left out


def test_what_is_named_and_cannot_be_adopted_refuses_the_whole_call(cli: Cli) -> None:
    """All or none of the named branches; every reason is told; nothing is changed."""
    branch(cli.folder, "good", "good")
    git("branch", "empty", "main", cwd=cli.folder)
    git("branch", "alike", "good", cwd=cli.folder)
    root = git("commit-tree", oid(cli, "main^{tree}"), "-m", "Another root", cwd=cli.folder)
    git("branch", "stranger", root, cwd=cli.folder)
    before = whole(cli.folder) if (cli.folder / ".git/gitorch").exists() else None
    error = cli.error("adopt", "good", "alike", "empty", "stranger", exit=5)
    told_all = f"{error['what']} {error['why']}"
    for reason in ("alike: it is at the same commit as good", "no commits of its own", "shares no history"):
        assert reason in told_all.replace("alike cannot be adopted", "alike")
    assert cli.tasks() == {}
    assert before is None or whole(cli.folder) == before


def test_what_a_glob_matches_and_cannot_be_adopted_is_left_out_by_name(cli: Cli) -> None:
    """A glob takes what it can: the rest is named with its reason, also in JSON."""
    branch(cli.folder, "w/good", "good")
    branch(cli.folder, "w/known", "known")
    git("branch", "w/empty", "main", cwd=cli.folder)
    cli("adopt", "w/known")
    found = cli.json("adopt", "w/*", "-n")
    assert [task["id"] for task in found["tasks"]] == ["good"]
    assert {one["branch"]: one["reason"].split(":")[0] for one in found["left"]} == {
        "w/known": "it is the branch of the task known",
        "w/empty": "it has no commits of its own",
    }
    assert set(cli.tasks()) == {"known"}, "a dry run adopts nothing"
    assert "left out: w/empty: it has no commits of its own" in cli("adopt", "w/*").text
    assert cli.error("adopt", "w/known", exit=5)["code"] == "not-adoptable"
    assert cli("adopt", "w/*").text.startswith("left out: ")


def test_conflicts_of_adopted_branches_are_foreseen(cli: Cli) -> None:
    """`status` and `review` name who will conflict, although no run made these branches."""
    for name in ("one", "two"):
        commit_on_branch(cli.folder, f"w/{name}", "main", (f"{name}\n", {"same.txt": f"{name}\n"}))
    cli("adopt", "w/*")
    assert cli.json("status")["conflicts"] == [{"tasks": ["one", "two"], "paths": ["same.txt"]}]
    assert "will conflict with two" in cli("review", "--list").text


def test_a_branch_that_is_not_there(cli: Cli) -> None:
    """A name or a glob without any branch is an error with near misses; the integration branch is no task."""
    branch(cli.folder, "feature/login", "x")
    error = cli.error("adopt", "feature/logn", exit=3)
    assert (error["code"], "feature/login" in error["why"]) == ("no-branch", True)
    assert cli.error("adopt", "nothing/*", exit=3)["code"] == "no-branch"
    cli("adopt", "feature/login")
    cli("approve", "login")
    cli("merge")
    assert "gitorch's own" in cli.error("adopt", "orch/integration", exit=5)["what"]


def test_an_agent_may_not_adopt_nor_undo(cli: Cli) -> None:
    """Inside a task's worktree these are a person's decisions."""
    branch(cli.folder, "x", "x")
    for words in (("adopt", "x"), ("undo",), ("redo",)):
        assert cli.error(*words, exit=5, env={"GITORCH_TASK": "some"})["code"] == "inside-agent"
    assert cli.json("adopt", "x", "-n", env={"GITORCH_TASK": "some"})["dry_run"]


def test_odd_branches_and_messages(cli: Cli) -> None:
    """Names with any letters, and messages without a subject or with control characters, do no harm."""
    tree = oid(cli, "main^{tree}")
    for name, message in (("über/größe🚀", b"\x1b[31mred\x07\n\nbody `;`"), ("plain", b""), ("sub", b"\n\n\nlate\n")):
        tip = git("commit-tree", tree, "-p", "main", "-F", "-", cwd=cli.folder, input=message)
        git("update-ref", f"refs/heads/o/{name}", tip, cwd=cli.folder)
    answer = cli("adopt", "o/*")
    assert "\x1b" not in answer.text
    assert {task["title"] for task in cli.tasks().values()} == {"\x1b[31mred\x07", "o/plain", "late"}
    assert "\x1b" not in cli("status").text


def test_uncommitted_files_are_said_not_to_count(cli: Cli, tmp_path: Path) -> None:
    """A branch that is checked out with uncommitted files is adopted as it is committed, and that is said."""
    branch(cli.folder, "busy", "busy.txt")
    branch(cli.folder, "calm", "calm.txt")
    for name in ("busy", "calm"):
        git("worktree", "add", "--quiet", str(tmp_path / name), name, cwd=cli.folder)
    (tmp_path / "busy" / "new.txt").write_text("not committed\n")
    answer = cli("adopt", "busy", "calm")
    assert f"busy is checked out in {tmp_path / 'busy'}: only its commits are adopted" in answer.stderr
    assert "calm is checked out" not in answer.stderr
    assert [one["path"] for one in cli.json("diff", "busy")["files"]] == ["busy.txt"]


# checks


def test_an_unjudged_branch_is_not_approved(cli: Cli) -> None:
    """With checks configured, approval asks for their verdict, and says how to get it: `adopt --check`."""
    commit(cli.folder, "Add checks\n", {".orchestrate.toml": "[checks]\ntest = 'test ! -f bad.txt'\n"})
    cli("config", "trust", "--yes")
    branch(cli.folder, "good", "good.txt")
    branch(cli.folder, "bad", "bad.txt")
    cli("adopt", "good", "bad")
    error = cli.error("approve", "good", exit=5)
    assert error["fix"][0] == "orchestrate check good"
    held = cli.json("approve", "--all")["held"]
    assert {task["id"]: task["reason"] for task in held} == dict.fromkeys(("good", "bad"), "has not been checked")
    found = cli.json("adopt", "--check", "good", "bad", ok=6)
    assert {task["id"]: task["checks"]["passed"] for task in found["judged"]} == {"good": True, "bad": False}
    assert cli.tasks()["bad"]["reason"] == "checks failed: test"
    answer = cli.json("approve", "--all")
    assert [task["id"] for task in answer["tasks"]] == ["good"]
    assert answer["held"] == [{"id": "bad", "reason": "fails its checks"}]
    again = cli("approve", "--all")
    assert again.text == "no task was approved\n"
    assert "bad fails its checks and is not approved; see: orchestrate review bad" in again.stderr
    assert cli.error("approve", "bad", exit=5)["code"] == "checks-failed"
    kinds = git("notes", "--ref=gitorch", "show", "good", cwd=cli.folder)
    assert '"kind":"check","v":1,"name":"test"' in kinds
    cli("undo")
    cli("undo")
    assert cli.tasks()["good"]["checks"]["passed"] is None


def test_adopt_and_check_in_one_call(cli: Cli) -> None:
    """With `--check` the verdict is there when the task is; one undo takes both back. Without any check it refuses."""
    branch(cli.folder, "good", "good.txt")
    assert cli.error("adopt", "--check", "good", exit=5)["code"] == "no-checks"
    assert cli.tasks() == {}
    checked = ("-c", "checks.test=test -f good.txt")
    answer = cli(*checked, "adopt", "--check", "good")
    assert answer.stderr.splitlines()[0] == "1/1  check good"
    assert cli.tasks()["good"]["checks"]["passed"] is True
    cli(*checked, "approve", "good")
    cli("undo")
    cli("undo")
    assert cli.tasks() == {}
    assert git("for-each-ref", "refs/notes", cwd=cli.folder) == ""


def test_all_that_was_not_checked_is_checked_in_one_call(cli: Cli) -> None:
    """`check --all` takes what is finished and was not checked, and nothing a second time."""
    branch(cli.folder, "w/good", "good.txt")
    branch(cli.folder, "w/bad", "bad.txt")
    checked = ("-c", "checks.test=test -f good.txt")
    answer = cli(*checked, "adopt", "w/*")
    assert answer.stderr.splitlines()[-1] == "next: orchestrate check --all"
    found = cli(*checked, "check", "--all", "--json", ok=6).json
    assert {task["task"]["id"]: task["passed"] for task in found["tasks"]} == {"good": True, "bad": False}
    assert cli(*checked, "check", "--all").text == "nothing to check\n"
    assert cli("check", "--all", "good", ok=2).stderr.startswith("error: --all takes no tasks")


def test_checks_that_nobody_agreed_to_are_not_run(cli: Cli, tmp_path: Path) -> None:
    """A repository's own checks need trust, here as in a run."""
    commit(cli.folder, "Add checks\n", {".orchestrate.toml": f"[checks]\ntest = 'touch {tmp_path}/ran'\n"})
    branch(cli.folder, "good", "good.txt")
    assert cli.error("adopt", "--check", "good", exit=5)["code"] == "untrusted"
    assert not (tmp_path / "ran").exists()


# what comes after


def test_an_adopted_task_that_is_sent_back_goes_on_elsewhere(cli: Cli) -> None:
    """The next attempt starts at the branch's tip on a branch of its own; the branch itself is not moved."""
    words = told("Begin", "echo more > more.txt; git add -A; git commit -qm More").encode()
    tip = git(
        "commit-tree", branch(cli.folder, "mine", "mine.txt") + "^{tree}", "-p", "main", cwd=cli.folder, input=words
    )
    git("branch", "--force", "mine", tip, cwd=cli.folder)
    cli("adopt", "mine")
    cli("revise", "mine", "-m", "There is more to do")
    with cli.untouched():
        cli.run()
    task = cli.tasks()["mine"]
    assert (task["branch"], task["state"], "adopted" in task) == ("orch/mine", "finished", False)
    assert oid(cli, "orch/mine~1") == tip == oid(cli, "mine")
    assert [one["path"] for one in cli.json("diff", "mine")["files"]] == ["mine.txt", "more.txt"]
    cli("approve", "mine")
    cli("merge")
    cli("cleanup", "--yes")
    assert oid(cli, "mine") == tip


def test_a_branch_that_its_owner_moved_is_not_approved_unseen(cli: Cli) -> None:
    """Commits on top count, and so does another history: both once a review has shown them, and the branch stays."""
    branch(cli.folder, "mine", "mine.txt")
    cli("adopt", "mine")
    on_top = branch(cli.folder, "mine", "top.txt", base="mine")
    assert cli.error("approve", "mine", exit=5)["code"] == "unseen-commits"
    cli("review", "mine")
    assert cli.json("approve", "mine")["tasks"][0]["tip"] == on_top
    cli("undo")
    other = branch(cli.folder, "mine", "other.txt")
    assert cli.error("approve", "mine", exit=5)["code"] == "unseen-commits"
    cli("diff", "mine")
    assert cli.json("approve", "mine")["tasks"][0]["tip"] == other
    cli("reject", "mine")
    assert [task["id"] for task in cli.json("adopt", "mine")["tasks"]] == ["mine-2"]


def test_adopted_tasks_are_made_again_from_notes(cli: Cli) -> None:
    """Where the whole state folder is gone, adopted tasks come back with their verdicts, whatever their branches."""
    branch(cli.folder, "w/one", "one.txt")
    branch(cli.folder, "w/two", "two.txt", base="w/one")
    branch(cli.folder, "w/three", "three.txt")
    branch(cli.folder, "w/four", "four.txt")
    library = open_workspace(cli.folder)
    services.adopt.adopt_branches(library, services.adopt.plan_adoption(library, ["w/*"]))
    approve(library, "one", "three")
    merge(library, "three")
    services.reviewing.review.reject(library, services.lookup.find_task(library, "four"), "una")
    before = cli.tasks()
    shutil.rmtree(cli.folder / ".git/gitorch")
    after = cli.tasks()
    names = ("id", "number", "title", "branch", "base", "tip", "after", "adopted")
    for name, task in before.items():
        assert {key: after[name][key] for key in names} == {key: task[key] for key in names}
    states = {name: task["state"] for name, task in after.items()}
    assert states == {"one": "approved", "two": "finished", "three": "merged", "four": "rejected"}


def counting(cli: Cli, folder: Path) -> Path:
    """Put a git before the real one that counts its calls; return the file that it writes to."""
    folder.mkdir()
    real = shutil.which("git")
    (folder / "git").write_text(f'#!/bin/sh\necho "$*" >> "{folder}/calls"\nexec {real} "$@"\n')
    (folder / "git").chmod(0o755)
    cli.environment["PATH"] = f"{folder}{os.pathsep}{cli.environment['PATH']}"
    return folder / "calls"


def many(folder: Path, count: int) -> None:
    """Make branches, every fifth on top of the one before it, each with two commits, in one go."""
    main = git("rev-parse", "main", cwd=folder)
    stream = []
    for number in range(count):
        start = f"refs/heads/task/t{number - 1}" if number % 5 == 4 else main
        for half in (1, 2):
            stream.append(f"commit refs/heads/task/t{number}\ncommitter U <u@e> {number + half} +0000\n")
            stream.append(f"data 8\nAdd {half:04}\n" + (f"from {start}\n" if half == 1 else ""))
            stream.append(f"M 644 inline t{number}-{half}.txt\ndata 2\nx\n\n")
    git("fast-import", "--quiet", cwd=folder, input="".join(stream).encode())


def test_five_hundred_branches_in_one_call(cli: Cli, tmp_path: Path) -> None:
    """However many branches there are, git is asked a fixed number of times; likewise to take them back."""
    many(cli.folder, 20)
    cli("adopt", "task/*")
    few = counting(cli, tmp_path / "counted")
    cli("undo")
    cli("adopt", "task/*")
    asked = len(few.read_text().splitlines())
    cli("undo")
    many(cli.folder, 500)
    few.unlink()
    cli("undo", ok=5)
    few.unlink()
    found = cli.json("adopt", "task/*")
    assert len(found["tasks"]) == 500
    assert sum(bool(task["after"]) for task in found["tasks"]) == 100
    assert cli.json("undo")["removed"] == [task["id"] for task in found["tasks"]]
    calls = few.read_text().splitlines()
    print(f"{len(calls)} git processes for 500 branches, {asked} for 20")
    assert len(calls) <= asked + 2  # with those of the forecast, which is updated afterwards
    assert len(calls) <= 45
    assert cli.tasks() == {}


def test_a_name_that_is_not_utf8_is_refused_in_words(repository_folder: Path) -> None:
    """No task could hold it: as an exact name, a base, the branch that the user is on; a glob leaves it out."""
    cli = Cli(repository_folder)
    name = os.fsdecode(b"caf\xe9")
    git("switch", "-q", "-c", name, cwd=repository_folder)
    commit(repository_folder, "Own\n", {"own.txt": "1\n"})
    assert "not UTF-8" in cli.error("adopt", name, exit=5)["what"]
    assert "not UTF-8" in cli.error("submit", "x", "--base", name, exit=2)["what"]
    assert "not UTF-8" in cli.error("submit", "x", exit=2)["what"]
    git("switch", "-q", "main", cwd=repository_folder)
    cli("adopt", "c*")
    assert cli.tasks() == {}
