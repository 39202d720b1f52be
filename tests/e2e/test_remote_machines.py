"""Workers that are not like this machine: another clock, other programs, another version, no space, no way home."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import gitorch
from tests.e2e.test_remote import settings, worker
from tests.faults.clock import Clock
from tests.support.api import until
from tests.support.checked import show
from tests.support.cli import Cli, Pipe, does, saved
from tests.support.git import git
from tests.support.temporal import Server, serving

HOUR = 3600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture
def cli(repository_folder: Path, server: Server, tmp_path: Path) -> Cli:
    """A person whose agents run on workers with a label of this test."""
    cli = Cli(repository_folder, settings(server, tmp_path.name))
    cli.loads_temporal = True
    return cli


@contextlib.contextmanager
def other_worker(cli: Cli, server: Server, folder: Path, label: str, env: Mapping[str, str]) -> Iterator[Path]:
    """Run a worker in an interpreter of its own, until it is ready; yield what it writes."""
    words = ("worker", "--address", server.address, "--slots", "2", "--label", label, "--folder", str(folder))
    command = [sys.executable, "-m", "gitorch", *words]
    with started_worker(command, cli, folder.with_suffix(".log"), env) as log:
        yield log


@contextlib.contextmanager
def started_worker(command: Sequence[str], cli: Cli, log: Path, env: Mapping[str, str]) -> Iterator[Path]:
    """Run the command of a worker until it is ready; yield what it writes."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            env={**cli.environment, **env},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        assert until(lambda: "ready: 2 agents at once" in log.read_text() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield log
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("skew", [HOUR, -HOUR])
def test_a_worker_whose_clock_is_an_hour_off(cli: Cli, server: Server, tmp_path: Path, skew: int) -> None:
    """The skew makes nothing lost, silent or slow, and times are shown by the clock of the person's machine."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    clock = Clock(file=tmp_path / "clock", library=tmp_path / "clock.so")
    source = Path(__file__).parents[1] / "faults/clock.c"
    subprocess.run((compiler, "-shared", "-fPIC", "-O1", "-o", clock.library, source), check=True)
    clock.jump(skew)
    # programs of a worker get no more of its environment than the agent's settings say
    agent = "".join(f'env.{name} = "{value}"\n' for name, value in clock.environment.items())
    cli.configure(settings(server, tmp_path.name).replace("[remote]", f"{agent}[remote]", 1))
    ready, go = Pipe(tmp_path / "ready"), Pipe(tmp_path / "go")
    cli.queue(does("Work", f"pwd > {ready}", "echo some words", f"read word < {go}", saved("done.txt", "done")))
    began = datetime.now(UTC)
    limits = ("-c", 'run.task_timeout="20m"', "-c", 'run.idle_timeout="10m"')
    with (
        other_worker(cli, server, tmp_path / "worker", tmp_path.name, clock.environment),
        cli.start("run", *limits) as run,
    ):
        ready.line()
        assert until(lambda: "its clock differs by 3" in cli("doctor", "--remote", ok=(0, 4)).text)
        assert until(lambda: "some words" in cli("log", "work", "--since", "30m").text)
        (agent,) = cli.json("agents")["agents"]
        go.say()
        assert run.end().code == 0
    assert cli.tasks()["work"]["attempts"] == 1
    assert show(cli, "orch/work:done.txt") == "done"
    (event,) = cli("log", "work", "--json").stream
    times = [datetime.fromisoformat(time) for time in (agent["started"], event["at"])]
    assert [abs(time - began) < timedelta(minutes=30) for time in times] == [True] * 2, times


def bin_folder(folder: Path, *names: str) -> Path:
    """Return a folder with a stand-in for claude under these names."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(Path(__file__).parents[1] / "support/scripted_claude.py")
    return folder


def test_a_worker_without_claude_gets_no_task_of_it(cli: Cli, server: Server, tmp_path: Path) -> None:
    """They wait, and everyone says why, until another worker has it; then they all go there, at the first attempt."""
    label, path = tmp_path.name, cli.environment["PATH"]
    assert shutil.which("claude", path=path) is None
    home = {"PATH": f"{bin_folder(tmp_path / 'home-bin', 'claude')}:{path}"}
    agents = f'agent = "claude"\n[agents.claude]\nlabel = "{label}"\n[agents.sh]\n'
    cli.configure(settings(server, label).replace('agent = "sh"\n[agents.sh]\n', agents))
    names = ["one", "two", "three", "four"]
    cli.queue(*({"id": name, "prompt": f"{name}\n#!claude leave {name}.txt"} for name in names))
    cli.queue({**does("Other", saved("other.txt", "o")), "agent": "sh"})
    reason = f"no worker has claude on its PATH (install it on {os.uname().nodename}, and start the worker there again)"
    with worker(cli, server, tmp_path / "worker-1", label):
        run = cli.run(ok=range(256), env=home)
        assert f"will wait: {reason}" in run.stderr
        assert f"{reason}; 4 tasks wait for it" in run.text
        assert cli.states() == {**dict.fromkeys(names, "queued"), "other": "finished"}
        assert f"waits: {reason}" in {cli.tasks()[name]["reason"] for name in names}
        with other_worker(cli, server, tmp_path / "worker-2", label, home):  # both take tasks of sh
            cli.run("-m", "2", env=home)
    assert {(task["state"], task["attempts"]) for task in cli.tasks().values()} == {("finished", 1)}
    assert [show(cli, f"orch/{name}:{name}.txt") for name in names] == ["left"] * 4


