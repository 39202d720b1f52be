"""Executions on this machine, beyond the contract of every executor: supervisors and what survives them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from gitorch.executors import supervisor
from gitorch.executors.local import LocalExecutor
from gitorch.executors.probe import probe
from gitorch.executors.protocol import ExecutionId, Running, Spec
from gitorch.model.naming import EXECUTION_VARIABLE
from gitorch.model.outcome import Exit
from gitorch.storage import foreign_changes
from tests.support.api import until
from tests.support.executions import DAEMON, TIDY, Signal, marked, python, shell

FORK = multiprocessing.get_context("fork")
LONG = 86_400.0
"""A grace period that no machine is too slow for."""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A folder for executions; after the test, none of their processes may be left."""
    yield tmp_path
    survivors = marked(tmp_path)
    described = [(process.pid, process.cmdline()) for process in survivors]
    for process in survivors:
        process.kill()
    assert described == []


@pytest.fixture
def executor(root: Path) -> LocalExecutor:
    return LocalExecutor(root)


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Signal]:
    signal = Signal(tmp_path / "ready")
    yield signal
    signal.close()


def finished(executor: LocalExecutor, spec: Spec) -> Exit:
    """Run a program to its end."""
    result = executor.wait(executor.submit(spec))
    assert isinstance(result, Exit)
    return result


def test_processes_know_their_execution(root: Path, executor: LocalExecutor) -> None:
    """A variable names the execution in all of its processes, and its output is a file that a person can read."""
    execution = executor.submit(shell("odd näme\n/1", f'echo "${EXECUTION_VARIABLE}"'))
    executor.wait(execution)
    location = Path(executor.output_location(execution, "stdout"))
    assert location.read_text() == f"{root}/odd näme\n/1\n"


# each is active ten times a second, for longer than it may be idle
_LIVELY = {
    "prints": "sys.stdout.write('x'); sys.stdout.flush()",
    "prints-errors": "sys.stderr.write('x'); sys.stderr.flush()",
    "computes": "busy(0.1)",
    "a-child-computes": "subprocess.run([sys.executable, '-c', 'for _ in range(3_000_000): pass'])",
}
_BUSY = """
import subprocess, sys, time
def busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
end = time.monotonic() + 6
while time.monotonic() < end:
    {act}
    time.sleep(0.1)
"""


def test_an_active_program_is_not_idle(executor: LocalExecutor) -> None:
    """Output and processor time, of children too, are signs of life."""
    specs = [python(f"a/{name}", _BUSY.format(act=act), idle=5.0) for name, act in _LIVELY.items()]
    results = [executor.wait(execution) for execution in [executor.submit(spec) for spec in specs]]
    assert [(result.cause, result.exit_code) for result in results if isinstance(result, Exit)] == [("exited", 0)] * 4
    assert all(result.seconds > 5 for result in results if isinstance(result, Exit))


def test_the_whole_family_is_stopped(root: Path, executor: LocalExecutor, ready: Signal) -> None:
    """Cancelling ends a program's children and what detached itself, too."""
    script = root / "daemon.py"
    script.write_text(DAEMON)
    execution = executor.submit(shell("a/e", f"sleep 600 & {sys.executable} {script} {ready.path}; sleep 600"))
    daemon = int(ready.wait())
    assert psutil.pid_exists(daemon)
    executor.cancel(execution, "stop", now=True)
    result = executor.wait(execution)
    assert isinstance(result, Exit)
    assert result.leftover >= 2
    assert marked(root) == []


def test_polling_does_not_prevent_a_start(root: Path, executor: LocalExecutor) -> None:
    """A process that polls an execution while it is submitted is not taken for its supervisor."""
    specs = [shell(f"a/e{number}", "exit 5") for number in range(20)]
    for spec in specs:
        (root / spec.key).mkdir(parents=True)
        (root / spec.key / "lock").touch()

    def poll_for_ever() -> None:
        while True:
            for spec in specs:
                executor.poll(executor.id_of(spec.key))

    pollers = [FORK.Process(target=poll_for_ever, daemon=True) for _ in range(3)]
    for poller in pollers:
        poller.start()
    results = [executor.wait(executor.submit(spec)) for spec in specs]
    for poller in pollers:
        poller.kill()
        poller.join()
    assert [result.exit_code for result in results if isinstance(result, Exit)] == [5] * len(specs)


def test_files_of_a_program_are_no_executions(executor: LocalExecutor) -> None:
    """What a program writes into its own folder is not listed, adopted or polled."""
    script = "mkdir -p x/1; touch x/1/spec.json x/1/lock x/1/submit.lock x/1/run.json"
    finished(executor, shell("a/e", script))
    assert [submitted.key for submitted in executor.executions("a")] == ["a/e"]
    assert executor.adopt("a") == []


def test_no_zombies(executor: LocalExecutor) -> None:
    """A process that waited for an execution has no dead child."""
    before = set(psutil.Process().children())  # other tests' own
    finished(executor, shell("a/e", "true"))
    assert set(psutil.Process().children()) <= before


def supervisor_of(executor: LocalExecutor, execution: ExecutionId) -> int:
    """Return the process id of a live supervisor."""
    status = executor.poll(execution)
    assert isinstance(status, Running)
    return status.pid


