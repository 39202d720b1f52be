"""Executions on this machine, with real processes: what is recorded, what survives, what is stopped, what is left."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from gitorch.executors.local import MARKER, LocalExecutor, NotStarted, Running, probe
from gitorch.model.outcome import Exit
from tests.support.executions import DAEMON, Signal, marked, program, python, shell

FORK = multiprocessing.get_context("fork")
LONG = 120.0
"""A polite time that no machine is too slow for."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder for executions; when the test is over, no process of theirs may be left."""
    yield tmp_path
    left = marked(tmp_path)
    described = [(process.pid, process.cmdline()) for process in left]
    for process in left:
        process.kill()
    assert described == []


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Signal]:
    signal = Signal(tmp_path / "ready")
    yield signal
    signal.close()


executor = LocalExecutor()


def finished(spec: object) -> Exit:
    ended = executor.wait(executor.submit(spec))  # type: ignore[arg-type]
    assert isinstance(ended, Exit)
    return ended


def test_output_and_exit_code(place: Path) -> None:
    """What a program prints is in files, its exit code and times in the record."""
    before, clock = time.time(), time.monotonic()
    ended = finished(shell(place / "e", "echo out; echo err >&2; exit 7"))
    passed = time.monotonic() - clock
    assert (place / "e/stdout").read_bytes() == b"out\n"
    assert (place / "e/stderr").read_bytes() == b"err\n"
    assert (ended.cause, ended.exit_code, ended.signal, ended.leftover) == ("exited", 7, None, 0)
    assert 0 <= ended.seconds <= passed
    assert before <= ended.started <= time.time()


def test_surroundings(place: Path) -> None:
    """A program gets its standard input, folder and environment, and nothing of the orchestrator's."""
    (place / "in").write_bytes(b"\xff\x00 prompt `;`\n")
    script = "import os, sys, json; print(json.dumps([os.getcwd(), dict(os.environ), sys.stdin.buffer.read().hex()]))"
    folder = place / "odd näme\n"
    spec = python(folder, script, stdin=place / "in", env={"A": "`;`\n🚀", "PATH": os.environ["PATH"]})
    assert finished(spec).exit_code == 0
    cwd, environment, read = json.loads((folder / "stdout").read_bytes())
    assert cwd == str(place)
    assert read == b"\xff\x00 prompt `;`\n".hex()
    environment.pop("LC_CTYPE", None)  # Python's own
    assert environment == {"A": "`;`\n🚀", "PATH": os.environ["PATH"], MARKER: str(folder)}


def test_death_by_signal(place: Path) -> None:
    """A program that a signal ended did not exit with a code."""
    ended = finished(shell(place / "e", "kill -SEGV $$"))
    assert (ended.cause, ended.exit_code, ended.signal) == ("exited", None, signal.SIGSEGV)


@pytest.mark.parametrize("name", ["no-such-program", "/dev/null", "."])
def test_a_program_that_cannot_start(place: Path, name: str) -> None:
    """A missing program is an end of its own kind, never an exit."""
    ended = finished(program(place / "e", name))
    assert (ended.cause, ended.exit_code) == ("failed-to-start", None)
    assert ended.message


def test_a_folder_that_is_gone(place: Path) -> None:
    """So is a missing working folder."""
    assert finished(shell(place / "e", "true", cwd=place / "gone")).cause == "failed-to-start"


def test_huge_output(place: Path) -> None:
    """Output goes to the file without passing through anybody's memory, and all of it arrives."""
    ended = finished(python(place / "e", "import sys; [sys.stdout.write('x' * 2**20) for _ in range(64)]"))
    assert ended.exit_code == 0
    assert (place / "e/stdout").stat().st_size == 64 * 2**20


def test_wall_clock(place: Path) -> None:
    """A program that takes longer than its time is stopped, busy or not."""
    ended = finished(shell(place / "e", "while :; do echo busy; done", timeout=0.5))
    assert (ended.cause, ended.exit_code) == ("timeout", None)
    assert ended.seconds >= 0.5


