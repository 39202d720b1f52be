"""What happens to executions elsewhere when a worker, the server or the link fails: real processes, real signals."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from temporalio.client import Client

from gitorch.executors.protocol import ExecutionId, NotStarted, Running
from gitorch.executors.temporal.connection import Connection, Target
from gitorch.executors.temporal.engine import Engine
from gitorch.executors.temporal.executor import TemporalExecutor
from gitorch.executors.temporal.messages import own_queue
from gitorch.executors.temporal.workflows import WorkerWorkflow
from gitorch.model.outcome import Exit
from tests.support.api import until
from tests.support.executions import DAEMON, Signal, marked, python, shell
from tests.support.temporal import Server, WorkerProcess, working

HEARTBEAT = 3.0


@pytest.fixture(scope="module", autouse=True)
def _witness(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run a worker that takes none of the tests' programs: it sees what happens to the others."""
    with working(server.address, tmp_path_factory.mktemp("witness"), 1):
        yield


@pytest.fixture
def executor(server: Server, tmp_path: Path) -> TemporalExecutor:
    engine = Engine(Connection(Target(address=server.address)))
    return TemporalExecutor(
        engine, tmp_path / "home", repository=tmp_path.name, label=tmp_path.name, heartbeat=HEARTBEAT
    )


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Signal]:
    signal = Signal(tmp_path / "ready")
    yield signal
    signal.close()


def end(executor: TemporalExecutor, execution: ExecutionId) -> Exit:
    result = executor.wait(execution)
    assert isinstance(result, Exit)
    return result


def test_a_killed_worker_takes_its_programs_with_it(
    server: Server, worker: WorkerProcess, executor: TemporalExecutor, ready: Signal, tmp_path: Path
) -> None:
    """Its program is lost and is not repeated, none of its processes stays, and a worker in its place goes on."""
    script = f"echo started >> {tmp_path}/count; echo > {ready.path}; sleep 600 & sleep 600"
    execution = executor.submit(shell("a/1", script))
    ready.wait()
    worker.kill()
    assert until(lambda: not marked(worker.folder))
    with working(server.address, worker.folder, 2, tmp_path.name):
        result = end(executor, execution)
        assert result.cause == "lost"
        assert "was lost" in result.message
        assert end(executor, executor.submit(shell("a/2", "exit 5"))).exit_code == 5
    assert (tmp_path / "count").read_text() == "started\n"


def test_what_was_seen_of_a_program_outlives_its_worker(
    server: Server, worker: WorkerProcess, executor: TemporalExecutor, ready: Signal, tmp_path: Path
) -> None:
    """Each part that came home stays, once, whoever else has read it; another process finds it too."""
    go = Signal(tmp_path / "go")
    execution = executor.submit(
        shell("a/1", f"echo one; echo > {ready.path}; read word < {go.path}; echo two; echo > {ready.path}; sleep 600")
    )
    ready.wait()
    assert until(lambda: [*executor.new_output(execution, 0)] == [(4, b"one\n")])
    go.path.write_text("go\n")
    ready.wait()
    assert until(lambda: [*executor.new_output(execution, 0)] == [(8, b"one\ntwo\n")])
    assert [*executor.new_output(execution, 4)] == [(8, b"two\n")]
    worker.kill()
    other = TemporalExecutor(
        Engine(Connection(Target(address=server.address))),
        tmp_path / "home",
        repository=tmp_path.name,
        label=tmp_path.name,
    )
    assert end(other, execution).cause == "lost"
    assert executor.open_output(execution, "stdout").read() == b"one\ntwo\n"
    go.close()


def test_a_worker_that_stands_still_loses_its_program(
    worker: WorkerProcess, executor: TemporalExecutor, ready: Signal, tmp_path: Path
) -> None:
    """What it says later does not count, and it kills the program itself as soon as it hears of that."""
    execution = executor.submit(shell("a/1", f"echo > {ready.path}; sleep 600; touch {tmp_path}/done"))
    ready.wait()
    worker.send(signal.SIGSTOP)
    result = end(executor, execution)
    assert result.cause == "lost"
    assert marked(worker.folder)
    worker.send(signal.SIGCONT)
    assert until(lambda: not marked(worker.folder))
    assert executor.poll(execution) == result


def test_programs_do_not_notice_that_the_server_was_killed(
    server: Server, worker: WorkerProcess, executor: TemporalExecutor, ready: Signal, tmp_path: Path
) -> None:
    """Its state is in a file: what ran goes on, what waited starts, and what is submitted meanwhile waits for it."""
    executor = TemporalExecutor(
        Engine(Connection(Target(address=server.address))),
        tmp_path / "home",
        repository=tmp_path.name,
        label=tmp_path.name,
        heartbeat=30,
    )
    running = executor.submit(shell("a/1", f"echo > {ready.path}; sleep 3; exit 3"))
    ready.wait()
    server.kill()
    submitter = threading.Thread(target=executor.submit, args=(shell("a/2", "exit 4"),))
    submitter.start()
    time.sleep(1)
    server.start()
    submitter.join()
    assert end(executor, running).exit_code == 3
    assert end(executor, executor.id_of("a/2")).exit_code == 4


