"""The contract of every `Executor`: what the code above it relies on, wherever the programs run."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.context import ForkContext, SpawnContext
from pathlib import Path

import pytest

from gitorch.executors.local import LocalExecutor
from gitorch.executors.protocol import STDIN_FILE, ExecutionId, Executor, NotStarted, Running, Spec, Stream, total_slots
from gitorch.executors.timed_lines import follow_timed_lines, timed_lines
from gitorch.model.outcome import Exit
from tests.support.api import until
from tests.support.executions import DAEMON, STUBBORN, TIDY, Signal, marked, program, python, shell
from tests.support.socket_executor import SocketExecutor, serving
from tests.support.temporal import Server, TemporalConnect, serving as serving_temporal, submit_and_wait, working

LONG = 86_400.0
"""A grace period that no machine is too slow for."""

Connect = Callable[[], Executor]


@pytest.fixture(scope="module")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """Run a Temporal server and one worker for all tests; return also the worker's folder."""
    folder = tmp_path_factory.mktemp("temporal")
    with serving_temporal(folder) as server, working(server.address, folder / "worker", 32):
        yield server, folder / "worker"


@pytest.fixture(params=["local", "socket", "temporal"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connect]:
    """Return how a process gets an executor; all that it returns know the same executions."""
    folder = tmp_path / "executions"
    if request.param == "local":
        yield lambda: LocalExecutor(folder)
    elif request.param == "temporal":
        server, worker = request.getfixturevalue("temporal")
        home, folder = folder, worker
        yield TemporalConnect(server.address, home, tmp_path.name)
    else:
        with serving(tmp_path / "socket", folder):
            yield lambda: SocketExecutor(tmp_path / "socket")
    survivors = [(process.pid, process.cmdline()) for process in marked(folder)]
    assert survivors == []


@pytest.fixture
def executor(connect: Connect) -> Executor:
    return connect()


def processes(connect: Connect) -> ForkContext | SpawnContext:
    """Return how to start a process that connects: the SDK of Temporal may hang in a fork of a process that used it."""
    return SpawnContext() if isinstance(connect, TemporalConnect) else ForkContext()


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Signal]:
    signal = Signal(tmp_path / "ready")
    yield signal
    signal.close()


def finished(executor: Executor, spec: Spec) -> Exit:
    """Run a program to its end."""
    result = executor.wait(executor.submit(spec))
    assert isinstance(result, Exit)
    return result


def ended(executor: Executor, execution: ExecutionId) -> Exit:
    """Wait for the end of an execution."""
    result = executor.wait(execution)
    assert isinstance(result, Exit)
    return result


def printed(executor: Executor, execution: ExecutionId, stream: Stream = "stdout", tail: int | None = None) -> bytes:
    """Return what a program printed."""
    with executor.open_output(execution, stream, tail=tail) as file:
        return file.read()


def test_a_program_runs_and_its_end_is_recorded(executor: Executor) -> None:
    """Output, exit code and times can be read after the end, again and again."""
    before, clock = time.time(), time.monotonic()
    execution = executor.submit(shell("a/e", "echo out; echo err >&2; exit 7"))
    result = ended(executor, execution)
    elapsed = time.monotonic() - clock
    assert printed(executor, execution) == b"out\n"
    assert printed(executor, execution, "stderr") == b"err\n"
    assert (result.cause, result.exit_code, result.signal, result.leftover) == ("exited", 7, None, 0)
    assert 0 <= result.seconds <= elapsed
    assert before <= result.started <= time.time()
    assert executor.poll(execution) == executor.wait(execution) == result


_REPORT = """
import json, os, sys
print(json.dumps([os.getcwd(), dict(os.environ), sys.stdin.buffer.read().hex(), sys.argv[1:]]))
"""


