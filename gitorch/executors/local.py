"""Executions on this machine: start, adopt, wait, stop."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.executors import supervisor
from gitorch.model.outcome import Exit, Probed

MARKER = "GITORCH_EXECUTION"
"""The environment variable by which a process and all its children are known as an execution's."""


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One program to run under supervision.

    `folder` is the execution's identity: one folder runs one program, once. `stdin` is a file; `timeout` (wall
    clock) and `idle` (no output and no processor time) are seconds, 0 for none; `polite` is how many seconds the
    program has to end by itself after SIGINT, on which coding agents end their own tool processes.
    """

    folder: Path
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    stdin: Path | None = None
    timeout: float = 0.0
    idle: float = 0.0
    polite: float = 3.0


class Running(msgspec.Struct, frozen=True):
    """An execution that is going on: its supervisor's pid and since when (unix seconds)."""

    pid: int
    started: float


class NotStarted(msgspec.Struct, frozen=True):
    """An execution that nobody has started."""


Status = NotStarted | Running | Exit


class LocalExecutor:
    """Runs programs on this machine, each under a supervisor of its own.

    The handle of an execution is its folder: it stays valid when this process dies.
    """

    def __init__(self) -> None:
        self._children: dict[Path, int] = {}

    def submit(self, spec: Spec) -> Path:
        """Start a program, unless it was started before; return its handle."""
        spec.folder.mkdir(parents=True, exist_ok=True)
        with (spec.folder / "submit.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            lock = os.open(spec.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                # no supervisor lives, and none can start but by us: this waits only for those who look
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not _was_started(spec.folder):
                    self._start(spec, lock)
            except BlockingIOError:
                pass  # its supervisor lives
            finally:
                os.close(lock)
        return spec.folder

    def _start(self, spec: Spec, lock: int) -> None:
        content = {
            "argv": spec.argv,
            "cwd": str(spec.cwd),
            "stdin": str(spec.stdin) if spec.stdin else "",
            "timeout": spec.timeout,
            "idle": spec.idle,
            "polite": spec.polite,
        }
        supervisor.write(str(spec.folder), "spec.json", content)
        with (spec.folder / "supervisor.log").open("ab") as log:
            # the lock goes with it: it is held, without a gap, until the supervisor ends
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", supervisor.__file__, str(spec.folder), str(lock)],
                env={**spec.env, MARKER: str(spec.folder)},
                cwd=spec.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
            )
        # reaped by wait(); a Popen that is forgotten would warn about it
        child.returncode = 0
        self._children[spec.folder] = child.pid

    def poll(self, handle: Path) -> Status:
        """Say how an execution stands, without waiting."""
        with _lock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB) as free:
            ended = _ended(handle) if free else None
        if free:
            return ended or _lost(handle)
        run = _record(handle)
        return Running(run.pid, run.started)

    def wait(self, handle: Path) -> Exit | NotStarted:
        """Wait until an execution has ended, whoever started it."""
        with _lock(handle, fcntl.LOCK_SH):
            ended = _ended(handle)
        if pid := self._children.pop(handle, 0):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        return ended or _lost(handle)

    def cancel(self, handle: Path, reason: str, *, now: bool = False) -> None:
        """Ask an execution to end: politely, or with `now` at once. `wait` tells when it has."""
        # a supervisor that is only just starting looks for it, and one that is just ending reads it: it is there whole
        beside = handle / f"stop-{os.urandom(4).hex()}"
        beside.write_text(reason, "utf-8")
        beside.replace(handle / "stop")
        status = self.poll(handle)
        if isinstance(status, Running) and status.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(status.pid, signal.SIGUSR1 if now else signal.SIGTERM)

    def adopt(self, folder: Path) -> Iterator[Path]:
        """Yield the handles of all executions below a folder that are going on."""
        for lock in sorted(folder.rglob("lock")):
            if isinstance(self.poll(lock.parent), Running):
                yield lock.parent


def probe(argv: Sequence[str], env: Mapping[str, str], seconds: float = 20.0) -> Probed:
    """Run a short command to its end and return what it said."""
    try:
        done = subprocess.run(
            argv, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Probed(argv=tuple(argv), exit_code=None, stderr=str(error))
    texts = (part.decode("utf-8", "replace") for part in (done.stdout, done.stderr))
    stdout, stderr = texts
    return Probed(argv=tuple(argv), exit_code=done.returncode, stdout=stdout, stderr=stderr)


def _was_started(folder: Path) -> bool:
    return (folder / "run.json").exists() or (folder / "exit.json").exists()


@contextlib.contextmanager
def _lock(handle: Path, how: int) -> Iterator[bool]:
    """Take the execution's lock; yield whether it was to be had. Nothing holds it but a live supervisor."""
    try:
        file = os.open(handle / "lock", os.O_RDWR)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(file, how)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(file)


def _ended(handle: Path) -> Exit | NotStarted | None:
    """Read how an execution without a supervisor ended; None when its supervisor did not live to say."""
    if (handle / "exit.json").exists():
        return msgspec.json.decode((handle / "exit.json").read_bytes(), type=Exit)
    return None if (handle / "run.json").exists() else NotStarted()


def _lost(handle: Path) -> Exit:
    """Record the end of an execution whose supervisor was killed: what it did is not known, and never success."""
    with _lock(handle, fcntl.LOCK_EX):
        if isinstance(ended := _ended(handle), Exit):
            return ended  # recorded by somebody else who looked
        lost = Exit(
            cause="lost",
            started=_record(handle).started,
            leftover=sweep(handle),
            message="its supervisor was killed; what it did is not known",
        )
        supervisor.write(str(handle), "exit.json", msgspec.to_builtins(lost))
        return lost


def sweep(handle: Path) -> int:
    """Kill every process that belongs to an execution, and return how many there were."""
    import psutil

    killed, clean = 0, 0
    marker = str(handle)
    for _ in range(20):
        mine = [process for process in psutil.process_iter() if _environment(process).get(MARKER) == marker]
        for process in mine:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        # a process that is just becoming another program shows no environment: one look is not enough
        clean = 0 if mine else clean + 1
        if clean == 2:
            break
        killed += len(mine)
        psutil.wait_procs(mine, timeout=1)
    return killed


def _environment(process: object) -> dict[str, str]:
    import psutil

    assert isinstance(process, psutil.Process)
    try:
        return {} if process.status() == psutil.STATUS_ZOMBIE else process.environ()
    except (psutil.Error, OSError):
        return {}


class _Run(msgspec.Struct):
    """What a supervisor writes when it starts: `run.json`."""

    pid: int = 0
    started: float = 0.0


def _record(handle: Path) -> _Run:
    try:
        return msgspec.json.decode((handle / "run.json").read_bytes(), type=_Run)
    except FileNotFoundError:
        return _Run()
