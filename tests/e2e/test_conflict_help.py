"""Conflict help from end to end: what is remembered, what is made anew, and an agent that solves what is left."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from gitorch import services
from gitorch.model.task import Phase, State, change_attempt
from gitorch.services.open import open_workspace
from tests.support.cli import Cli, does, saved
from tests.support.git import commit, git
from tests.support.prepared import PreparedNight

AGENT = """\
agent = "sh"
[merge]
on_conflict = "agent"
[agents.sh]
kind = "command"
command = ["{script}", "{{prompt_file}}"]
"""

SCRIPT = r"""#!/bin/sh -e
if [ -f "$BRIEFS/next" ]; then exec sh -e "$BRIEFS/next"; fi
if grep -q 'solve a conflict' "$1"; then
  cp "$1" "$BRIEFS"/$(git branch --show-current | tr / -)
  git status --porcelain >> "$BRIEFS/status"
  exec sh -e "$BRIEFS/solve"
fi
sed -n '/^#!do$/,/^#!end$/p' "$1" | sh -e
"""


def spend(folder: Path) -> Cli:
    """Two tasks that change the same line, the first one merged; an agent that does what a file says in a conflict."""
    script = folder.parent / "agent"
    script.write_text(SCRIPT.replace("$BRIEFS", str(folder.parent)))
    script.chmod(0o755)
    cli = Cli(folder, AGENT.format(script=script))
    cli.queue(
        does("Louder", "sed -i 's/^line 3$/LINE 3/' src/app.py; git commit -qam louder"),
        does(
            "Number", saved("before.txt", "b", "Before"), "sed -i 's/^line 3$/line three/' src/app.py", "echo x > new"
        ),
    )
    cli.run()
    cli("approve", "--all")
    merged = cli.json("merge", ok=7)
    assert [one["id"] for one in merged["conflicted"]] == ["number"]
    return cli


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, _template: Path) -> PreparedNight:
    return PreparedNight(tmp_path_factory.mktemp("prepared"), _template, spend)


@pytest.fixture
def cli(night: PreparedNight, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return night.restore(monkeypatch)


def solves(cli: Cli, *script: str) -> None:
    (cli.folder.parent / "solve").write_text("\n".join(script) + "\n")


def test_an_agent_solves_what_is_in_conflict(cli: Cli) -> None:
    """It finds both versions in its files and both tasks in its brief; what it makes needs approval, then goes in."""
    old = git("rev-parse", "orch/number", cwd=cli.folder)
    integration = git("rev-parse", "orch/integration", cwd=cli.folder)
    solves(cli, "sed -i -e '/^<<<<<<< /,/^>>>>>>> /c LINE THREE' src/app.py", "git add -A; git commit -qm Solved")
    with cli.untouched():
        cli.run()
    said = (cli.folder.parent / "orch-number").read_text()
    for word in ("Louder", "Number", "LINE 3", "line three", "## In `src/app.py`"):
        assert word in said, word
    assert (cli.folder.parent / "status").read_text().splitlines() == [" M src/app.py", "?? new"]
    task = cli.tasks()["number"]
    assert (task["state"], task["attempts"], task["base"]) == ("finished", 2, integration)
    assert git("log", "--format=%s", "--reverse", f"{integration}..orch/number", cwd=cli.folder).split("\n") == [
        "Before",
        "Solved",
    ]
    assert git("rev-parse", "refs/gitorch/attempts/number/1", cwd=cli.folder) == old
    assert cli.json("merge")["merged"] == [], "what an agent solved is not approved by that"
    cli("approve", "number")
    merged = cli.json("merge")
    assert [one["id"] for one in merged["merged"]] == ["number"]
    assert "LINE THREE" in git("show", "orch/integration:src/app.py", cwd=cli.folder).splitlines()
    assert git("show", "orch/integration:new", cwd=cli.folder) == "x"
    # and it was learned from: the same conflict solves itself
    assert git("for-each-ref", "refs/gitorch/resolved", cwd=cli.folder)


REASON = "conflicts with louder in src/app.py"
FAILURES = {
    "conflict markers are left in src/app.py": ("git add -A; git commit -qm Done",),
    "exit code 7": ("echo half > half; git add -A; git commit -qm Half; echo more > more", "exit 7"),
    "a rebase was left unfinished in the worktree": (
        "git add -A; git commit -qm Mine",
        "git rebase --exec false HEAD~1 || true",
    ),
    "the worktree was switched to another branch: my/own": ("git symbolic-ref HEAD refs/heads/my/own",),
    "the history before the task's base was rewritten": ("git add -A; git commit -qm x; git reset -q --soft main~2",),
}


@pytest.mark.parametrize("why", FAILURES)
def test_an_attempt_that_solves_nothing_leaves_the_conflict(cli: Cli, why: str) -> None:
    """The task is in conflict as before, says what the attempt did, and all that the attempt made is kept."""
    before, old = cli.tasks()["number"], git("rev-parse", "orch/number", cwd=cli.folder)
    solves(cli, *FAILURES[why])
    ended = cli.run(ok=6)
    after = cli.tasks()["number"]
    assert (after["state"], after["attempts"]) == ("conflicted", 2)
    assert after["reason"].startswith(f"{REASON}; attempt 2 did not resolve it: ")
    assert why in after["reason"]
    assert "did not resolve it" in ended.stderr + ended.text
    assert git("rev-parse", "orch/number", cwd=cli.folder) == old
    assert {key: after[key] for key in ("base", "tip", "branch", "stale", "checks")} == {
        key: before[key] for key in ("base", "tip", "branch", "stale", "checks")
    }
    worktree = Path(after["worktree"])
    assert git("status", "--porcelain", "--branch", cwd=worktree) == "## orch/number"
    assert git("rev-parse", "HEAD", cwd=worktree) == old
    kept = git("for-each-ref", "--format=%(refname)", "refs/gitorch/attempts", "refs/gitorch/rescue", cwd=cli.folder)
    found = [git("grep", "-c", "LINE 3", ref, "--", "src/app.py", cwd=cli.folder, ok=(0, 1)) for ref in kept.split()]
    assert any(found), "what the attempt had made is nowhere"


def test_what_a_failed_attempt_made_is_kept(cli: Cli) -> None:
    """Its commits are the attempt's ref, its files a rescue point."""
    solves(cli, "rm src/app.py; echo half > half; git add -A; git commit -qm Half; echo more > more", "exit 7")
    cli.run(ok=6)
    kept = git("log", "--format=%s", "refs/gitorch/attempts/number/2", cwd=cli.folder).splitlines()
    assert "Half" in kept
    shown = [git("show", f"{kept}:more", cwd=cli.folder, ok=(0, 128)) for kept in _kept(cli)]
    assert "more" in shown


