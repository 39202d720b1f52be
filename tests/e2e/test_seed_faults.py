"""The faults of the seed that must not come back: each test fails on what its docstring tells of."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.cli import Cli, Pipe, does, left_behind, saved, told
from tests.support.git import git

HOSTILE = (
    "Run `make`; then \"$(id)\" && 'quote' it | cat > /dev/null & \\ $HOME\n\n\tand ünïcode 🦀, to the last byte;  "
)


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def test_an_agent_sees_the_repository(cli: Cli) -> None:
    """The seed started agents in a folder without the code. Here they stand in a checkout, with its whole history."""
    cli.queue(does("Look around", "cat src/app.py README.md > seen.txt", "git log --oneline | wc -l >> seen.txt"))
    cli.run()
    seen = git("show", "orch/look-around:seen.txt", cwd=cli.folder)
    assert "line 20\n# Example" in seen
    assert seen.split()[-1] == "3"


def test_a_description_may_hold_anything(cli: Cli) -> None:
    """The seed refused a description because of a backtick or a `;`. Here every byte reaches the agent."""
    cli.configure('agent = "keep"\n[agents.keep]\nkind = "command"\ncommand = ["/bin/sh", "-c", "cat > brief.md"]\n')
    (task,) = cli.json("submit", HOSTILE)["tasks"]
    assert cli.json("task", task["id"])["task"]["prompt"] == HOSTILE
    cli.run()
    assert HOSTILE in git("show", f"{cli.tasks()[task['id']]['branch']}:brief.md", cwd=cli.folder)


@pytest.mark.parametrize("slots", [1, 2])
def test_a_low_task_never_starts_before_a_high_one(cli: Cli, slots: int) -> None:
    """The seed had a queue for each agent, so that a LOW task ran before HIGH ones of another agent."""
    cli.configure(
        'agent = "one"\n'
        + "".join(f'[agents.{name}]\nkind = "command"\ncommand = ["/bin/true"]\n' for name in ("one", "two"))
    )
    priorities = ["low", "low", "normal", "low", "normal", "high", "high", "high"]
    agents = ["one", "one", "one", "two", "two", "two", "one", "two"]
    pairs = enumerate(zip(priorities, agents, strict=True))
    cli.queue(
        *({"title": f"T{at} {one}", "prompt": "x", "priority": one, "agent": agent} for at, (one, agent) in pairs)
    )
    events = cli.run("-m", str(slots), "--json", ok=6).stream[:-1]
    started = [event["task"]["priority"] for event in events if event["task"]["state"] == "running"]
    starts = list(dict.fromkeys(event["task"]["id"] for event in events if event["task"]["state"] == "running"))
    order = [name.rpartition("-")[2] for name in starts]
    assert order == ["high"] * 3 + ["normal"] * 2 + ["low"] * 3
    assert set(started) == {"high", "normal", "low"}


def test_agents_and_kill_work_from_another_shell(cli: Cli, tmp_path: Path) -> None:
    """In the seed `agents` and `kill` were blind in another shell. Here any shell sees who works, and stops it.

    The agent has detached a child of its own; no process is left.
    """
    ready = Pipe(tmp_path / "ready")
    script = ("echo half > half.txt", f"setsid sleep 600 & echo $! > {ready}", "exec sleep 600")
    cli.queue(does("Sleep long", *script))
    with cli.start("run") as run:
        detached = int(ready.line())
        (row,) = cli.json("agents", cwd=cli.folder / "src")["agents"]
        assert (row["task"], row["agent"], row["attempt"]) == ("sleep-long", "sh", 1)
        assert "sleep-long" in cli("agents").text
        os.kill(row["pid"], 0)
        os.kill(detached, 0)
        (killed,) = cli.json("kill", "sleep", cwd=cli.folder / "src")["tasks"]
        assert (killed["state"], killed["reason"]) == ("cancelled", "killed")
        assert left_behind(cli.folder) == []
        assert run.end().code == 0
    assert cli.json("agents")["agents"] == []
    assert git("show", "orch/sleep-long:half.txt", cwd=cli.folder) == "half"


def test_dependencies_are_kept(cli: Cli) -> None:
    """The seed's `execute-plan` dropped dependencies. Here B starts after A has finished, on A's work."""
    cli.queue(
        does("Use it", "test -f a.txt", "cp a.txt b.txt", id="b", after=["a"], priority="high"),
        does("Make it", saved("a.txt", "from a"), id="a", priority="low"),
    )
    events = cli.run("-m", "4", "--json").stream[:-1]
    moves = list(dict.fromkeys((event["task"]["id"], event["task"]["state"]) for event in events))
    assert moves == [("a", "running"), ("a", "finished"), ("b", "running"), ("b", "finished")]
    tasks = cli.tasks()
    assert tasks["b"]["base"] == tasks["a"]["tip"]
    assert git("show", "orch/b:b.txt", cwd=cli.folder) == "from a"


def test_a_cycle_is_refused(cli: Cli, tmp_path: Path) -> None:
    """The seed ran the tasks of a cycle in parallel. Here the cycle is named, and none of the file is queued."""
    (tmp_path / "night.toml").write_text(
        '[[task]]\ntitle="Free"\n[[task]]\nid="a"\ntitle="A"\nafter=["c"]\n[[task]]\nid="b"\ntitle="B"\nafter=["a"]\n'
        '[[task]]\nid="c"\ntitle="C"\nafter=["b"]\n'
    )
    found = cli.error("submit", "-F", str(tmp_path / "night.toml"), exit=2)
    assert found["code"] == "cycle"
    assert {"a", "b", "c"} <= set(found["what"].replace(":", " ").split())
    assert cli.tasks() == {}


def test_a_missing_program_is_never_completed(cli: Cli, tmp_path: Path) -> None:
    """The seed "completed" tasks in demo mode when the CLI was missing. Here it is exit 4, and nothing was begun."""
    for name in ("claude", "codex"):
        cli.configure(f'agent = "{name}"\n[agents.{name}]\npath = "{tmp_path}/no/{name}"\n')
        cli("submit", f"Work with {name}")
        found = cli.error("run", exit=4)
        assert found["code"] == "agent-missing"
        assert found["fix"][0].startswith("npm install")
    assert set(cli.states().values()) == {"queued"}
    assert {task["attempts"] for task in cli.tasks().values()} == {0}
    assert git("for-each-ref", "refs/heads/orch", "refs/gitorch", cwd=cli.folder) == ""
    assert not (tmp_path / "repo.orch").exists()


def test_no_agent_at_all_is_exit_4(cli: Cli, tmp_path: Path) -> None:
    """Where no agent is installed and logged in, `auto` means none: no silent stand-in does the work."""
    cli.configure("".join(f'[agents.{name}]\npath = "{tmp_path}/no/{name}"\n' for name in ("claude", "codex")))
    cli("submit", "Work")
    assert cli.error("run", exit=4)["code"] == "no-agent"
    assert cli.states() == {"work": "queued"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["no-such-command"], 2),
        (["submit"], 2),
        (["submit", "   "], 2),
        (["submit", "x", "--agent", "nobody"], 2),
        (["submit", "x", "--role", "nobody"], 2),
        (["submit", "x", "--after", "nothing"], 3),
        (["submit", "x", "--context", "{not json"], 2),
        (["submit", "x", "--context", "@nowhere.json"], 2),
        (["submit", "x", "--timeout", "soon"], 2),
        (["submit", "x", "--budget", "-1"], 2),
        (["submit", "-F", "nowhere.toml"], 2),
        (["submit", "x", "--no-such-option"], 2),
        (["run", "-m", "0"], 2),
        (["run", "--until", "late"], 2),
        (["-c", "run.max_agents=many", "run"], 2),
        (["-c", "nonsense", "run"], 2),
        (["task", "nothing"], 3),
        (["log", "nothing"], 3),
        (["diff", "nothing"], 3),
        (["approve", "nothing"], 3),
        (["approve"], 2),
        (["kill"], 2),
        (["retry", "nothing"], 3),
        (["merge", "nothing"], 3),
        (["config", "get", "run.max_agent"], 2),
        (["-C", "/nonexistent", "status"], 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors_never_exit_0(cli: Cli, words: list[str], code: int) -> None:
    """In the seed most errors were printed and exited 0. Here each has its exit code, its words and its JSON."""
    assert cli.error(*words, exit=code)["what"]


def test_an_agent_is_not_started_beside_a_live_one(cli: Cli, tmp_path: Path) -> None:
    """The seed started an agent a second time after a crash. Here the next run adopts the one that lives."""
    ready, gate, count = Pipe(tmp_path / "ready"), Pipe(tmp_path / "gate"), tmp_path / "count"
    script = (f"echo started >> '{count}'", f"echo > {ready}", f"read word < {gate}", "echo $word > out.txt")
    cli.queue(does("Work slowly", *script))
    with cli.start("run") as first:
        ready.line()
        first.process.send_signal(signal.SIGKILL)
        assert first.end().code == -signal.SIGKILL
        (row,) = cli.json("agents")["agents"]
        with cli.start("run", "--json") as second:
            gate.say("opened")
            assert second.end().code == 0
    assert count.read_text() == "started\n"
    assert row["task"] == "work-slowly"
    (task,) = cli.tasks().values()
    assert (task["state"], task["attempts"]) == ("finished", 1)
    assert git("show", "orch/work-slowly:out.txt", cwd=cli.folder) == "opened"
    assert left_behind(cli.folder) == []


def test_a_failed_start_is_not_retried_for_ever(cli: Cli, tmp_path: Path) -> None:
    """The seed retried it for ever. Here the first one holds its agent; what dies unseen is retried once."""
    count = tmp_path / "count"
    cli.configure(
        '[agents.broken]\nkind = "command"\ncommand = ["{worktree}/no-such-tool"]\n'
        f'[agents.dying]\nkind = "command"\ncommand = ["/bin/sh", "-c", "echo >> {count}; kill -9 $PPID; sleep 60"]\n'
    )
    cli("submit", "Cannot start", "--agent", "broken")
    cli("submit", "Dies unseen", "--agent", "dying")
    cli.run(ok=4)
    tasks = cli.tasks()
    broken, dying = tasks["cannot-start"], tasks["dies-unseen"]
    assert broken["state"] == "queued"
    assert "no-such-tool" in broken["reason"]
    assert (dying["state"], dying["attempts"]) == ("failed", 2)
    assert count.read_text() == "\n\n"
    cli.run(ok=4)
    assert cli.tasks()["dies-unseen"]["attempts"] == 2


def test_a_told_agent_does_what_it_is_told(cli: Cli) -> None:
    """The agent of these tests runs the script in its task's text: were it not so, they would prove nothing."""
    cli("submit", told("Say so", "echo here > said.txt"))
    cli.run()
    assert git("show", "orch/say-so:said.txt", cwd=cli.folder) == "here"