def test_a_program_gets_what_its_spec_says(executor: Executor, tmp_path: Path) -> None:
    """Arguments, standard input, folder and environment arrive byte by byte, and nothing of the submitter's."""
    folder = tmp_path / "odd näme\n"
    folder.mkdir()
    env = {"A": "`;`\n🚀", "PATH": os.environ["PATH"]}
    content = b"\xff\x00 prompt `;`\n"
    spec = python("a/e", _REPORT, "x y", "", cwd=folder, stdin=content, env=env)
    execution = executor.submit(spec)
    assert ended(executor, execution).exit_code == 0
    cwd, environment, stdin, arguments = json.loads(printed(executor, execution))
    assert (cwd, stdin, arguments) == (str(folder), content.hex(), ["x y", ""])
    environment = {name: value for name, value in environment.items() if name not in ("LC_CTYPE", "GITORCH_EXECUTION")}
    assert environment == env


def test_without_input_standard_input_is_empty(executor: Executor) -> None:
    """A program that reads does not wait."""
    assert finished(executor, shell("a/e", 'test -z "$(cat)"')).exit_code == 0


def test_standard_input_is_a_file_too(executor: Executor) -> None:
    """Where an argument needs a path, `STDIN_FILE` stands for it, alone or inside a longer word."""
    script = 'cat "$1" "${2#--file=}" -'
    execution = executor.submit(
        program("a/e", "/bin/sh", "-c", script, "sh", STDIN_FILE, f"--file={STDIN_FILE}", stdin=b"x")
    )
    assert ended(executor, execution).exit_code == 0
    assert printed(executor, execution) == b"xxx"


def test_files_are_in_an_otherwise_empty_folder(executor: Executor) -> None:
    """Without a working directory, a program gets one with its files, and no other program sees it."""
    first = executor.submit(shell("a/1", "ls; cat schema.json; touch made", files={"schema.json": b"{}"}))
    second = executor.submit(shell("a/2", "ls"))
    assert (ended(executor, first).exit_code, ended(executor, second).exit_code) == (0, 0)
    assert printed(executor, first) == b"schema.json\n{}"
    assert printed(executor, second) == b""


def test_death_by_signal(executor: Executor) -> None:
    """A program that a signal ended did not exit with a code."""
    result = finished(executor, shell("a/e", "kill -SEGV $$"))
    assert (result.cause, result.exit_code, result.signal) == ("exited", None, signal.SIGSEGV)


@pytest.mark.parametrize("name", ["no-such-program", "/dev/null", "."])
def test_a_program_that_cannot_start(executor: Executor, name: str) -> None:
    """A missing program is an end of its own kind, never an exit."""
    result = finished(executor, program("a/e", name))
    assert (result.cause, result.exit_code) == ("failed-to-start", None)
    assert result.message


def test_a_working_directory_that_is_missing(executor: Executor, tmp_path: Path) -> None:
    """So is a missing working directory."""
    assert finished(executor, shell("a/e", "true", cwd=tmp_path / "missing")).cause == "failed-to-start"


def test_huge_output(executor: Executor) -> None:
    """All output arrives; its end can be read alone."""
    script = "import sys; [sys.stdout.write(('x' * 127 + '\\n') * 2**13) for _ in range(32)]; print('xxy')"
    execution = executor.submit(python("a/e", script, max_output=200_000_000))
    assert ended(executor, execution).exit_code == 0
    assert len(printed(executor, execution)) == 32 * 2**20 + 4
    assert printed(executor, execution, tail=4) == b"xxy\n"
    assert printed(executor, execution, "stderr", tail=4) == b""


def test_output_can_be_read_while_it_grows(executor: Executor, ready: Signal) -> None:
    """What a program has written so far is there before its end, once the supervisor has stored it."""
    execution = executor.submit(shell("a/e", f"echo begun; echo . > {ready.path}; exec sleep 600"))
    ready.wait()
    assert until(lambda: printed(executor, execution) == b"begun\n")
    executor.cancel(execution, "", now=True)
    assert ended(executor, execution).cause == "stopped"


def test_wall_clock(executor: Executor) -> None:
    """A program that takes longer than its time is stopped, busy or not."""
    result = finished(executor, shell("a/e", "while :; do echo busy; done", timeout=0.5))
    assert (result.cause, result.exit_code) == ("timeout", None)
    assert result.seconds >= 0.5


def test_idle_clock(executor: Executor) -> None:
    """A program that neither prints nor computes is stopped."""
    result = finished(executor, shell("a/e", "echo begun; exec sleep 600", idle=0.4))
    assert result.cause == "idle"
    assert result.seconds >= 0.4