def _kept(cli: Cli) -> list[str]:
    patterns = ("refs/gitorch/attempts/number", "refs/gitorch/rescue/number")
    return git("for-each-ref", "--format=%(refname)", *patterns, cwd=cli.folder).splitlines()


def test_the_same_conflict_is_tried_once(cli: Cli) -> None:
    """An attempt that failed is not made again by every run, also when other work was merged; new work is tried."""
    solves(cli, "exit 7")
    cli.run(ok=6)
    cli.run()
    cli.queue(does("Other", saved("other", "x")))
    cli.run()
    cli("approve", "other", "number")
    cli("merge", ok=7)
    assert cli.states() == {"louder": "merged", "number": "conflicted", "other": "merged"}
    cli.run()
    assert cli.tasks()["number"]["attempts"] == 2
    worktree = Path(cli.tasks()["number"]["worktree"])
    git("commit", "--quiet", "--allow-empty", "-m", "By hand", cwd=worktree)
    cli("diff", "number")
    cli("approve", "number")
    cli("merge", ok=7)
    cli.run(ok=6)
    assert cli.tasks()["number"]["attempts"] == 3


def test_a_conflict_that_was_not_solved_can_be_worked_on(cli: Cli) -> None:
    """It can be approved again, sent back and begun afresh, as any conflict; an attempt afresh is not on top of it."""
    old = git("rev-parse", "orch/number", cwd=cli.folder)
    solves(cli, "git add -A; git commit -qm Mine; git rebase --exec false HEAD~1 || true")
    cli.run(ok=6)
    cli("approve", "number")
    assert cli.states()["number"] == "approved"
    cli("merge", ok=7)
    (cli.folder.parent / "next").write_text("git log -1 --format=%H > seen; git add -A; git commit -qm Seen\n")
    cli("revise", "number", "-m", "look again")
    cli.run()
    assert cli.states()["number"] == "finished"
    assert git("show", "orch/number:seen", cwd=cli.folder) == old
    cli("retry", "number")
    cli.run()
    assert git("merge-base", "orch/number", "main", cwd=cli.folder) == git("rev-parse", "main", cwd=cli.folder)


