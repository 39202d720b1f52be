"""Executions on this machine: a supervisor process and a folder for each."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from gitorch.errors import OUT_OF_SPACE
from gitorch.executors import claims, control_groups, output_reader, processes, records, supervision, supervisor
from gitorch.executors.protocol import (
    STDIN_FILE,
    STREAMS,
    Capacity,
    ExecutionEvent,
    ExecutionId,
    NotStarted,
    ResourceUsage,
    Running,
    Spec,
    Status,
    Stream,
    Submitted,
)
from gitorch.executors.stopped import StopWatch
from gitorch.model.credentials import redaction
from gitorch.model.naming import EXECUTION_VARIABLE
from gitorch.model.outcome import Exit
from gitorch.storage import atomic, foreign_changes, locks

_BUSY = (errno.EAGAIN, errno.ENOMEM)
"""How the system refuses another process when it has too many, or no memory for one."""
_KILLED = "its supervisor was killed; what it did is not known"
_STOPPED_AGAIN = "another program stopped its supervisor again and again; gitorch ended it"


class LocalExecutor:
    """Runs programs on this machine, each under its own supervisor, in folders below `root` that are named by the keys.

    In a folder: `claim.json`, `spec.json`, `stdin`, `work/` (only without a working directory), `submit.lock`, `lock`,
    `run.json`, `stdout`, `stderr`, their segments (see `capped_output`), `times`, `stop`, `exit.json`,
    `supervisor.log`. An id is the key. When `leash`, the reading end of a pipe, comes to its end, the programs that
    were started with it are killed: whoever holds the other end has died.
    """

    def __init__(self, root: Path, *, leash: int | None = None) -> None:
        self._root = root
        self._leash = leash
        self._children: dict[ExecutionId, int] = {}

    def id_of(self, key: str) -> ExecutionId:
        """Return the id that `submit` returns for a key."""
        return ExecutionId(key)

    def submit(self, spec: Spec) -> ExecutionId:
        """Start a program, unless its key was started before."""
        folder = claims.claim(self._root, spec.key)
        with locks.file_lock(folder / "submit.lock"):
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                if _is_free(lock) and not records.was_started(folder):
                    self._start(spec, folder, lock)
            finally:
                os.close(lock)
        return self.id_of(spec.key)

    def _start(self, spec: Spec, folder: Path, lock: int) -> None:
        stdin_file = folder / "stdin"
        if spec.stdin:
            stdin_file.write_bytes(spec.stdin)
        groups = control_groups.support()
        content = {
            "argv": [word.replace(STDIN_FILE, str(stdin_file)) for word in spec.argv],
            "cwd": str(spec.cwd or _work_folder(folder, spec)),
            "stdin": str(stdin_file) if spec.stdin else os.devnull,
            "timeout": spec.timeout,
            "idle": spec.idle,
            "grace": spec.grace,
            "max_output": spec.max_output,
            "groups": groups.order,
            **msgspec.structs.asdict(spec.resources),
        }
        supervision.write(str(folder), "spec.json", content)
        # by a file without a name: another agent could change the program in one that has a name, or read the key
        order = {
            "spec": content,
            "key": claims.record_key(self._root, spec.key).hex(),
            "rules": redaction.table(),
            "secrets": spec.secrets,
            "unset": [name for name in groups.variables if name not in spec.env],
        }
        with tempfile.TemporaryFile() as order_file, (folder / "supervisor.log").open("ab") as log:
            order_file.write(json.dumps(order).encode())
            order_file.seek(0)
            # the supervisor inherits the lock, so that it is held without a gap until the supervisor ends
            inherited = (lock,) if self._leash is None else (lock, self._leash)
            try:
                child = subprocess.Popen(
                    [*groups.scope, sys.executable, "-I", "-S", supervisor.__file__, str(folder), *map(str, inherited)],
                    env={**groups.variables, **spec.env, EXECUTION_VARIABLE: str(folder)},
                    cwd=folder,
                    stdin=order_file,
                    stdout=log,
                    stderr=log,
                    pass_fds=inherited,
                    start_new_session=True,
                )
            except OSError as error:
                if error.errno not in _BUSY:
                    raise
                log.write(f"{error}\n".encode())  # `wait` finds it, and its caller tries again
                return
        # reaped by wait(); without a return code, Popen would warn about a child that nobody waits for
        child.returncode = 0
        self._children[self.id_of(spec.key)] = child.pid

    def poll(self, execution: ExecutionId) -> Status:
        """Return an execution's state without waiting for its end."""
        if not claims.is_claimed(self._root, execution):
            return NotStarted()
        folder, key = self._folder(execution), claims.record_key(self._root, execution)
        with records.lock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB) as is_free:
            status = records.last_status(folder, key) if is_free else None
        if is_free:
            return status or self._record_lost(folder, key)
        return records.running(folder, key)

    def wait(self, execution: ExecutionId) -> Exit | NotStarted:
        """Wait until an execution has ended, whoever started it."""
        if not claims.is_claimed(self._root, execution):
            return NotStarted()
        folder, key = self._folder(execution), claims.record_key(self._root, execution)
        # one that is starting has no record yet, but is a child that nobody has waited for
        child = self._children.get(execution, 0)
        watch = StopWatch(
            lambda: child or records.running(folder, key).pid,
            lambda number: os.kill(child, number) if child else records.signal_supervisor(folder, key, number),
        )
        with watch, records.lock(folder, fcntl.LOCK_SH):
            status = records.last_status(folder, key)
        has_begun = self._reap(execution)
        if watch.times:
            what_then = "continued it, and then ended it" if watch.was_ended else "continued it"
            said = f"another program stopped the supervisor of {self._key(folder)}; gitorch {what_then}"
            foreign_changes.record(self._root, [said])
        if not isinstance(status, NotStarted):
            return status or self._record_lost(folder, key, _STOPPED_AGAIN if watch.was_ended else _KILLED)
        if has_begun or not claims.is_claimed(self._root, execution):
            if os.path.lexists(self._root) and not self._root.is_dir():  # nothing goes on without the state folder
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self._root))
            # never `NotStarted`, after which it would be started again
            message = "its record was removed; what it did is not known"
            return Exit(cause="lost", leftover=processes.kill_marked(str(folder)), message=message)
        return NotStarted(records.last_words(folder))

    def _reap(self, execution: ExecutionId) -> bool:
        """Wait for a supervisor that was started here; return whether it says that it has begun."""
        pid = self._children.pop(execution, 0)
        with contextlib.suppress(ChildProcessError):
            return bool(pid) and os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) in (0, supervisor.BEGUN)
        return False

    def _record_lost(self, folder: Path, key: bytes, why: str = _KILLED) -> Exit:
        """Record that an execution's end is unknown; tell the user if another program wrote a record of it."""
        status, was_forged = records.record_lost(folder, key, why)
        name = self._key(folder)
        if was_forged:
            foreign_changes.record(self._root, [f"the record of the execution {name} was forged, and does not count"])
        if orphans := processes.kill_orphans(self._children.values()):
            said = f"{name} lost its supervisor and left processes running: {', '.join(orphans)}; gitorch ended them"
            foreign_changes.record(self._root, [said])
        return status

    def cancel(self, execution: ExecutionId, reason: str, *, now: bool = False) -> None:
        """Ask an execution to end, or kill it `now`; return at once. One that has not started never starts."""
        folder = claims.claim(self._root, execution)
        # the supervisor may read it at any moment, and several commands may write it
        try:
            atomic.replace(folder / "stop", reason.encode(), durable=False, concurrent=True)
        except OSError as error:  # what fills the disk must end; a signal needs no space
            if error.errno not in OUT_OF_SPACE or not isinstance(self.poll(execution), Running):
                raise
        if isinstance(self.poll(execution), Running):
            key = claims.record_key(self._root, execution)
            records.signal_supervisor(folder, key, signal.SIGUSR1 if now else signal.SIGTERM)
            records.signal_supervisor(folder, key, signal.SIGCONT)  # a stopped one would not hear it

    def executions(self, prefix: str) -> list[Submitted]:
        """Return all executions whose keys start with `prefix/`, in the order of their submission."""
        times: dict[str, float] = {}
        for folder in self._folders(prefix):
            with contextlib.suppress(FileNotFoundError):  # submitted at this moment, or forgotten
                times[self._key(folder)] = (folder / "spec.json").stat().st_mtime
        return [Submitted(self.id_of(key), key, times[key]) for key in sorted(times, key=times.__getitem__)]

    def adopt(self, prefix: str) -> list[ExecutionId]:
        """Return the live executions whose keys start with `prefix/`."""
        ids = [self.id_of(self._key(folder)) for folder in sorted(self._folders(prefix))]
        return [execution for execution in ids if isinstance(self.poll(execution), Running)]

    def open_output(self, execution: ExecutionId, stream: Stream, *, tail: int | None = None) -> BinaryIO:
        """Open what a program has written so far, or its last `tail` bytes; empty when it wrote nothing."""
        return output_reader.open_output(self._folder(execution), stream, tail=tail)

    def new_output(
        self, execution: ExecutionId, position: int, *, stream: Stream = "stdout", at_line_start: bool = True
    ) -> Iterator[tuple[int, bytes]]:
        """Yield what there is of a stream after a position, with the position after each part."""
        return output_reader.after(self._folder(execution), stream, position, at_line_start=at_line_start)

    def events(self, execution: ExecutionId) -> Iterator[ExecutionEvent]:
        """Yield the lines of standard output as they are written, and then the exit."""
        return output_reader.follow(self._folder(execution), "stdout", lambda: self.poll(execution))

    def output_location(self, execution: ExecutionId, stream: Stream) -> str:
        """Return the path of the output's file."""
        return str(self._folder(execution) / stream)

    def usage(self, execution: ExecutionId) -> ResourceUsage:
        """Return what a live execution uses now; zeros for any other."""
        status = self.poll(execution)
        if not isinstance(status, Running) or not status.pid:
            return ResourceUsage()
        usage = processes.usage_below(status.pid)
        last = self._last_output(self._folder(execution))
        return ResourceUsage(memory=usage.memory, cpu_seconds=usage.cpu_seconds, last_output=last)

    @staticmethod
    def _last_output(folder: Path) -> float:
        times = []
        for stream in STREAMS:
            with contextlib.suppress(OSError):
                status = (folder / stream).stat()
                times += [status.st_mtime] if status.st_size else []
        return max(times, default=0.0)

    def capacity(self) -> list[Capacity]:
        """Return this machine; it has no limit of its own."""
        return [Capacity(host=os.uname().nodename, slots=None)]

    def ack(self, execution: ExecutionId) -> None:
        """Remove the folder of an execution that has ended."""
        if not isinstance(self.poll(execution), Exit):
            return
        folder = self._folder(execution)
        # another process may do the same at the same time
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
        depth = len(folder.relative_to(self._root).parts)
        for parent in list(folder.parents)[: max(0, depth - 2)]:
            with contextlib.suppress(OSError):
                parent.rmdir()

    def _folder(self, execution: ExecutionId) -> Path:
        return self._root / execution

    def _folders(self, prefix: str) -> Iterator[Path]:
        """Yield the folders of all executions below a prefix; what a program wrote inside its own is not looked at."""
        for name, folders, files in os.walk(self._root / prefix):
            if claims.CLAIM in files:
                folders.clear()
                if "submit.lock" in files and claims.is_claimed(self._root, self._key(Path(name))):
                    yield Path(name)

    def _key(self, folder: Path) -> str:
        return folder.relative_to(self._root).as_posix()


def _is_free(lock: int) -> bool:
    """Take a lock that no live supervisor holds; return whether there is none."""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # only the holder of submit.lock can start a supervisor: this waits for `poll` alone
    fcntl.flock(lock, fcntl.LOCK_EX)
    return True


def _work_folder(folder: Path, spec: Spec) -> Path:
    """Create the working folder of an execution that brings its own files."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    for name, content in spec.files.items():
        (work / name).write_bytes(content)
    return work