def test_cancel_asks_first(executor: Executor, ready: Signal) -> None:
    """A program gets SIGINT first, and how it then ends is in the record."""
    execution = executor.submit(python("a/e", TIDY, str(ready.path), grace=LONG))
    ready.wait()
    executor.cancel(execution, "enough for today")
    result = ended(executor, execution)
    assert (result.cause, result.exit_code, result.message) == ("stopped", 3, "enough for today")
    assert printed(executor, execution) == b"tidied up\n"


@pytest.mark.parametrize("request_before", ["none", "just before", "handled"])
def test_cancel_now(executor: Executor, ready: Signal, request_before: str) -> None:
    """A program that does not end is killed at once, also when it was asked before."""
    execution = executor.submit(python("a/e", STUBBORN, str(ready.path), grace=LONG))
    ready.wait()
    if request_before != "none":
        executor.cancel(execution, "please")
    if request_before == "handled":
        assert ready.wait() == "asked"
    executor.cancel(execution, "now", now=True)
    result = ended(executor, execution)
    assert (result.cause, result.exit_code, result.signal, result.message) == ("stopped", None, signal.SIGKILL, "now")


def test_a_program_that_ignores_the_request_is_made_to_end(executor: Executor, ready: Signal) -> None:
    """SIGTERM comes after the grace period."""
    execution = executor.submit(python("a/e", STUBBORN, str(ready.path), grace=0.1))
    ready.wait()
    executor.cancel(execution, "please")
    result = ended(executor, execution)
    assert (result.cause, result.exit_code, result.message) == ("stopped", 9, "please")


def test_cancel_before_the_start(executor: Executor, tmp_path: Path) -> None:
    """An execution that is cancelled before it starts never runs."""
    execution = executor.id_of("a/e")
    executor.cancel(execution, "changed my mind")
    assert executor.poll(execution) == NotStarted()
    result = finished(executor, shell("a/e", f"touch {tmp_path}/ran"))
    assert (result.cause, result.message) == ("stopped", "changed my mind")
    assert not (tmp_path / "ran").exists()


def test_leftovers_are_counted_and_killed(executor: Executor, ready: Signal, tmp_path: Path) -> None:
    """A server in the background and a daemon that detached itself do not outlive the program."""
    script = tmp_path / "daemon.py"
    script.write_text(DAEMON)
    result = finished(executor, shell("a/e", f"{sys.executable} {script} {ready.path}; sleep 600 & exit 0"))
    assert (result.cause, result.exit_code, result.leftover) == ("exited", 0, 2)


def test_what_ends_by_itself_is_not_left_running(executor: Executor) -> None:
    """As the maintenance that `git commit` starts, which ends a moment after the agent."""
    result = finished(executor, shell("a/e", "sleep 0.1 & exit 0"))
    assert (result.cause, result.exit_code, result.leftover) == ("exited", 0, 0)


def test_a_key_runs_once(connect: Connect, tmp_path: Path) -> None:
    """However many clients submit the same key, and however often, its program starts once."""
    spec = shell("a/e", f"echo started >> {tmp_path}/count; sleep 0.2")
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: connect().submit(spec), range(32)))
    executor = connect()
    assert set(ids) == {executor.id_of("a/e")}
    result = ended(executor, ids[0])
    other = shell("a/e", "exit 9")
    assert executor.wait(executor.submit(other)) == result
    assert (tmp_path / "count").read_text() == "started\n"