def test_what_builds_on_it_is_stale_only_while_it_is_tried(cli: Cli) -> None:
    """A task on top of one in conflict is as good as before when the attempt has changed nothing in the end."""
    cli.queue(does("Above", saved("above", "x"), after=["number"]))
    cli.run("-c", "merge.on_conflict=hold")
    assert not cli.tasks()["above"]["stale"]
    solves(cli, "exit 7")
    cli.run(ok=6)
    assert cli.states() == {"louder": "merged", "number": "conflicted", "above": "finished"}
    assert not cli.tasks()["above"]["stale"]
    solves(cli, "sed -i -e '/^<<<<<<< /,/^>>>>>>> /c LINE THREE' src/app.py")
    git("commit", "--quiet", "--allow-empty", "-m", "By hand", cwd=Path(cli.tasks()["number"]["worktree"]))
    cli("diff", "number")
    cli("approve", "number")
    cli("merge", ok=7)
    cli.run()
    tasks = cli.tasks()
    assert tasks["number"]["state"] == "finished"
    assert (tasks["above"]["stale"], tasks["above"]["base"]) == (False, tasks["number"]["tip"])


def test_a_preparation_that_fails_leaves_the_conflict(cli: Cli) -> None:
    """The agent has not even begun: the branch is as it was all the same."""
    old = git("rev-parse", "orch/number", cwd=cli.folder)
    cli.run("-c", "prepare.run=['exit 9']", ok=6)
    task = cli.tasks()["number"]
    assert task["state"] == "conflicted"
    assert "prepare failed with exit code 9" in task["reason"]
    assert git("rev-parse", "orch/number", cwd=cli.folder) == old


@pytest.mark.parametrize("killed", [False, True])
def test_stepping_back_is_made_good(cli: Cli, killed: bool) -> None:
    """Where it is cut short, or git refuses it, nothing is taken away, and the next run brings it to its end."""
    old = git("rev-parse", "orch/number", cwd=cli.folder)
    solves(cli, "echo half > half; git add -A; git commit -qm Half; exit 7")
    in_the_way = "refs/gitorch/attempts/number/2/in-the-way"
    git("update-ref", in_the_way, "main", cwd=cli.folder)
    cli.run(ok=6)
    assert cli.states()["number"] == "failed"
    assert git("log", "-1", "--format=%s", "orch/number", cwd=cli.folder) == "Half"
    cli.run()
    assert cli.states()["number"] == "failed"
    git("update-ref", "-d", in_the_way, cwd=cli.folder)
    if killed:
        library = open_workspace(cli.folder)
        ended = change_attempt(services.lookup.find_task(library, "number"), phase=Phase.ENDED)
        library.store.save([msgspec.structs.replace(ended, state=State.RUNNING, reason="exit code 7")])
    cli.run(ok=6 if killed else 0)
    task = cli.tasks()["number"]
    assert task["state"] == "conflicted"
    assert "did not resolve it" in task["reason"]
    assert git("rev-parse", "orch/number", cwd=cli.folder) == old
    assert git("log", "-1", "--format=%s", "refs/gitorch/attempts/number/2", cwd=cli.folder) == "Half"


def test_what_an_agent_leaves_uncommitted_counts(cli: Cli) -> None:
    """Files that are solved and not committed are committed for it, as with any work."""
    solves(cli, "sed -i -e '/^<<<<<<< /,/^>>>>>>> /c LINE THREE' src/app.py")
    cli.run()
    assert cli.states()["number"] == "finished"
    assert git("show", "orch/number:new", cwd=cli.folder) == "x"


def test_hold_holds(cli: Cli) -> None:
    """Without the setting a conflict waits for a person, and no agent is started."""
    cli.run("-c", "merge.on_conflict=hold")
    assert cli.states()["number"] == "conflicted"
    assert cli.tasks()["number"]["attempts"] == 1