def test_cancel_reaches_what_has_detached_itself(
    worker: WorkerProcess, executor: TemporalExecutor, ready: Signal, tmp_path: Path
) -> None:
    """A daemon of a daemon, deaf to polite signals, is gone when the execution has ended."""
    (tmp_path / "daemon.py").write_text(DAEMON)
    script = "import subprocess, sys, time; subprocess.run([sys.executable, *sys.argv[1:]]); time.sleep(600)"
    execution = executor.submit(python("a/1", script, str(tmp_path / "daemon.py"), str(ready.path), grace=0.1))
    daemon = int(ready.wait())
    executor.cancel(execution, "enough")
    result = end(executor, execution)
    assert (result.cause, result.message, result.leftover) == ("stopped", "enough", 1)
    assert not psutil.pid_exists(daemon)


def test_a_worker_takes_no_more_than_it_has_slots(
    worker: WorkerProcess, executor: TemporalExecutor, tmp_path: Path
) -> None:
    """Six programs on two slots: never more than two at once, and what waits can be cancelled."""
    (tmp_path / "live").mkdir()
    script = f"touch {tmp_path}/live/$$; ls {tmp_path}/live | wc -l; sleep 0.2; rm {tmp_path}/live/$$"
    executions = [executor.submit(shell(f"a/{number}", script)) for number in range(6)]
    assert {end(executor, execution).exit_code for execution in executions} == {0}
    counts = [int(executor.open_output(execution, "stdout").read()) for execution in executions]
    assert max(counts) == 2
    assert [(machine.slots, machine.labels) for machine in executor.machines() if tmp_path.name in machine.labels] == [
        (2, (tmp_path.name,))
    ]


def test_what_waits_for_a_slot_can_be_cancelled(server: Server, executor: TemporalExecutor, tmp_path: Path) -> None:
    """Without any worker, a program waits; once it is cancelled, it never runs."""
    execution = executor.submit(shell("a/1", f"touch {tmp_path}/ran"))
    assert isinstance(executor.poll(execution), Running)
    assert executor.adopt("a") == [execution]
    executor.cancel(execution, "changed my mind")
    result = end(executor, execution)
    with working(server.address, tmp_path / "worker", 1, tmp_path.name):
        assert end(executor, executor.submit(shell("a/2", "exit 4"))).exit_code == 4
    assert (result.cause, result.message) == ("stopped", "changed my mind")
    assert not (tmp_path / "ran").exists()


def test_a_worker_drains_when_it_is_asked_to_end(
    worker: WorkerProcess, executor: TemporalExecutor, ready: Signal, tmp_path: Path
) -> None:
    """What runs ends by itself and counts; nothing new begins there; then the process ends."""
    go = Signal(tmp_path / "go")
    running = executor.submit(shell("a/1", f"echo > {ready.path}; read word < {go.path}; exit 3"))
    ready.wait()
    worker.send(signal.SIGTERM)
    assert until(
        lambda: [tmp_path.name in machine.labels for machine in executor.machines() if machine.draining] == [True]
    )
    waiting = executor.submit(shell("a/2", "exit 4"))
    go.path.write_text("go\n")
    assert end(executor, running).exit_code == 3
    assert worker.process.wait(300) == 0
    assert isinstance(executor.poll(waiting), Running)
    executor.cancel(waiting, "", now=True)
    go.close()


def test_a_worker_is_known_again_although_its_leave_was_never_attended_to(
    server: Server, worker: WorkerProcess, executor: TemporalExecutor, tmp_path: Path
) -> None:
    """The server was stopped together with its worker, as `serve` does, and both start again."""
    connection = Connection(Target(address=server.address))
    before = [machine for machine in executor.machines() if machine.slots == 2]
    worker.kill()

    async def leave(client: Client) -> None:
        for machine in before:
            await client.get_workflow_handle(own_queue(machine.id)).signal(WorkerWorkflow.leave)

    connection.call(leave)
    with working(server.address, worker.folder, 2, tmp_path.name):
        execution = executor.submit(shell("a/1", "exit 5"))
        assert end(executor, execution).exit_code == 5
        assert {machine.id for machine in before} <= {machine.id for machine in executor.machines()}


def test_only_a_known_key_is_waited_for(executor: TemporalExecutor) -> None:
    """A key that only a killed process has claimed was never started."""
    assert executor.wait(executor.id_of("a/1")) == NotStarted()