def test_many_at_once(executor: Executor) -> None:
    """Executions at the same time do not mix up."""
    specs = [shell(f"a/e{number}", f"echo {number}; exit {number}") for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        assert [result.exit_code for result in pool.map(lambda spec: finished(executor, spec), specs)] == list(
            range(16)
        )
    outputs = [printed(executor, executor.id_of(spec.key)) for spec in specs]
    assert outputs == [f"{number}\n".encode() for number in range(16)]


def test_a_program_that_has_written_something_says_when(executor: Executor) -> None:
    """The time of the last output is known while the program runs, once its line can be read."""
    before = time.time()
    execution = executor.submit(shell("run/a/1", "echo working; sleep 600"))
    assert next(iter(executor.events(execution))) == b"working\n"
    assert before - 2 < executor.usage(execution).last_output <= time.time() + 2
    executor.cancel(execution, "", now=True)
    executor.wait(execution)


def test_the_times_of_lines_are_known(executor: Executor, ready: Signal) -> None:
    """Those of a line, while the program runs and after its end: a line comes later than the one before."""
    before = time.time()
    script = f"echo one; sleep 1.2; echo two; echo > {ready.path}; sleep 600"
    execution = executor.submit(shell("run/a/1", script))
    followed = follow_timed_lines(executor, execution)
    timed = [next(followed), next(followed)]
    assert [line for line, _ in timed] == [b"one\n", b"two\n"]
    times = [when for _, when in timed if when]
    assert before - 1 < times[0] < times[0] + 1 < times[1] <= time.time()
    ready.wait()
    executor.cancel(execution, "", now=True)
    executor.wait(execution)
    assert list(timed_lines(executor, execution)) == timed
    assert list(timed_lines(executor, executor.id_of("run/b/1"))) == []


def test_states(executor: Executor, ready: Signal) -> None:
    """Not started, running, ended: `poll` says which, `adopt` names the running ones, `usage` what they use."""
    execution = executor.id_of("run/a/1")
    assert executor.poll(execution) == executor.wait(execution) == NotStarted()
    assert printed(executor, execution) == b""
    assert executor.adopt("run") == []
    assert executor.submit(python("run/a/1", STUBBORN, str(ready.path))) == execution
    ready.wait()
    status = executor.poll(execution)
    assert isinstance(status, Running)
    assert status.pid
    assert executor.usage(execution).memory > 0
    finished(executor, shell("run/b/1", "true"))
    assert executor.adopt("run") == executor.adopt("run/a") == [execution]
    assert executor.adopt("run/b") == executor.adopt("run/a/1/x") == []
    executor.cancel(execution, "", now=True)
    assert executor.wait(execution) == executor.poll(execution)
    assert executor.adopt("run") == []
    assert executor.usage(execution).memory == 0


def test_events_are_the_lines_as_they_come_and_then_the_exit(executor: Executor, tmp_path: Path) -> None:
    """A line is there while the program runs; one without an end comes last; a second reader gets them all again."""
    os.mkfifo(tmp_path / "go")
    script = f"printf 'one\\ntwo\\nth'; cat {tmp_path / 'go'}; printf 'four'; exit 3"
    execution = executor.submit(shell("a/1/agent-1", script))
    events = executor.events(execution)
    assert [next(events), next(events)] == [b"one\n", b"two\n"]
    assert isinstance(executor.poll(execution), Running)
    (tmp_path / "go").write_bytes(b"ree\n")
    *lines, end = events
    assert lines == [b"three\n", b"four"]
    assert end == executor.wait(execution) == executor.poll(execution)
    assert list(executor.events(execution)) == [b"one\n", b"two\n", b"three\n", b"four", end]
    assert list(executor.events(executor.id_of("a/2/agent-1"))) == []


def test_new_output_is_what_came_after_a_position(executor: Executor, ready: Signal, tmp_path: Path) -> None:
    """While a program runs and after its end; nothing for one that never started."""
    go = Signal(tmp_path / "go")
    script = f"echo one; echo why >&2; echo two; echo > {ready.path}; read word < {go.path}; echo 3"
    execution = executor.submit(shell("a/e", script))
    ready.wait()
    assert until(lambda: printed(executor, execution) == b"one\ntwo\n")
    first = [*executor.new_output(execution, 0)]
    position = first[-1][0]
    assert b"".join(data for _, data in first) == b"one\ntwo\n"
    assert [*executor.new_output(execution, position)] == []
    go.path.write_text("go\n")
    ended(executor, execution)
    go.close()
    assert b"".join(data for _, data in executor.new_output(execution, position)) == b"3\n"
    assert [*executor.new_output(execution, 0, stream="stderr")] == [(4, b"why\n")]
    assert [*executor.new_output(executor.id_of("a/never"), 0)] == []


def test_a_reader_of_events_may_leave(executor: Executor, ready: Signal) -> None:
    """The program goes on, and ends as it would have."""
    execution = executor.submit(shell("a/1/agent-1", f"echo one; echo > {ready.path}; seq 100000; exit 3"))
    events = executor.events(execution)
    assert next(events) == b"one\n"
    del events
    ready.wait()
    assert ended(executor, execution).exit_code == 3


def test_the_machines_that_take_executions_are_known(executor: Executor) -> None:
    """Each has a name; the number that it takes at once is positive, or it has no limit."""
    machines = executor.capacity()
    assert all(machine.host for machine in machines)
    assert all(machine.slots is None or machine.slots > 0 for machine in machines)
    assert total_slots(machines) is None or total_slots(machines) == sum(machine.slots or 0 for machine in machines)


def test_a_listing_is_in_the_order_of_submission(executor: Executor) -> None:
    """All executions of a prefix, ended or not; a prefix is made of whole parts."""
    before = time.time()
    keys = ["a/1/prepare-1", "a/1/agent-1", "a/1/check-1-test", "a/1/agent-2", "a/10/agent-1", "b/1/agent-1"]
    for key in keys:
        finished(executor, shell(key, "true"))
    listing = executor.executions("a/1")
    assert [submitted.step for submitted in listing] == ["prepare-1", "agent-1", "check-1-test", "agent-2"]
    assert [submitted.key for submitted in executor.executions("a")] == keys[:5]
    assert all(submitted.id == executor.id_of(submitted.key) for submitted in listing)
    assert all(before - 1 <= submitted.time <= time.time() + 1 for submitted in listing)
    assert executor.executions("c") == []


def test_an_acknowledged_execution_is_forgotten(executor: Executor, ready: Signal) -> None:
    """`ack` frees the key; a live execution stays, and what was never submitted can be acknowledged."""
    execution = executor.submit(shell("a/b/c", "echo out; exit 3", stdin=b"secret"))
    assert ended(executor, execution).exit_code == 3
    live = executor.submit(python("a/b/d", STUBBORN, str(ready.path)))
    ready.wait()
    for acknowledged in (execution, execution, live, executor.id_of("a/never")):
        executor.ack(acknowledged)
    assert executor.poll(execution) == NotStarted()
    assert printed(executor, execution) == b""
    assert [submitted.key for submitted in executor.executions("a")] == ["a/b/d"]
    executor.cancel(live, "", now=True)
    ended(executor, live)
    assert finished(executor, shell("a/b/c", "exit 4")).exit_code == 4


@pytest.mark.parametrize("key", ["", "/etc", "a//b", "a/../b", "a/.", "a\0b", "a/"])
def test_a_key_that_is_none(key: str) -> None:
    """A key cannot lead anywhere else."""
    with pytest.raises(ValueError, match="not a key"):
        shell(key, "true")


def test_a_killed_submitter(connect: Connect, ready: Signal, tmp_path: Path) -> None:
    """A program goes on when its submitter is killed, and another process waits for its end."""
    go = Signal(tmp_path / "go")
    script = f"echo begun > {ready.path}; read word < {go.path}; echo $word; exit 4"

    orchestrator = processes(connect).Process(target=submit_and_wait, args=(connect, shell("run/1", script)))
    orchestrator.start()
    ready.wait()
    assert orchestrator.pid is not None
    os.kill(orchestrator.pid, signal.SIGKILL)
    orchestrator.join()
    executor = connect()
    execution = executor.id_of("run/1")
    assert executor.adopt("run") == [execution]
    go.path.write_text("hello\n")
    result = ended(executor, execution)
    assert (result.cause, result.exit_code) == ("exited", 4)
    assert printed(executor, execution) == b"hello\n"
    go.close()


def test_a_submitter_killed_at_any_time(connect: Connect, tmp_path: Path) -> None:
    """Killed in the middle of `submit`, it leaves an execution that never started, or one that runs: never two."""
    for number in range(20):
        spec = shell(f"a/e{number}", f"echo started >> {tmp_path}/count-{number}")
        child = processes(connect).Process(target=submit_and_wait, args=(connect, spec))
        child.start()
        time.sleep(0.002 * (number % 10))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        result = finished(connect(), spec)
        assert result.cause in ("exited", "lost")
        if result.cause == "exited":
            assert (tmp_path / f"count-{number}").read_text() == "started\n"