def test_idle_clock(place: Path) -> None:
    """A program that neither prints nor computes is stopped."""
    ended = finished(shell(place / "e", "echo begun; exec sleep 600", idle=0.4))
    assert ended.cause == "idle"
    assert ended.seconds >= 0.4


# each does something ten times a second, for longer than it may be idle
_LIVELY = {
    "prints": "sys.stdout.write('x'); sys.stdout.flush()",
    "prints errors": "sys.stderr.write('x'); sys.stderr.flush()",
    "computes": "busy(0.1)",
    "a child of it computes": "subprocess.run([sys.executable, '-c', 'for _ in range(3_000_000): pass'])",
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


def test_what_works_is_not_idle(place: Path) -> None:
    """Output and processor time, of children too, are signs of life."""
    specs = [python(place / name, _BUSY.format(act=act), idle=5.0) for name, act in _LIVELY.items()]
    endings = [executor.wait(handle) for handle in [executor.submit(spec) for spec in specs]]
    assert [(ended.cause, ended.exit_code) for ended in endings if isinstance(ended, Exit)] == [("exited", 0)] * 4
    assert all(ended.seconds > 5 for ended in endings if isinstance(ended, Exit))


TIDY = """
import os, sys, time
ready = os.open(sys.argv[1], os.O_WRONLY)
try:
    os.write(ready, b"ready")
    time.sleep(600)
except KeyboardInterrupt:
    print("tidied up")
    sys.exit(3)
"""


def test_cancel_is_polite(place: Path, ready: Signal) -> None:
    """A program is asked by SIGINT first, and what it does then is in the record."""
    handle = executor.submit(python(place / "e", TIDY, str(ready.path), polite=LONG))
    ready.wait()
    executor.cancel(handle, "enough for today")
    ended = executor.wait(handle)
    assert isinstance(ended, Exit)
    assert (ended.cause, ended.exit_code, ended.message) == ("stopped", 3, "enough for today")
    assert (place / "e/stdout").read_text() == "tidied up\n"


# it ends for SIGTERM alone, which comes when the polite time is over
STUBBORN = """
import os, signal, sys, time
ready = os.open(sys.argv[1], os.O_WRONLY)
signal.signal(signal.SIGINT, lambda *_: os.write(ready, b"asked"))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
os.write(ready, b"ready")
while True:
    time.sleep(600)
"""


@pytest.mark.parametrize("asked", ["not at all", "in the same breath", "before"])
def test_cancel_now(place: Path, ready: Signal, asked: str) -> None:
    """What does not want to end is ended at once, also when it was asked politely before."""
    handle = executor.submit(python(place / "e", STUBBORN, str(ready.path), polite=LONG))
    ready.wait()
    if asked != "not at all":
        executor.cancel(handle, "please")
    if asked == "before":
        assert ready.wait() == "asked"
    executor.cancel(handle, "now", now=True)
    ended = executor.wait(handle)
    assert isinstance(ended, Exit)
    assert (ended.cause, ended.exit_code, ended.signal, ended.message) == ("stopped", None, signal.SIGKILL, "now")


def test_who_does_not_end_when_asked_is_made_to(place: Path, ready: Signal) -> None:
    """After SIGINT a program has its polite time, and then SIGTERM comes."""
    handle = executor.submit(python(place / "e", STUBBORN, str(ready.path), polite=0.1))
    ready.wait()
    executor.cancel(handle, "please")
    ended = executor.wait(handle)
    assert isinstance(ended, Exit)
    assert (ended.cause, ended.exit_code, ended.message) == ("stopped", 9, "please")


def test_the_whole_family_is_stopped(place: Path, ready: Signal) -> None:
    """Cancelling ends a program's children and what detached itself, too."""
    script = place / "daemon.py"
    script.write_text(DAEMON)
    handle = executor.submit(shell(place / "e", f"sleep 600 & {sys.executable} {script} {ready.path}; sleep 600"))
    daemon = int(ready.wait())
    assert psutil.pid_exists(daemon)
    executor.cancel(handle, "stop", now=True)
    ended = executor.wait(handle)
    assert isinstance(ended, Exit)
    assert ended.leftover >= 2
    assert marked(place) == []


def test_cancel_before_it_starts(place: Path) -> None:
    """What is cancelled before it starts never runs."""
    (place / "e").mkdir()
    executor.cancel(place / "e", "changed my mind")
    ended = finished(shell(place / "e", f"touch {place}/ran"))
    assert (ended.cause, ended.message) == ("stopped", "changed my mind")
    assert not (place / "ran").exists()


def test_leftovers_are_counted_and_gone(place: Path, ready: Signal) -> None:
    """A server that an agent left in the background, and a daemon that detached itself, do not outlive it."""
    script = place / "daemon.py"
    script.write_text(DAEMON)
    ended = finished(shell(place / "e", f"{sys.executable} {script} {ready.path}; sleep 600 & exit 0"))
    assert (ended.cause, ended.exit_code, ended.leftover) == ("exited", 0, 2)
    assert marked(place) == []


def test_the_same_folder_runs_once(place: Path) -> None:
    """However many threads submit the same execution at once, and however often, its program starts once."""
    spec = shell(place / "e", f"echo started >> {place}/count; sleep 0.2")
    with ThreadPoolExecutor(16) as pool:
        handles = list(pool.map(executor.submit, [spec] * 64))
    ended = executor.wait(handles[0])
    executor.submit(spec)
    assert executor.wait(executor.submit(spec)) == ended
    assert (place / "count").read_text() == "started\n"


def test_looking_does_not_keep_it_from_starting(place: Path) -> None:
    """Whoever looks at an execution while it is submitted is not taken for its supervisor."""
    specs = [shell(place / f"e{number}", "exit 5") for number in range(20)]
    for spec in specs:
        spec.folder.mkdir()
        (spec.folder / "lock").touch()

    def look() -> None:
        while True:
            for spec in specs:
                executor.poll(spec.folder)

    lookers = [FORK.Process(target=look, daemon=True) for _ in range(3)]
    for looker in lookers:
        looker.start()
    endings = [executor.wait(executor.submit(spec)) for spec in specs]
    for looker in lookers:
        looker.kill()
        looker.join()
    assert [ended.exit_code for ended in endings if isinstance(ended, Exit)] == [5] * len(specs)


def test_many_at_once(place: Path) -> None:
    """Sixteen executions side by side do not mix up."""
    specs = [shell(place / f"e{number}", f"echo {number}; exit {number}") for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        assert [ended.exit_code for ended in pool.map(finished, specs)] == list(range(16))
    assert [(spec.folder / "stdout").read_text() for spec in specs] == [f"{number}\n" for number in range(16)]


def test_how_it_stands(place: Path, ready: Signal) -> None:
    """Not started, running, ended: `poll` says which, and `adopt` names the running ones."""
    assert executor.poll(place / "a/1") == NotStarted()
    assert executor.wait(place / "a/1") == NotStarted()
    assert list(executor.adopt(place)) == []
    handle = executor.submit(python(place / "a/1", STUBBORN, str(ready.path)))
    ready.wait()
    status = executor.poll(handle)
    assert isinstance(status, Running)
    assert psutil.Process(status.pid).is_running()
    finished(shell(place / "b/1", "true"))
    assert list(executor.adopt(place)) == [handle]
    executor.cancel(handle, "", now=True)
    assert executor.wait(handle) == executor.poll(handle)
    assert list(executor.adopt(place)) == []


def test_no_zombies(place: Path) -> None:
    """Who waited for an execution keeps no dead child."""
    before = set(psutil.Process().children())  # other tests' own
    finished(shell(place / "e", "true"))
    assert set(psutil.Process().children()) <= before


def _supervisor(handle: Path) -> int:
    status = executor.poll(handle)
    assert isinstance(status, Running)
    return status.pid


@pytest.mark.parametrize("lookers", [1, 8])
def test_a_killed_supervisor(place: Path, ready: Signal, lookers: int) -> None:
    """What a killed supervisor leaves is lost, never a success, for all who look, and none of its processes goes on."""
    script = place / "daemon.py"
    script.write_text(DAEMON)
    handle = executor.submit(shell(place / "e", f"sleep 600 & {sys.executable} {script} {ready.path}; sleep 600"))
    ready.wait()
    assert len(marked(place)) >= 4
    os.kill(_supervisor(handle), signal.SIGKILL)
    with ThreadPoolExecutor(lookers) as pool:
        endings = list(pool.map(executor.wait, [handle] * lookers))
    assert len({repr(ended) for ended in endings}) == 1
    ended = endings[0]
    assert isinstance(ended, Exit)
    assert (ended.cause, ended.exit_code) == ("lost", None)
    assert ended.leftover >= 2
    assert marked(place) == []
    assert executor.poll(handle) == ended
    assert executor.wait(executor.submit(shell(place / "e", f"touch {place}/again"))) == ended
    assert not (place / "again").exists()


def test_a_killed_submitter(place: Path, ready: Signal) -> None:
    """A program goes on when the orchestrator is killed, and another process waits for its end."""
    go = Signal(place / "go")
    handle = place / "run/1"
    script = f"echo begun > {ready.path}; read word < {go.path}; echo $word; exit 4"

    def orchestrate() -> None:
        executor.wait(executor.submit(shell(handle, script)))

    orchestrator = FORK.Process(target=orchestrate)
    orchestrator.start()
    ready.wait()
    assert orchestrator.pid is not None
    os.kill(orchestrator.pid, signal.SIGKILL)
    orchestrator.join()
    assert list(executor.adopt(place)) == [handle]
    go.path.write_text("hello\n")
    ended = executor.wait(handle)
    assert isinstance(ended, Exit)
    assert (ended.cause, ended.exit_code) == ("exited", 4)
    assert (handle / "stdout").read_text() == "hello\n"
    go.close()


def test_a_submitter_killed_at_any_time(place: Path) -> None:
    """Killed in the middle of `submit`, it leaves an execution that was never started, or one that runs: never two."""
    for number in range(20):
        spec = shell(place / f"e{number}", f"echo started >> {place}/count-{number}")
        child = FORK.Process(target=executor.submit, args=(spec,))
        child.start()
        time.sleep(0.002 * (number % 10))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        ended = executor.wait(executor.submit(spec))
        assert isinstance(ended, Exit)
        assert ended.cause in ("exited", "lost")
        if ended.cause == "exited":
            assert (place / f"count-{number}").read_text() == "started\n"


def test_a_terminal_that_hangs_up_does_not_matter(place: Path, ready: Signal) -> None:
    """Signals of a terminal that is closed reach neither supervisor nor program."""
    handle = executor.submit(python(place / "e", TIDY, str(ready.path), polite=LONG))
    ready.wait()
    pid = _supervisor(handle)
    assert os.getsid(pid) == pid != os.getsid(0)
    for number in (signal.SIGHUP, signal.SIGINT):
        os.kill(pid, number)
    assert isinstance(executor.poll(handle), Running)
    executor.cancel(handle, "")
    ended = executor.wait(handle)
    assert isinstance(ended, Exit)
    assert ended.exit_code == 3


def test_probe(place: Path) -> None:
    """A probe tells what a short command said, or that there is no such thing."""
    found = probe(["/bin/sh", "-c", "echo 1.2; echo bad >&2; exit 3"], {"PATH": os.environ["PATH"]})
    assert (found.exit_code, found.stdout, found.stderr) == (3, "1.2\n", "bad\n")
    assert probe(["no-such-program"], {}).exit_code is None
    assert probe(["/bin/sh", "-c", "exec sleep 60"], {"PATH": os.environ["PATH"]}, seconds=0.2).exit_code is None


def test_the_supervisor_needs_nothing_but_python(place: Path) -> None:
    """It starts beside every agent, so it imports the standard library alone."""
    from gitorch.executors import supervisor

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", supervisor.__file__, str(place), "0"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")}
    assert "json" in imported
    assert not imported & {"psutil", "msgspec", "git", "gitorch", "asyncio", "typing_extensions"}
