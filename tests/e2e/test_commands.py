"""Each command: its options, its JSON, its exit codes, and what it leaves behind."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from gitorch.cli.main import COMMANDS, main
from tests.support.cli import OBEDIENT, SECONDS, Cli, Pipe, does, left_behind, saved
from tests.support.git import DATE, commit, git

NAMES = [name for group in COMMANDS.values() for name in group]
COMMON = ("-C", "-c", "-q", "-v", "--json", "--no-input", "-h")


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def checked(cli: Cli, **checks: str) -> None:
    """Give the repository checks, committed and agreed to."""
    lines = "".join(f"{name} = {command!r}\n" for name, command in checks.items())
    commit(cli.folder, "Add checks\n", {".orchestrate.toml": f"[checks]\n{lines}"})
    cli("config", "trust", "--yes")


def show(cli: Cli, name: str) -> str:
    """Return what git has under a name."""
    return git("show", name, cwd=cli.folder)


def notes(cli: Cli, commit: str) -> list[dict[str, Any]]:
    """Return the lines of a commit's note, read by plain git."""
    return [json.loads(line) for line in git("notes", "--ref=gitorch", "show", commit, cwd=cli.folder).splitlines()]


# the words themselves


def test_every_command_has_help_and_the_common_options(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    """`COMMAND -h` exits 0 and tells of the options that every command has, on both spellings of help."""
    for name in NAMES:
        with pytest.raises(SystemExit) as ended:
            main([name, "-h"])
        text = capsys.readouterr().out
        assert ended.value.code == 0
        assert text.startswith("Usage: "), name
        assert all(f" {option}" in text for option in COMMON), name
    assert cli("status", "-h").stdout == cli("status", "--help").stdout


def test_common_options_stand_before_or_after(cli: Cli, tmp_path: Path) -> None:
    """`-C`, `-c`, `--json` and `-q` mean the same on both sides of the command; `-C` adds up, as git's does."""
    cli("submit", "Do it")
    wanted = cli.json("status")
    orders: tuple[tuple[str, ...], ...] = (
        ("--json", "-C", "repo", "status"),
        ("status", "-C", "repo", "--json"),
        ("-C", "repo", "status", "-C", "src", "--json"),
    )
    for words in orders:
        assert cli(*words, cwd=tmp_path).json == wanted
    asked = ("config", "get", "run.max_agents")
    assert cli("-c", "run.max_agents=7", *asked).text == cli(*asked, "-c", "run.max_agents=7").text == "7\n"
    assert cli(*asked).text == "3\n"
    assert cli("-q", "submit", "Say less").stderr == ""
    assert cli("submit", "Say less too", "-q").stderr == ""


def test_without_a_command_there_is_help(cli: Cli) -> None:
    """`orchestrate` alone shows the commands in the order of a day; a slip names the command that was meant."""
    text = cli().text
    listed = re.findall(r"^  ([a-z]+) {3}", text, re.MULTILINE)
    assert listed == list(NAMES)
    assert "did you mean status" in cli("statsu", ok=2).stderr
    assert cli("--version").text.startswith("gitorch ")


# JSON


TASK = {
    *("id", "number", "title", "state", "agent", "role", "priority", "after", "branch", "worktree", "base", "tip"),
    *("attempts", "attempt", "checks", "stale", "reason", "cost"),
}


def test_every_command_answers_as_json(cli: Cli) -> None:
    """One night through all commands: each prints one object with its own schema, streams one a line."""
    cli.imports_itself = True  # what a command does not import must not be there by chance
    checked(cli, test="test ! -f bad.txt")
    seen: set[str] = set()

    def call(*words: str, ok: int = 0) -> dict[str, Any]:
        seen.add(words[0])
        return cli.json(*words, ok=ok)

    def stream(*words: str, ok: int = 0) -> list[dict[str, Any]]:
        seen.add(words[0])
        return cli(*words, "--json", ok=ok).stream

    assert call("doctor")["findings"]
    assert call("context", "list")["notes"] == []
    assert call("rescue", "list")["points"] == []
    assert call("plan", "list")["plans"] == []
    assert call("init", "--print")["text"]
    assert call("config", "show")["schema"] == "gitorch/config/1"
    assert "orchestrate" in call("completion", "bash")["script"]
    assert call("help", "states")["topic"] == "states"
    assert call("roles", "list")["roles"]
    assert call("submit", does("One", saved("one.txt", "1"))["prompt"])["tasks"][0]["id"] == "one"
    call("submit", does("Two", saved("bad.txt", "2"))["prompt"])
    assert [task["id"] for task in call("run", "-n")["order"]] == ["one", "two"]
    *events, last = stream("run", ok=6)
    assert {event["schema"] for event in events} == {"gitorch/event/1"}
    assert all(TASK.issubset(event["task"]) for event in events)
    assert (last["schema"], last["tasks"], last["stopped"]) == ("gitorch/run/1", {"finished": 2}, None)
    assert call("status")["tasks"]
    assert {event["schema"] for event in stream("watch")} == {"gitorch/event/1"}
    assert call("agents")["agents"] == []
    assert call("task", "one")["task"]["prompt"].startswith("One\n#!do")
    assert {event["schema"] for event in stream("log", "one")} <= {"gitorch/log/1"}
    assert [card["task"]["id"] for card in call("review")["tasks"]] == ["two", "one"]
    assert call("check", "one")["tasks"][0]["passed"]
    assert call("cd", "one")["path"].endswith("one")
    assert call("preview", "one")["schema"] == "gitorch/preview/1"
    assert call("report")["schema"] == "gitorch/report/1"
    assert call("diff", "one")["files"] == [{"path": "one.txt", "status": "A", "added": 1, "removed": 0}]
    assert call("comment", "two", "bad.txt:1", "-m", "No")["task"]["comments"][0]["line"] == 1
    assert call("revise", "two")["task"]["state"] == "queued"
    assert call("kill", "two")["tasks"][0]["state"] == "cancelled"
    assert call("retry", "two")["tasks"][0]["state"] == "queued"
    cli.run(ok=6)
    assert call("approve", "one")["tasks"][0]["state"] == "approved"
    assert call("reject", "two", "-m", "Never")["task"]["reason"] == "Never"
    assert [one["id"] for one in call("merge")["merged"]] == ["one"]
    assert call("cleanup", "--yes")["tasks"] == ["one", "two"]
    assert call("plan", "list")["plans"] == []
    assert call("undo", "--list")["operations"][0]["kind"] == "cleanup"
    assert [task["state"] for task in call("undo")["tasks"]] == ["merged", "rejected"]
    assert call("redo")["removed"] == ["one", "two"]
    git("branch", "by-hand", "orch/integration", cwd=cli.folder)
    assert call("adopt", "by-h*")["left"][0]["branch"] == "by-hand"
    # these have tests of their own
    assert set(NAMES) - seen == {"demo", "edit", "hooks", "mcp", "move", "notes", "resume", "uninstall"}


def test_status_is_as_promised(cli: Cli) -> None:
    """`status --json` has the promised fields, with null for what is not known and values of the promised kinds."""
    checked(cli, test="test -f one.txt")
    (task,) = cli.queue(does("One", saved("one.txt", "1"), priority="high", agent="sh"))
    assert TASK.issubset(task)
    assert (task["branch"], task["base"], task["tip"], task["attempt"], task["cost"]) == (None,) * 5
    assert task["checks"] == {"passed": None, "results": []}
    cli.run()
    found = cli.json("status")
    assert set(found) == {"schema", "repository", "integration", "tasks", "conflicts", "candidate", "moved", "sandbox"}
    assert (found["schema"], found["repository"]) == ("gitorch/status/1", str(cli.folder))
    assert found["integration"] == {"branch": "orch/integration", "oid": None}
    (task,) = found["tasks"]
    assert (task["id"], task["number"], task["title"], task["state"]) == ("one", 1, "One", "finished")
    assert (task["agent"], task["role"], task["priority"], task["after"]) == ("sh", "generalist", "high", [])
    assert (task["branch"], task["worktree"]) == ("orch/one", str(cli.folder.parent / "repo.orch" / "one"))
    assert task["base"] == git("rev-parse", "main", cwd=cli.folder)
    assert task["tip"] == git("rev-parse", "orch/one", cwd=cli.folder)
    assert (task["attempts"], task["attempt"]["number"], task["stale"], task["reason"]) == (1, 1, False, None)
    (result,) = task["checks"]["results"]
    assert task["checks"]["passed"] is True
    assert (result["name"], result["exit_code"]) == ("test", 0)
    assert result["seconds"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", task["attempt"]["started"])


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


# attempts


def test_kill_keeps_uncommitted_work(cli: Cli, tmp_path: Path) -> None:
    """A killed task is cancelled; its commits and its uncommitted files are on its branch, its worktree stays."""
    ready = Pipe(tmp_path / "ready")
    script = (saved("done.txt", "done"), "echo half > half.txt", f"echo > {ready}", "exec sleep 600")
    cli.queue(does("Work", *script), does("Wait", "true"))
    with cli.start("run", "-m", "1") as run:
        ready.line()
        assert cli.json("kill", "wait")["tasks"][0]["state"] == "cancelled"
        assert cli.json("kill", "--all")["tasks"][0]["id"] == "work"
        assert run.end().code == 0
    assert left_behind(cli.folder) == []
    assert cli.states() == {"work": "cancelled", "wait": "cancelled"}
    assert (show(cli, "orch/work:done.txt"), show(cli, "orch/work:half.txt")) == ("done", "half")
    message = git("log", "-1", "--format=%B", "orch/work", cwd=cli.folder)
    assert message.startswith("WIP: Work")
    assert "Task: work\nAgent: sh" in message
    cli.run()
    assert cli.states() == {"work": "cancelled", "wait": "cancelled"}


def test_retry_starts_afresh_and_keeps_the_earlier_attempt(cli: Cli) -> None:
    """`retry` makes a new attempt on a fresh base; the branch of the first is under the attempt's own ref."""
    cli.queue(does("Try", "echo $RANDOM$$ > out.txt"))
    cli.run()
    first = cli.tasks()["try"]
    commit(cli.folder, "Move on\n", {"moved.txt": "on\n"})
    assert cli.json("retry", "try")["tasks"][0]["state"] == "queued"
    cli.run()
    second = cli.tasks()["try"]
    assert git("rev-parse", "refs/gitorch/attempts/try/1", cwd=cli.folder) == first["tip"]
    assert (second["attempts"], second["state"]) == (2, "finished")
    assert second["base"] == git("rev-parse", "main", cwd=cli.folder)
    assert git("rev-list", f"{second['base']}..orch/try", cwd=cli.folder).split() == [second["tip"]]
    assert [line["number"] for line in notes(cli, second["tip"]) if line["kind"] == "attempt"] == [2]
    assert [line["number"] for line in notes(cli, first["tip"]) if line["kind"] == "attempt"] == [1]


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


def test_no_changes_is_a_failure(cli: Cli) -> None:
    """An agent that exits 0 and changed nothing, or undid what it did, has failed with `no changes`."""
    cli.queue(does("Idle", "true"), does("Undo", saved("a", "a"), "git revert --no-edit HEAD"))
    cli.run(ok=6)
    assert {(task["state"], task["reason"]) for task in cli.tasks().values()} == {("failed", "no changes")}


def test_leftovers_are_committed_in_the_tasks_name(cli: Cli) -> None:
    """What an agent forgot to commit is on the branch: new, changed and deleted files, but nothing that is ignored."""
    cli.queue(
        does(
            "Forget",
            "echo new > new.txt; echo changed > README.md; rm data.bin; mkdir build; echo > build/x; echo > x.log",
        )
    )
    cli.run()
    changed = git("diff", "--name-status", "main", "orch/forget", cwd=cli.folder).splitlines()
    assert changed == ["M\tREADME.md", "D\tdata.bin", "A\tnew.txt"]
    assert git("log", "-1", "--format=%B", "orch/forget", cwd=cli.folder) == "Forget\n\nTask: forget\nAgent: sh"


def test_the_log_is_followed_through_all_steps(cli: Cli, tmp_path: Path) -> None:
    """`log -f` prints each line while the agent works, then the check's, once, and ends with the attempt."""
    checked(cli, test="echo checking")
    pipe, go = Pipe(tmp_path / "pipe"), Pipe(tmp_path / "go")
    cli.queue(does("Talk", f"echo first; echo ready > {pipe}; read word < {go}; echo second", saved("a.txt", "a")))
    with cli.start("run") as run:
        assert pipe.line() == "ready"
        with cli.start("log", "talk", "-f") as log:
            log.goes_on_until(lambda: b"first" in log.log.with_suffix(".out").read_bytes())
            go.say()
            lines = [line for line in log.end().text.splitlines() if line in ("first", "second", "checking")]
        run.end()
    assert lines == ["first", "second", "checking"]


def test_the_log_tells_what_was_said(cli: Cli) -> None:
    """`log` shows the transcript without what would steer a terminal, `log --raw` every byte of it."""
    cli.queue(does("Talk", "printf 'red \\033[31mword\\n'", saved("a.txt", "a")))
    assert cli.error("log", "talk", exit=3)["code"] == "no-log"
    cli.run()
    assert b"\x1b" not in cli("log", "talk").stdout
    assert "word" in cli("log", "talk").text
    assert b"red \x1b[31mword\n" in cli("log", "talk", "--raw").stdout
    assert "word" in cli("log", "talk", "-f").text
    worktree = cli("task", "talk", "--path").text.rstrip("\n")
    assert cli("log", cwd=Path(worktree)).stdout == cli("log", "talk").stdout
    assert cli.json("task", cwd=Path(worktree) / "src")["task"]["id"] == "talk"


def test_a_dry_run_changes_nothing(cli: Cli) -> None:
    """`submit -n` and `run -n` show what would be, in the order of it, and leave everything as it is."""
    assert cli.json("submit", "-n", "Try")["tasks"][0]["id"] == "try"
    assert cli.tasks() == {}
    cli.queue({"title": "Low", "priority": "low"}, {"title": "High", "after": ["low"], "priority": "high"})
    before = cli.tasks()
    order = cli.json("run", "-n")["order"]
    assert [task["id"] for task in order] == ["low", "high"]
    assert cli.tasks() == before
    assert not (cli.folder.parent / "repo.orch").exists()


# what an attempt stands on


PREPARED = """\
[prepare]
copy = [".env", "deps"]
run = ["echo made > made.log", "test -f .env"]
env = { PORT = "{port}", NAME = "{task}" }
"""


def test_a_worktree_is_prepared(cli: Cli) -> None:
    """Ignored files are copied, commands run, and each task has its own free port, the same in its next attempt."""
    (cli.folder / ".env").write_text("SECRET=1\n")
    (cli.folder / "deps").mkdir()
    (cli.folder / "deps" / "lib").write_text("lib\n")
    (cli.folder / ".git" / "info" / "exclude").write_text(".env\ndeps/\nmade.log\n")
    cli.configure(OBEDIENT + PREPARED)
    script = ("cat made.log deps/lib .env > seen.txt; echo $NAME $PORT >> ports.txt",)
    cli.queue(does("One", *script), does("Two", *script))
    cli.run()
    assert show(cli, "orch/one:seen.txt") == "made\nlib\nSECRET=1"
    (one, port), (two, other) = (show(cli, f"orch/{name}:ports.txt").split() for name in ("one", "two"))
    assert (one, two) == ("one", "two")
    assert port != other
    assert port.isdigit()
    cli("revise", "one", "-m", "again")
    cli.run()
    assert show(cli, "orch/one:ports.txt").splitlines() == [f"one {port}"] * 2


def test_a_failing_preparation_fails_the_task_loudly(cli: Cli) -> None:
    """What `prepare` cannot do fails the task with the command and its words; no agent is started."""
    cli.configure(OBEDIENT + "[prepare]\nrun = ['echo no network today >&2; exit 3']\n")
    cli.queue(does("Work", saved("a.txt", "a")))
    answer = cli.run(ok=6)
    (task,) = cli.tasks().values()
    assert task["state"] == "failed"
    assert all(word in task["reason"] for word in ("prepare failed", "exit code 3", "no network today"))
    assert "no network today" in answer.text
    assert (task["tip"], git("rev-parse", "orch/work", cwd=cli.folder)) == (None, task["base"])
    cli.configure(OBEDIENT + "[prepare]\ncopy = ['.env']\n")
    cli("retry", "work")
    cli.run(ok=6)
    assert "there is no .env" in cli.tasks()["work"]["reason"]


def test_the_users_own_hooks_still_run(cli: Cli) -> None:
    """A pre-commit hook of the user's runs in the agent's worktree and can refuse its commit."""
    hook = cli.folder / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\necho ran >> "$(git rev-parse --git-common-dir)/ran"\ntest ! -f forbidden.txt\n')
    hook.chmod(0o755)
    refused = "echo no > forbidden.txt; git add -A; if git commit -qm x; then exit 9; fi; rm forbidden.txt"
    cli.queue(does("Work", refused, "git add -A", saved("good.txt", "good")))
    with cli.untouched():
        cli.run()
    assert (cli.folder / ".git" / "ran").read_text() == "ran\n" * 2
    assert git("diff", "--name-only", "main", "orch/work", cwd=cli.folder) == "good.txt"


def test_checks_are_read_from_the_base(cli: Cli) -> None:
    """An agent that rewrites `.orchestrate.toml` is judged by the checks of its base, not by its own."""
    checked(cli, test="test -f proof.txt")
    cli.queue(does("Cheat", "printf '[checks]\\ntest = \"true\"\\n' > .orchestrate.toml; git commit -qam Cheat"))
    cli.run(ok=6)
    (task,) = cli.tasks().values()
    assert (task["state"], task["checks"]["passed"]) == ("finished", False)
    assert task["checks"]["results"][0]["command"] == "test -f proof.txt"
    assert cli.error("approve", "cheat", exit=5)["code"] == "checks-failed"
    assert cli.json("approve", "cheat", "--force")["tasks"][0]["state"] == "approved"
    noted = [line for line in notes(cli, task["tip"]) if line["kind"] == "check"]
    tree = git("rev-parse", f"{task['tip']}^{{tree}}", cwd=cli.folder)
    assert [(line["name"], line["exit_code"], line["tree"]) for line in noted] == [("test", 1, tree)]


def test_a_tasks_own_check_judges_it(cli: Cli) -> None:
    """`--check` adds a command to the repository's, for that task alone."""
    checked(cli, test="true")
    cli("submit", does("One", saved("a.txt", "a"))["prompt"], "--check", "test -f b.txt")
    cli("submit", does("Two", saved("c.txt", "c"))["prompt"])
    cli.run(ok=6)
    passed = {name: task["checks"]["passed"] for name, task in cli.tasks().items()}
    assert passed == {"one": False, "two": True}


def test_what_an_agent_may_not_move_is_an_alarm(cli: Cli) -> None:
    """Stashing, tagging and moving other branches is refused to the agent and told to the reviewer."""
    refused = ("git stash", "git branch other", "git tag v1", "git push . HEAD:x")
    script = ["echo x >> README.md", *(f"if {one}; then exit 9; fi" for one in refused), saved("a.txt", "a")]
    with cli.untouched():
        cli.queue(does("Reach", *script))
        cli.run()
    (task,) = cli.tasks().values()
    assert {"refs/heads/other", "refs/tags/v1"} <= set(task["attempt"]["alarms"])
    assert "refs/heads/other" in cli("review", "reach").text


# the morning


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
        cli("cleanup", "--yes")
    assert set(cli.tasks()) == {"three"}
    assert sorted(path.name for path in (cli.folder.parent / "repo.orch").iterdir() if path.name in tips) == ["three"]
    branches = git("for-each-ref", "--format=%(refname:short)", "refs/heads", cwd=cli.folder).split()
    assert branches == ["main", "orch/candidate", "orch/integration", "orch/three"]
    reachable = git("rev-list", "--glob=refs/gitorch", cwd=cli.folder).split()
    assert {tips["one"], tips["two"]} <= set(reachable)
    assert show(cli, "refs/gitorch/rescue/two:late.txt") == "late"
    assert cli("cleanup").text == "nothing to clean up\n"


def test_a_conflict_leaves_the_branch_as_it_was(cli: Cli) -> None:
    """A conflicted task keeps branch, worktree and files; it can be sent back, and merges once its conflict is gone."""
    cli.queue(
        does("One", "echo 1 > README.md; git commit -qam one"),
        does("Two", "echo 2 > README.md; git commit -qam two"),
    )
    cli.run()
    worktree = Path(cli.tasks()["two"]["worktree"])
    before = git("rev-parse", "orch/two", cwd=cli.folder), (worktree / "README.md").read_text()
    cli("approve", "--all")
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
    assert told[3:6] == [
        "1/1  check the union · test of 3 tasks: a, b, c",
        "2/2  check the base · test",
        "3/3  check once more · test of 3 tasks: a, b, c",
    ]
    assert "check test passes alone, fails together with a" in answer.text
    assert "2 tasks merged into orch/integration" in answer.text
    assert "orchestrate revise b" in answer.text
    assert "orchestrate merge --recheck" in answer.text
    assert cli("-q", "merge", ok=6).stderr == ""


def test_a_plan_shows_where_a_conflict_is(cli: Cli) -> None:
    """Before anything is done: the place, and what the two sides have there."""
    cli.queue(
        does("One", "echo 1 > README.md; git commit -qam one"),
        does("Two", "echo 2 > README.md; git commit -qam two"),
    )
    cli.run()
    cli("approve", "--all")
    shown = cli("merge", "-n", ok=7).text
    at = shown.index("  README.md:1\n")
    assert shown[at:].split("\n")[:3] == ["  README.md:1", "    one  1", "    two  2"]


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


def test_what_an_attempts_checks_saw_is_no_verdict(cli: Cli) -> None:
    """A file that git ignores made the attempt's check green: the merge checks the tree alone, and finds it red."""
    checked(cli, test="test -f build/made")
    cli.queue(does("A", "mkdir build; touch build/made", saved("a.txt", "a")))
    cli.run()
    assert cli.tasks()["a"]["checks"]["passed"] is True
    cli("approve", "--all")
    assert cli.json("merge", ok=6)["merged"] == []


def test_unapproved_work_is_not_merged(cli: Cli) -> None:
    """`merge` takes what is approved and nothing else; naming another task is refused; an empty merge moves nothing."""
    cli.queue(does("One", saved("one.txt", "1")), does("Two", saved("two.txt", "2"), after=["one"]))
    cli.run()
    assert cli.json("merge")["merged"] == []
    assert cli.error("merge", "one", exit=5)["code"] == "not-approved"
    cli("approve", "two")
    merged = cli.json("merge")
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


# the night


def test_start_after_approved_waits_for_the_human(cli: Cli) -> None:
    """With `run.start_after = "approved"` a dependent starts only on what a person has approved."""
    cli.queue(does("A", saved("a.txt", "a")), does("B", "cp a.txt b.txt", after=["a"]))
    cli.run("-c", "run.start_after=approved")
    assert cli.states() == {"a": "finished", "b": "queued"}
    cli("approve", "a")
    cli.run("-c", "run.start_after=approved")
    assert cli.states() == {"a": "approved", "b": "finished"}


def test_limits_stop_the_run(cli: Cli) -> None:
    """`--max-unreviewed` ends the run with exit 8, `--on-failure stop` with 6; the rest is queued and runs later."""
    cli.queue(*(does(f"T{at}", saved(f"{at}.txt", "x")) for at in range(3)))
    *_, last = cli.run("-m", "1", "--max-unreviewed", "1", "--json", ok=8).stream
    assert "review" in last["stopped"]
    assert sorted(cli.states().values()) == ["finished", "queued", "queued"]
    cli.queue(does("Bad", "exit 1", priority="high"))
    cli.run("-m", "1", "--on-failure", "stop", ok=6)
    assert cli.states() == {"t0": "finished", "t1": "queued", "t2": "queued", "bad": "failed"}
    cli.run()
    assert cli.states() == {"t0": "finished", "t1": "finished", "t2": "finished", "bad": "failed"}


def test_until_stops_the_run(cli: Cli, tmp_path: Path) -> None:
    """After `--until` nothing more starts and the run ends with exit 8; what is at work then is let finish."""
    begun = time.monotonic()
    cli.queue(does("Measure", "true"))
    cli.run(ok=6)
    # a run has to have begun by then, on a slow machine as well
    margin = min(50, 5 + round(4 * (time.monotonic() - begun)))
    ready, gate = Pipe(tmp_path / "ready"), Pipe(tmp_path / "gate")
    cli.queue(does("One", f"echo > {ready}", f"read w < {gate}", saved("1.txt", "x")), does("Two", saved("2.txt", "x")))
    now = datetime.now(UTC)
    # a clock time is told to the minute: in this time zone the next minute begins soon
    ahead = timedelta(seconds=(60 - margin - now.second) % 60)
    until = (now + ahead + timedelta(minutes=1)).replace(second=0, microsecond=0)
    zone = {"TZ": f"TEST-00:00:{ahead.seconds:02}"}
    with cli.start("run", "-m", "1", "--until", f"{until:%H:%M}", env=zone) as run:
        ready.line()
        time.sleep(max(0.0, (until - ahead - datetime.now(UTC)).total_seconds()))
        gate.say()
        assert run.end().code == 8
    assert cli.states() == {"measure": "failed", "one": "finished", "two": "queued"}


def test_dependencies_that_conflict_wait_and_the_rest_goes_on(cli: Cli) -> None:
    """Where several dependencies cannot be combined, that task says so and waits; nothing else stops."""
    cli.queue(
        does("A", "echo a > README.md; git commit -qam a"),
        does("B", "echo b > README.md; git commit -qam b"),
        does("Both", "true", after=["a", "b"]),
        does("Other", saved("other.txt", "o"), after=["b"]),
    )
    cli.run("-m", "1", ok=6)
    tasks = cli.tasks()
    assert {name: task["state"] for name, task in tasks.items()} == {
        "a": "finished",
        "b": "finished",
        "both": "queued",
        "other": "finished",
    }
    assert tasks["both"]["reason"] == "waits: a and b conflict in README.md"
    assert tasks["both"]["attempts"] == 0


def test_several_dependencies_are_merged_as_a_base(cli: Cli) -> None:
    """A task after two others starts on a merge of both, made without a worktree, and merges in order behind them."""
    cli.queue(
        does("A", saved("a.txt", "a")),
        does("B", saved("b.txt", "b")),
        does("Both", "cat a.txt b.txt > both.txt", after=["a", "b"]),
    )
    cli.run()
    tasks = cli.tasks()
    parents = git("rev-list", "--parents", "-1", tasks["both"]["base"], cwd=cli.folder).split()[1:]
    assert set(parents) == {tasks["a"]["tip"], tasks["b"]["tip"]}
    cli("approve", "--all")
    cli("merge")
    assert show(cli, "orch/integration:both.txt") == "a\nb"
    subjects = git("log", "--reverse", "--format=%s", "main..orch/integration", cwd=cli.folder).splitlines()
    assert subjects == ["Write a.txt", "Write b.txt", "Both"]


def test_an_interrupt_keeps_the_work_and_the_next_run_goes_on(cli: Cli, tmp_path: Path) -> None:
    """Ctrl-C stops the agents, commits what they had, queues the tasks, exits 130; the next run goes on with it."""
    ready = Pipe(tmp_path / "ready")
    script = ("if test -f half.txt; then echo whole > whole.txt; exit; fi", "echo half > half.txt", f"echo > {ready}")
    cli.queue(*(does(name, *script, "exec sleep 600") for name in ("One", "Two")), does("Three", saved("3.txt", "3")))
    with cli.untouched():
        with cli.start("run", "-m", "2") as run:
            ready.line()
            ready.line()
            run.process.send_signal(signal.SIGINT)
            ended = run.end()
        assert (ended.code, left_behind(cli.folder)) == (130, [])
        assert cli.states() == {"one": "queued", "two": "queued", "three": "queued"}
        assert show(cli, "orch/one:half.txt") == show(cli, "orch/two:half.txt") == "half"
        assert git("log", "-1", "--format=%s", "orch/one", cwd=cli.folder) == "WIP: One"
        cli.run()
    assert set(cli.states().values()) == {"finished"}
    assert (show(cli, "orch/one:whole.txt"), show(cli, "orch/one:half.txt")) == ("whole", "half")


def test_a_term_signal_is_as_polite(cli: Cli, tmp_path: Path) -> None:
    """SIGTERM to a run does as Ctrl-C does, and a second signal stops an agent that does not listen at once."""
    ready = Pipe(tmp_path / "ready")
    cli.queue(does("Deaf", "echo half > half.txt", "trap '' INT TERM", f"echo > {ready}", "while :; do sleep 1; done"))
    with cli.start("run") as run:
        ready.line()
        run.process.send_signal(signal.SIGTERM)
        run.process.send_signal(signal.SIGINT)
        ended = run.end()
    assert ended.code in (130, 143)
    assert left_behind(cli.folder) == []
    assert cli.states() == {"deaf": "queued"}
    assert show(cli, "orch/deaf:half.txt") == "half"


def test_a_detached_run_goes_on_by_itself(cli: Cli, tmp_path: Path) -> None:
    """`run --detach` answers with its process and log once it has begun; `watch` sees it to its end."""
    gate = Pipe(tmp_path / "gate")
    cli.queue(does("Wait", f"read w < {gate}", saved("a.txt", "a")))
    answer = cli.json("run", "--detach")
    assert psutil.pid_exists(answer["pid"])
    assert cli.error("run", exit=5)["why"] == f"process {answer['pid']}"
    with cli.start("watch") as watch:
        gate.say()
        text = watch.end().text
    assert "finished" in text
    assert cli.states() == {"wait": "finished"}
    assert "finished" in Path(answer["log"]).read_text()


def test_a_detached_run_that_cannot_begin_says_so(cli: Cli, tmp_path: Path) -> None:
    """What speaks against a run is told by `run --detach` too, with the run's own exit code."""
    cli.configure(f'agent = "claude"\n[agents.claude]\npath = "{tmp_path}/no/claude"\n')
    cli("submit", "Work")
    assert cli.error("run", "--detach", exit=4)["code"] == "agent-missing"


def test_stale_is_told_and_undone(cli: Cli) -> None:
    """What builds on a task that was sent back is stale until it was done again on the new work."""
    cli.queue(does("A", "echo $$ >> a.txt"), does("B", "cp a.txt b.txt", after=["a"]))
    cli.run()
    cli("revise", "a", "-m", "again")
    assert cli.tasks()["b"]["stale"] is True
    cli.run()
    assert cli.tasks()["b"]["stale"] is True
    cli("retry", "b")
    cli.run()
    tasks = cli.tasks()
    assert (tasks["b"]["stale"], tasks["b"]["base"]) == (False, tasks["a"]["tip"])


def test_a_run_whose_reader_has_gone_does_not_hang(repository_folder: Path, tmp_path: Path) -> None:
    """`run | head -1`: the run ends at once, its agent lives on, and the next run adopts it."""
    cli = Cli(repository_folder)
    pipe = Pipe(tmp_path / "go")
    cli.queue(does("One", f"read word < {pipe}", saved("one.txt", "1")), does("Two", saved("two.txt", "2")))
    command = f"'{sys.executable}' -m gitorch run | head -1"
    subprocess.run(["bash", "-c", command], cwd=cli.folder, env=cli.environment, check=True, timeout=SECONDS)
    pipe.say()
    cli.run()
    assert cli.states() == {"one": "finished", "two": "finished"}
    assert cli.tasks()["one"]["attempts"] == 1


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