@pytest.mark.parametrize("waiters", [1, 8])
def test_a_killed_supervisor(root: Path, executor: LocalExecutor, ready: Signal, waiters: int) -> None:
    """An execution whose supervisor was killed is lost for everybody, never a success, and its processes are killed."""
    script = root / "daemon.py"
    script.write_text(DAEMON)
    execution = executor.submit(shell("a/e", f"sleep 600 & {sys.executable} {script} {ready.path}; sleep 600"))
    ready.wait()
    assert len(marked(root)) >= 4
    os.kill(supervisor_of(executor, execution), signal.SIGKILL)
    with ThreadPoolExecutor(waiters) as pool:
        results = list(pool.map(executor.wait, [execution] * waiters))
    assert len({repr(result) for result in results}) == 1
    result = results[0]
    assert isinstance(result, Exit)
    assert (result.cause, result.exit_code) == ("lost", None)
    assert result.leftover >= 2
    assert marked(root) == []
    assert executor.poll(execution) == result
    assert executor.wait(executor.submit(shell("a/e", f"touch {root}/again"))) == result
    assert not (root / "again").exists()


def test_a_stopped_supervisor_is_continued(root: Path, executor: LocalExecutor) -> None:
    """A program that stops its supervisor ends as any other, and what it did is told."""
    result = finished(executor, shell("a/e", "kill -STOP $PPID; echo done"))
    assert (result.cause, result.exit_code) == ("exited", 0)
    (change,) = foreign_changes.recorded(root)
    assert change.what == "another program stopped the supervisor of a/e; gitorch continued it"


def test_a_supervisor_that_is_stopped_again_and_again_is_ended(root: Path, executor: LocalExecutor) -> None:
    """A program cannot keep its supervisor from ending it: it is lost, with all of its processes."""
    result = finished(executor, shell("a/e", "setsid sleep 600 & while kill -STOP $PPID; do sleep 0.01; done"))
    assert (result.cause, result.exit_code) == ("lost", None)
    assert result.message == "another program stopped its supervisor again and again; gitorch ended it"
    assert marked(root) == []
    assert any("stopped the supervisor of a/e" in change.what for change in foreign_changes.recorded(root))


def test_a_stopped_supervisor_hears_a_request_to_stop(executor: LocalExecutor, ready: Signal) -> None:
    """Whoever cancels need not wait for the end, as a run does."""
    execution = executor.submit(shell("a/e", f"echo > {ready.path}; kill -STOP $PPID; sleep 600"))
    ready.wait()
    process = psutil.Process(supervisor_of(executor, execution))
    until(lambda: process.status() == psutil.STATUS_STOPPED)
    executor.cancel(execution, "enough", now=True)
    until(lambda: isinstance(executor.poll(execution), Exit))


@pytest.mark.parametrize("target", ["$$", "0"])
def test_a_program_that_stops_itself_is_idle(root: Path, executor: LocalExecutor, target: str) -> None:
    """Also with everything in its process group."""
    result = finished(executor, shell("a/e", f"kill -STOP {target}; sleep 600", idle=0.5, grace=0.1))
    assert (result.cause, result.exit_code) == ("idle", None)
    assert marked(root) == []


def test_a_terminal_that_hangs_up_does_not_matter(executor: LocalExecutor, ready: Signal) -> None:
    """Signals of a terminal that is closed reach neither supervisor nor program."""
    execution = executor.submit(python("a/e", TIDY, str(ready.path), grace=LONG))
    ready.wait()
    pid = supervisor_of(executor, execution)
    assert os.getsid(pid) == pid != os.getsid(0)
    for number in (signal.SIGHUP, signal.SIGINT):
        os.kill(pid, number)
    assert isinstance(executor.poll(execution), Running)
    executor.cancel(execution, "")
    result = executor.wait(execution)
    assert isinstance(result, Exit)
    assert result.exit_code == 3


def test_probe() -> None:
    """A probe returns what a short command printed, or that there is no such command."""
    result = probe(["/bin/sh", "-c", "echo 1.2; echo bad >&2; exit 3"], {"PATH": os.environ["PATH"]})
    assert (result.exit_code, result.stdout, result.stderr) == (3, "1.2\n", "bad\n")
    assert probe(["no-such-program"], {}).exit_code is None
    assert probe(["/bin/sh", "-c", "exec sleep 60"], {"PATH": os.environ["PATH"]}, seconds=0.2).exit_code is None


def test_the_supervisor_needs_nothing_but_python(tmp_path: Path) -> None:
    """It starts with every agent, so it imports only the standard library."""
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", supervisor.__file__, str(tmp_path), "0"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert "json" in imported
    assert not imported & {"psutil", "msgspec", "git", "gitorch", "asyncio", "typing_extensions"}


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Let this process write no file, as if there were no space."""
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_what_fills_the_disk_can_be_ended(executor: LocalExecutor, ready: Signal) -> None:
    """A request to stop is a file; without space for it, the signal has to do."""
    execution = executor.submit(shell("full", f"trap '' TERM INT; echo ready > {ready.path}; exec sleep 600"))
    ready.wait()
    with full_disk():
        executor.cancel(execution, "enough", now=True)
    result = executor.wait(execution)
    assert isinstance(result, Exit)
    assert result.cause == "stopped"


def test_a_full_disk_hides_no_end(root: Path, executor: LocalExecutor, ready: Signal) -> None:
    """That a supervisor was killed is found without space to record it, and recorded once there is some."""
    execution = executor.submit(shell("full", f"echo ready > {ready.path}; exec sleep 600"))
    ready.wait()
    os.kill(supervisor_of(executor, execution), signal.SIGKILL)
    with full_disk():
        unrecorded = executor.wait(execution)
    assert not (root / "full" / "exit.json").exists()
    assert isinstance(unrecorded, Exit)
    assert unrecorded.cause == "lost"
    assert executor.wait(execution) == unrecorded
    assert (root / "full" / "exit.json").exists()
