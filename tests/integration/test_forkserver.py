"""The fork server of the tests: a command that it forks is what `python -m gitorch` would be."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.support import forkserver
from tests.support.cli import Cli, Pipe, does


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


@pytest.mark.parametrize(
    ("words", "code"),
    [(("roles", "list", "--json"), 0), (("--version",), 0), (("nonsense",), 2), (("task", "none"), 3)],
)
def test_it_answers_as_a_fresh_interpreter_does(cli: Cli, words: tuple[str, ...], code: int) -> None:
    """The same exit code, and the same bytes on both streams."""
    forked = cli(*words, ok=code)
    cli.fresh_interpreter = True
    fresh = cli(*words, ok=code)
    assert forked == fresh


@pytest.mark.parametrize(("words", "code"), [(("submit", "--json"), 0), (("--version",), 0), (("task", "none"), 3)])
def test_a_shell_reaches_it_too(cli: Cli, tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    """`orchestrate` on a shell's PATH has the shell's streams, folder and environment, and the command's exit code."""
    forkserver.server().install(tmp_path)
    environment = {**cli.environment, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["/bin/sh", "-c", f"echo 'Do it' | orchestrate {' '.join(words)}"]
    done = subprocess.run(command, cwd=cli.folder, env=environment, capture_output=True, check=False)
    assert done.returncode == code, done
    if "submit" in words:
        assert list(cli.tasks()) == ["do-it"]
    else:
        forked = cli(*words, ok=code)
        assert (done.stdout.decode(), done.stderr.decode()) == (forked.text, forked.stderr)


def test_commands_share_nothing(cli: Cli, tmp_path: Path) -> None:
    """Working directory and environment are those of one command, and the test's own do not change."""
    environment, folder = dict(os.environ), Path.cwd()
    assert cli("config", "get", "run.max_agents", env={"GITORCH_RUN_MAX_AGENTS": "7"}).text == "7\n"
    assert cli("config", "get", "run.max_agents").text == "3\n"
    assert cli("status", cwd=tmp_path, ok=3).stderr.startswith(f"error: {tmp_path} is not inside a git repository")
    assert cli("status").code == 0
    assert (dict(os.environ), Path.cwd()) == (environment, folder)


def test_large_input_and_output(cli: Cli) -> None:
    """More than a pipe holds goes in and comes out."""
    prompt = "Read\n" + "x" * 1_000_000
    cli("submit", input=prompt.encode())
    assert cli.json("task", "read")["task"]["prompt"] == prompt


def test_its_process_can_be_waited_for_and_killed(cli: Cli, tmp_path: Path) -> None:
    """It has a session of its own; a signal ends it as a signal does."""
    pipe = Pipe(tmp_path / "pipe")
    cli.queue(does("Wait", f"echo ready > {pipe}", "exec sleep 600"))
    with cli.start("run") as run:
        assert pipe.line() == "ready"
        assert os.getsid(run.process.pid) == run.process.pid
        with pytest.raises(subprocess.TimeoutExpired):
            run.process.wait(0.01)
        assert run.process.poll() is None
        run.process.send_signal(signal.SIGKILL)
        answer = run.end()
    assert (answer.code, run.process.poll()) == (-signal.SIGKILL, -signal.SIGKILL)


def test_a_command_that_takes_too_long_is_killed(cli: Cli, tmp_path: Path) -> None:
    """The time-out of a call is that of `subprocess.run`."""
    pipe = Pipe(tmp_path / "pipe")
    cli.queue(does("Wait", f"echo ready > {pipe}", "sleep 600"))
    with pytest.raises(subprocess.TimeoutExpired):
        cli("run", seconds=0.5)
    cli("kill", "--all")


def test_a_forked_test_process_has_a_server_of_its_own() -> None:
    """Two processes never talk over one connection."""
    mine = forkserver.server()
    assert forkserver.server() is mine
    child = os.fork()
    if not child:
        os._exit(forkserver.server() is mine)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_the_words_of_a_call_are_kept(cli: Cli) -> None:
    """Arguments arrive as they are: an empty one, lines, and what is no UTF-8."""
    words = ("submit", "-n", "--json", "--", "a\nb \udcff 🦀", "")
    forked = cli(*words, ok=2)
    cli.fresh_interpreter = True
    assert cli(*words, ok=2) == forked


def test_commands_carry_no_large_library(cli: Cli) -> None:
    """A fork costs by the memory of its parent: what few commands load is in a server of its own."""
    cli("status")
    words = ["-m", "tests.support.forkserver", "gitorch"]
    # one that has ended meanwhile has no command line
    commands = {child: child.as_dict(["cmdline"])["cmdline"] for child in psutil.Process().children()}
    (process,) = (child for child, command in commands.items() if command and command[1:4] == words)
    files = {Path(mapped.path).name for mapped in process.memory_maps()}
    assert not [name for name in files if "temporal" in name or "pydantic" in name]
