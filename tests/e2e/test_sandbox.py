"""A night in boxes, through the command line: agents, checks, merges, and what is said about the sandbox."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import psutil
import pytest

from tests.support import sandbox
from tests.support.cli import OBEDIENT, Cli, Pipe
from tests.support.git import commit, git


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    sandbox.require()
    return Cli(repository_folder, OBEDIENT, GITORCH_SANDBOX_MODE="bwrap")


def do(script: str) -> str:
    """Return the text of a task whose agent runs a script."""
    return f"A task\n\n#!do\n{script}\n#!end\n"


def test_checks_of_attempts_and_of_merges_run_in_a_box(cli: Cli, tmp_path: Path) -> None:
    """A check sees its checkout and its git, and neither writes nor reads anything else; the night comes to its end."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    # not by its absolute path: what a check names in its own command line is readable
    check = (
        f'O={str(outside)[1:]}; test -z "$(cat /$O/secret 2>/dev/null)" && ! touch /$O/evil 2>/dev/null '
        "&& ! touch /evil "
        '&& git rev-parse HEAD && test -z "$(git status --porcelain)" && test -f a && pwd'
    )
    generate = "wc -c < a > made"
    cli.configure(
        f"{OBEDIENT}[checks]\ntest = {json.dumps(check)}\n[merge.regenerate]\nmade = {json.dumps(generate)}\n"
    )
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
    cli.configure(
        f'{OBEDIENT}[prepare]\ncopy = [".env"]\nrun = ["echo ready > .env2"]\n[checks]\ntest = "cat nothing"\n'
    )
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
    commands = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if command in (["sleep", "617"], ["sleep", "618"])]


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
    ("mode", "settings", "words", "code"),
    [
        ("landlock", 'write = ["/"]', ("would open the repository",), 2),
        ("private", 'network = "off"', ("needs a sandbox",), 2),
        ("off", 'network = "off"', ("needs a sandbox",), 2),
        ("bwrap", 'hosts = ["http://x.org/"]', ("is not a host",), 2),
        ("bwrap", 'write = ["/"]', ("would open the repository",), 2),
        ("auto", 'write = ["/"]', ("would open the repository",), 2),
        ("bwrap", 'read = ["relative"]', ("not an absolute path",), 2),
    ],
)
def test_settings_that_cannot_be_kept(cli: Cli, mode: str, settings: str, words: tuple[str, ...], code: int) -> None:
    """They are refused before anything runs, with the setting's name."""
    cli.queue({"id": "first", "prompt": do("true")})
    cli.configure(f"{OBEDIENT}[sandbox]\n{settings}\n")
    found = cli.error("run", exit=code, env={"GITORCH_SANDBOX_MODE": mode})
    assert all(word in found["what"] for word in words)


@pytest.mark.parametrize("mode", ["auto", "bwrap"])
def test_doctor_says_what_is_in_force(cli: Cli, mode: str) -> None:
    """A box, unless the settings say otherwise."""
    assert "sandbox: bubblewrap" in cli("doctor", ok=(0, 4, 6), env={"GITORCH_SANDBOX_MODE": mode}).text
    assert "bubblewrap sandbox" in cli("status", env={"GITORCH_SANDBOX_MODE": mode}).text


def test_without_a_sandbox_everything_says_so(cli: Cli) -> None:
    """`doctor` says that one could be had, `status` and `run` what is missing."""
    off = {"GITORCH_SANDBOX_MODE": "off"}
    text = cli("doctor", ok=(0, 4, 6), env=off).text
    assert "no sandbox" in text
    assert "a sandbox works here" in text
    assert "no sandbox" in cli("status", env=off).text
    assert "no sandbox" in cli.run(env=off).stderr


def test_a_named_sandbox_is_never_replaced(cli: Cli, tmp_path: Path) -> None:
    """Where no box can be made, `bwrap` is an error, although Landlock would work."""
    cli.environment |= without_user_namespaces(tmp_path) | {"GITORCH_SANDBOX_MODE": "bwrap"}
    cli.queue({"id": "first", "prompt": do("true")})
    assert cli.error("run", exit=4)["code"] == "sandbox-unavailable"


def without_user_namespaces(folder: Path) -> dict[str, str]:
    """Return the environment of a machine where bubblewrap is installed and cannot make a box."""
    (folder / "bwrap").write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    (folder / "bwrap").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "GITORCH_SANDBOX_MODE": "auto"}