def test_a_conflict_that_is_gone_needs_no_agent(cli: Cli) -> None:
    """Where the branch fits by now, it is approved as before, and its next merge takes it."""
    tree = git("rev-parse", "main^{tree}", cwd=cli.folder)
    back = git("commit-tree", tree, "-p", "orch/integration", "-m", "Back", cwd=cli.folder)
    git("update-ref", "refs/heads/orch/integration", back, cwd=cli.folder)
    solves(cli, "exit 1")
    cli.run()
    assert cli.states()["number"] == "approved"
    assert [one["id"] for one in cli.json("merge")["merged"]] == ["number"]


def test_a_person_who_merges_into_the_branch_has_solved_it(cli: Cli) -> None:
    """The merge on the branch is left out by the replay, and what it solved is not: the plan says by what."""
    worktree = Path(cli.tasks()["number"]["worktree"])
    git("merge", "--quiet", "--no-commit", "orch/integration", cwd=worktree, ok=(0, 1))
    lines = (worktree / "src/app.py").read_text()
    head, _, tail = lines.partition("<<<<<<< ")
    (worktree / "src/app.py").write_text(head + "LINE THREE\n" + tail.partition(">>>>>>> ")[2].partition("\n")[2])
    git("commit", "--quiet", "--all", "-m", "Solved by hand", cwd=worktree)
    cli("diff", "number")
    cli("approve", "number")
    plan = cli.json("merge", "-n")
    assert plan["resolved"] == [{"id": "number", "paths": ["src/app.py"], "by": "memory"}]
    assert "conflict in src/app.py resolved by memory" in cli("merge", "-n").text
    merged = cli.json("merge")
    assert merged["resolved"] == plan["resolved"]
    assert "LINE THREE" in git("show", "orch/integration:src/app.py", cwd=cli.folder).splitlines()
    pairs = merged["merged"][0]["commits"]
    told = [git("notes", "--ref=gitorch", "show", pair["new"], cwd=cli.folder).splitlines() for pair in pairs]
    kinds = [[json.loads(line)["kind"] for line in lines] for lines in told]
    assert sum("resolved" in one for one in kinds) == 1


LOCKED = "[merge.regenerate]\n'made.lock' = 'cat parts/* > made.lock; echo $MADE >> made.lock'\n"


def locked(folder: Path, config: str = LOCKED) -> Cli:
    """A repository with a file that a command makes of others, and two tasks that each add to both."""
    cli = Cli(folder)
    commit(cli.folder, "Parts\n", {".orchestrate.toml": config, "parts/a": "a\n", "made.lock": "a\n\n"})
    cli("config", "trust", "--yes")
    for name in "bc":
        script = (
            f"echo {name} > parts/{name}; cat parts/* > made.lock; echo >> made.lock",
            "git add -A; git commit -qm m",
        )
        cli.queue(does(name.upper(), *script))
    cli.run()
    cli("approve", "--all")
    return cli


def test_a_file_that_a_command_makes_is_made_anew(repository_folder: Path) -> None:
    """`[merge.regenerate]`: no text merge, but the command on the merged tree; the tree that is published has it."""
    cli = locked(repository_folder)
    plan = cli.json("merge", "-n")
    assert plan["resolved"] == [{"id": "c", "paths": ["made.lock"], "by": "regenerate"}]
    merged = cli.json("merge")
    assert merged["resolved"] == plan["resolved"]
    assert git("show", "orch/integration:made.lock", cwd=cli.folder) == "a\nb\nc"
    assert git("status", "--porcelain", cwd=cli.folder) == ""


def test_a_command_that_fails_is_named(repository_folder: Path) -> None:
    """The conflict stays a conflict, and what failed is said."""
    cli = locked(repository_folder, "[merge.regenerate]\n'made.lock' = 'exit 3'\n")
    told = cli("merge", ok=7)
    assert "exit 3 (for made.lock) failed with exit code 3" in told.stderr
    assert cli.states() == {"b": "merged", "c": "conflicted"}


def test_commands_need_trust(repository_folder: Path) -> None:
    """A command that a repository's file names is not run before the user agreed to it; a dry run runs none."""
    cli = locked(repository_folder)
    changed = LOCKED.replace("cat", "touch ../ran; cat")
    (cli.folder / ".orchestrate.toml").write_text(changed)
    cli("merge", "-n")
    assert cli.error("merge", exit=5)["code"] == "untrusted"
    assert "merge.regenerate" in cli.json("merge", ok=5)["why"]
    assert cli.states() == {"b": "approved", "c": "approved"}