def test_a_worker_of_another_version_takes_nothing(cli: Cli, server: Server, tmp_path: Path) -> None:
    """It may not understand an order. A run and doctor say so, and tasks go to a worker of the same version."""
    package = tmp_path / "other" / "gitorch"
    shutil.copytree(Path(gitorch.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    version = package / "version.py"
    version.write_text(version.read_text().replace(gitorch.__version__, "0.0.9"))
    cli.queue(*(does(name, saved(f"{name}.txt", name)) for name in ("one", "two", "three")))
    with other_worker(cli, server, tmp_path / "worker-1", tmp_path.name, {"PYTHONPATH": str(package.parent)}):
        said = f"worker {os.uname().nodename} has gitorch 0.0.9, this machine has {gitorch.__version__}"
        run = cli.run(ok=8)
        assert f"{said}: it takes nothing from here" in run.stderr
        assert "no machine takes attempts now" in run.text
        assert set(cli.states().values()) == {"queued"}
        assert "0.0.9, this machine has" in cli("doctor", "--remote", ok=(0, 4)).text
        with worker(cli, server, tmp_path / "worker-2", tmp_path.name):
            cli.run("-m", "2")
    assert {(task["state"], task["attempts"]) for task in cli.tasks().values()} == {("finished", 1)}
    assert not [*tmp_path.glob("worker-1/mirrors/*")]


def test_an_origin_that_cannot_be_reached_for_a_while(cli: Cli, server: Server, tmp_path: Path) -> None:
    """While an agent works, and when its work is to be delivered: it comes home once the repository is there again."""
    origin, away, busy = tmp_path / "origin", tmp_path / "away", tmp_path / "busy"
    origin.symlink_to(cli.repository.common_dir)
    # the first push finds no repository, and the attempt to find one brings it back
    git_folder = bin_folder(tmp_path / "bin")
    script = git_folder / "git"
    script.write_text(
        f'#!/bin/sh\n{shutil.which("git")} "$@"\ncode=$?\n'
        f'case " $* " in *" push "*) test $code = 0 || {{ echo x >> {busy}; mv {away} {origin}; }} ;; esac\n'
        "exit $code\n"
    )
    script.chmod(0o755)
    cli.queue(does("Work", saved("done.txt", "done"), f"mv {origin} {away}", "echo left > left.txt"))
    path = {"PATH": f"{git_folder}:{cli.environment['PATH']}"}
    with other_worker(cli, server, tmp_path / "worker", tmp_path.name, path):
        cli.run("-c", f'remote.origin="{origin}"')
    assert busy.read_text() == "x\n", "one push failed"
    task = cli.tasks()["work"]
    assert (task["state"], task["attempts"]) == ("finished", 1)
    assert show(cli, "orch/work:done.txt") == "done"
    assert show(cli, "orch/work:left.txt") == "left"


def test_an_origin_that_stays_away_loses_nothing(cli: Cli, server: Server, tmp_path: Path) -> None:
    """The task fails with the words of git, and says where the work is: on the worker, as commits."""
    origin, away = tmp_path / "origin", tmp_path / "away"
    origin.symlink_to(cli.repository.common_dir)
    cli.queue(does("Work", saved("done.txt", "done"), f"mv {origin} {away}"))
    with worker(cli, server, tmp_path / "worker", tmp_path.name):
        cli.run("-c", f'remote.origin="{origin}"', "-c", "run.retries=0", ok=6)
    task = cli.tasks()["work"]
    assert task["state"] == "failed"
    (room,) = (tmp_path / "worker/rooms").iterdir()
    assert f"kept on {os.uname().nodename} in {room}" in task["reason"]
    repositories = [*room.rglob("*.git"), *room.rglob(".git")]
    assert any(
        "done.txt" in git("log", "--all", "--name-only", cwd=folder) for folder in repositories if folder.is_dir()
    )


def test_a_disk_that_fills_up_costs_one_task(cli: Cli, server: Server, tmp_path: Path) -> None:
    """Of a worker without a limit: the run ends, and the worker goes on without a traceback."""
    mount = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
    folder = tmp_path / "small-disk"
    folder.mkdir()
    tmpfs = f"mount -t tmpfs -o size=60m tmpfs {folder}"
    if not shutil.which("unshare") or subprocess.run([*mount, tmpfs], capture_output=True, check=False).returncode:
        pytest.skip("this machine mounts no file system in a namespace")
    cli.queue(does("Fill", "cat /dev/zero > big"))
    words = ("worker", "--address", server.address, "--slots", "2", "--label", tmp_path.name, "--folder", str(folder))
    command = shlex.join([sys.executable, "-m", "gitorch", *words, "-c", "run.min_free_disk=0"])
    with started_worker([*mount, f"{tmpfs} && exec {command}"], cli, tmp_path / "worker.log", {}):
        cli.run("-c", "run.retries=0", ok=6)
    assert cli.states() == {"fill": "failed"}