class TestAuto:
    """The default: the strongest that works here."""

    def test_is_a_box(self, cli: Cli, tmp_path: Path) -> None:
        """A run without any setting keeps its agents in."""
        (tmp_path / "secret").write_text("secret")
        cli.environment["GITORCH_SANDBOX_MODE"] = "auto"
        cli.queue({"id": "first", "prompt": do(f"cat {tmp_path}/secret > copy || echo none > copy; echo x > x")})
        assert "sandbox: bubblewrap" in cli.run().stderr
        assert git("show", "orch/first:copy", cwd=cli.folder) == "none"

    def test_is_landlock_where_no_box_can_be_made(self, cli: Cli, tmp_path: Path) -> None:
        """All commands say what is in force, why it is nothing stronger, and what it does not protect."""
        sandbox.require_landlock()
        (tmp_path / "secret").write_text("secret")
        cli.environment |= without_user_namespaces(tmp_path)
        cli.queue({"id": "first", "prompt": do(f"cat {tmp_path}/secret > copy || echo none > copy; echo x > x")})
        run = cli.run()
        status = cli("status").text
        assert "Landlock sandbox" in status
        for text in (run.stderr, status, cli("doctor", ok=(0, 4, 6)).text):
            words = " ".join(text.split())
            assert "setting up uid map: Permission denied" in words
            assert "docs/security.md" in words
            assert "a Landlock sandbox hides no names" in words
            assert "agents cannot use /tmp or unix sockets, nor listen on ports" in words
            assert "no sandbox" not in words
        assert cli.json("status")["sandbox"]["mode"] == "landlock"
        assert git("show", "orch/first:copy", cwd=cli.folder) == "none"

    def test_keeps_network_off_under_landlock(self, cli: Cli, tmp_path: Path) -> None:
        """A setting that only a sandbox can keep is kept by this one."""
        sandbox.require_landlock()
        cli.environment |= without_user_namespaces(tmp_path)
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            cli.configure(f'{OBEDIENT}[sandbox]\nnetwork = "off"\nhosts = ["localhost:{port}"]\n')
            connect = f"python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}))'"
            cli.queue({"id": "first", "prompt": do(f"{connect} && echo open > net || echo closed > net")})
            cli.run()
        assert git("show", "orch/first:net", cwd=cli.folder) == "closed"

    def test_unsafe_no_sandbox_is_for_one_run(self, cli: Cli, tmp_path: Path) -> None:
        """The flag takes the sandbox from one run, whose status says so."""
        (tmp_path / "secret").write_text("secret")
        cli.environment["GITORCH_SANDBOX_MODE"] = "auto"
        starts, goes_on = Pipe(tmp_path / "starts"), Pipe(tmp_path / "goes-on")
        script = f"cat {tmp_path}/secret > copy; echo x > {starts}; read x < {goes_on}"
        cli.queue({"id": "first", "prompt": do(script)})
        with cli.start("run", "--unsafe-no-sandbox") as started:
            starts.line()
            assert "no sandbox" in cli("status").text
            goes_on.say()
            assert "no sandbox" in started.end().stderr
        assert git("show", "orch/first:copy", cwd=cli.folder) == "secret"
        assert "no sandbox" not in cli("status").text

    def test_an_attempt_keeps_the_room_that_it_started_in(self, cli: Cli) -> None:
        """A run that was killed in a box is continued in that box, whatever the settings say by then."""
        cli.queue({"id": "first", "prompt": do("git tag mine; touch starts; while [ ! -f go ]; do sleep 0.05; done")})
        worktree = cli.folder.parent / "repo.orch" / "first"
        with cli.start("run") as started:
            started.goes_on_until((worktree / "starts").exists)
            started.process.kill()
            started.process.wait()
            (worktree / "go").touch()
            cli.run("--unsafe-no-sandbox")
        assert cli.states() == {"first": "finished"}
        assert git("tag", cwd=cli.folder) == ""
        assert git("show", "--format=", "--name-only", "orch/first", cwd=cli.folder).split() == ["go", "starts"]


def test_a_private_repository_is_no_wall_and_the_night_says_so(cli: Cli) -> None:
    """Accidents through git miss; what an agent reached by its path is named, and the exit code says it."""
    cli.environment["GITORCH_SANDBOX_MODE"] = "private"
    shared = cli.folder / ".git"
    tag = git("rev-parse", "HEAD", cwd=cli.folder)
    script = (
        "git tag mine; git update-ref refs/heads/main HEAD~0; git stash list; echo x > x; git add x; git commit -qm x; "
        f"git rev-parse HEAD > {shared}/refs/tags/planted; echo evil > {cli.folder}/evil"
    )
    cli.queue({"id": "first", "prompt": do(script)})
    run = cli.run(ok=6)
    words = " ".join((run.stderr + run.text).split())
    assert "no sandbox: agents run with your rights" in words
    assert "refs/tags/planted" in words
    assert "evil" in words
    assert git("tag", "--list", "mine", cwd=cli.folder) == ""
    assert git("rev-parse", "main", cwd=cli.folder) == tag
    assert git("show", "orch/first:x", cwd=cli.folder) == "x"
    (worktree,) = (task["worktree"] for task in cli.tasks().values())
    assert (Path(worktree) / ".git").read_text().startswith(f"gitdir: {shared}/worktrees/")
    assert "refs/tags/planted" in cli("status").text
