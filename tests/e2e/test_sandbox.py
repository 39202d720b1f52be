"""A night in boxes, through the command line: agents, checks, merges, and what is said about the sandbox."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.support import sandbox
from tests.support.cli import OBEDIENT, Cli
from tests.support.git import commit, git

BOXED = f'sandbox.mode = "bwrap"\n{OBEDIENT}'


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    sandbox.require()
    return Cli(repository_folder, BOXED)


def do(script: str) -> str:
    """Return the text of a task whose agent runs a script."""
    return f"A task\n\n#!do\n{script}\n#!end\n"


def test_checks_of_attempts_and_of_merges_run_in_a_box(cli: Cli, tmp_path: Path) -> None:
    """A check sees its checkout and its git, and neither writes nor reads anything else; the night comes to its end."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    check = (
        f'test -z "$(cat {outside}/secret 2>/dev/null)" && ! touch {outside}/evil 2>/dev/null && ! touch /evil '
        '&& git rev-parse HEAD && test -z "$(git status --porcelain)" && test -f a && pwd'
    )
    generate = "wc -c < a > made"
    cli.configure(f"{BOXED}[checks]\ntest = {json.dumps(check)}\n[merge.regenerate]\nmade = {json.dumps(generate)}\n")
    commit(cli.folder, "a generated file", {"made": "0\n", "a": ""})
    with cli.untouched():
        cli.queue({"id": "first", "prompt": do("echo a > a; echo 2 > made; git add .; git commit -qm a")})
        run = cli.run()
        assert cli.states() == {"first": "finished"}
        cli("approve", "first")
        cli("merge")
    assert git("show", "orch/integration:a", cwd=cli.folder) == "a"
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert "sandbox: bubblewrap" in run.stderr
    assert "no sandbox" not in run.stderr
    cli("cleanup", "--yes")
    assert not (cli.folder / ".git/gitorch/rooms/first").exists()


def test_a_failing_check_goes_back_into_the_same_box(cli: Cli) -> None:
    """Prepared files are there for the agent and its checks, and a failure has its output."""
    (cli.folder / ".env").write_text("KEY=1\n")
    commit(cli.folder, "ignore", {".gitignore": ".env\n"})
    (cli.folder / ".env").write_text("KEY=1\n")
    cli.configure(f'{BOXED}[prepare]\ncopy = [".env"]\nrun = ["echo ready > .env2"]\n[checks]\ntest = "cat nothing"\n')
    cli.queue({"id": "first", "prompt": do("cat .env .env2 > copied; rm .env2; git add -A; git commit -qm copied")})
    cli.run(ok=6)
    assert git("show", "orch/first:copied", cwd=cli.folder) == "KEY=1\nready"
    assert "nothing: No such file" in cli("log", "first").text + json.dumps(cli.json("task", "first"))


def test_a_killed_run_is_continued_with_the_agent_in_its_box(cli: Cli) -> None:
    """The agent goes on without its orchestrator, and the next run collects what it did: one attempt, one commit."""
    script = (
        "echo 1 >> starts; while [ ! -f go ]; do sleep 0.05; done; rm go; "
        "mv starts a; git add a; git commit -qm 'work of a'"
    )
    cli.queue({"id": "first", "prompt": do(script)})
    worktree = cli.folder.parent / "repo.orch" / "first"
    with cli.start("run") as started:
        deadline = time.monotonic() + 60.0
        while not (worktree / "starts").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        started.process.kill()
        started.process.wait()
        (worktree / "go").touch()
        cli.run()
    task = cli.tasks()["first"]
    assert (task["state"], task["attempts"]) == ("finished", 1)
    assert git("show", "orch/first:a", cwd=cli.folder) == "1"


def test_a_killed_agent_leaves_nothing_behind(cli: Cli) -> None:
    """`kill` ends a box with everything in it, and its uncommitted work is kept."""
    cli.queue({"id": "first", "prompt": do("echo a > a; (setsid sleep 617 &); exec sleep 618")})
    worktree = cli.folder.parent / "repo.orch" / "first"
    with cli.start("run") as started:
        deadline = time.monotonic() + 60.0
        while not (worktree / "a").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        cli("kill", "first")
        started.process.wait()
    assert cli.states() == {"first": "cancelled"}
    assert git("show", "orch/first:a", cwd=cli.folder) == "a"
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [command for command in commands if command in (b"sleep\x00617\x00", b"sleep\x00618\x00")]


def test_refused_hosts_are_alarms(cli: Cli) -> None:
    """Who looks at the task sees what its agent tried to reach."""
    script = (
        'python3 -c \'import socket; s = socket.create_connection(("127.0.0.1", 3128)); '
        's.sendall(b"CONNECT evil.example:443 HTTP/1.1\\r\\n\\r\\n"); s.recv(99)\'; echo x > x'
    )
    cli.queue({"id": "first", "prompt": do(script)})
    cli.run()
    assert cli.tasks()["first"]["attempt"]["alarms"] == ["network: evil.example:443"]


@pytest.mark.parametrize(
    ("settings", "words", "code"),
    [
        ('mode = "landlock"', ("not available",), 2),
        ('mode = "private"', ("not available",), 2),
        ('mode = "off"\nnetwork = "off"', ("needs a sandbox",), 2),
        ('mode = "bwrap"\nhosts = ["http://x.org/"]', ("is not a host",), 2),
        ('mode = "bwrap"\nwrite = ["/"]', ("would open the repository",), 2),
        ('mode = "bwrap"\nread = ["relative"]', ("not an absolute path",), 2),
    ],
)
def test_settings_that_cannot_be_kept(cli: Cli, settings: str, words: tuple[str, ...], code: int) -> None:
    """They are refused before anything runs, with the setting's name."""
    cli.configure(OBEDIENT)
    cli.queue({"id": "first", "prompt": do("true")})
    cli.configure(f"[sandbox]\n{settings}\n{OBEDIENT.replace('agent =', 'unused =', 0)}".replace('agent = "sh"\n', ""))
    found = cli.error("run", exit=code)
    assert all(word in found["what"] for word in words)


def test_doctor_says_what_is_in_force(cli: Cli) -> None:
    """In a box, without one, and whether one could be had."""
    assert "sandbox: bubblewrap" in cli("doctor", ok=(0, 4, 6)).text
    cli.configure(OBEDIENT)
    text = cli("doctor", ok=(0, 4, 6)).text
    assert "no sandbox" in text
    assert 'sandbox.mode = "bwrap" works here' in text
