"""`run`: its limits, dependencies, signals, and runs in the background."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from tests.support.checked import show
from tests.support.cli import SECONDS, Cli, Pipe, does, left_behind, saved
from tests.support.git import git


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


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


def test_tasks_that_wait_for_a_failed_one_are_named_at_the_end(cli: Cli) -> None:
    """No run can start them: the summary says so, and which command helps, also when nothing else is left to run."""
    cli.queue(does("Bad", "exit 3"), does("Kid", "true", after=["bad"]), does("Grandkid", "true", after=["kid"]))
    text = "kid, grandkid cannot start: bad is failed (orchestrate retry bad)"
    assert cli("run", "--json", "-c", "run.retries=0", ok=6).stream[-1]["troubles"] == [text]
    assert f"warning: {text}" in cli.run().text


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
