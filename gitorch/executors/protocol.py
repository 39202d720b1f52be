"""The seam between gitorch and the place where programs run: values, and the `Executor` protocol."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Literal, NewType, Protocol, TypeAlias

import msgspec

from gitorch.model.outcome import Exit

ExecutionId = NewType("ExecutionId", str)
"""Identifies one execution for its executor, in every process and after a crash. Its text means nothing elsewhere."""

Stream: TypeAlias = Literal["stdout", "stderr", "times"]
"""What an execution writes. `times` is gitorch's own: it says when standard output was written (`write_times`)."""

STREAMS: tuple[Stream, ...] = ("stdout", "stderr")
KEPT_STREAMS: tuple[Stream, ...] = (*STREAMS, "times")

STDIN_FILE = "\0stdin\0"
"""Stands in `Spec.argv` for the path of a file with the content of `stdin`. No real argument can hold a NUL."""


_MISSING = re.compile(rb"\[gitorch: (\d{1,20}) bytes are missing here\]\r?\n?\Z")


class ResourceLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the processes of an execution may use together, 0 for no limit.

    `memory` is in bytes, `disk` how many bytes the working folder may grow by, `floor` how many it must leave free.
    They are looked at from time to time, so that a program may exceed them for a moment.
    """

    memory: int = 0
    processes: int = 0
    disk: int = 0
    floor: int = 0


KNOWN_PROGRAMS = ("claude", "codex")
"""The agents that other machines are asked for by name."""


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine with other files needs for an agent: commits, settings, and the paths at home that it replaces.

    `branch` is the task's, without `refs/heads/`, and starts there on `start`. `conflict` is a conflict commit whose
    files are checked out, or empty. `settings` is JSON, as the rooms on that machine read it. `directory`, `state` and
    `python` are paths at home: the agent's files, its state, and the interpreter. With `checks`, command lines by name,
    there is no agent: they run on `start`, and what they came to comes home as a file. `messages` are files that the
    agent finds in its state. `notes` are what the agents of the run share, a line each, and `run` is its number.
    `program` is one of `KNOWN_PROGRAMS` that the machine must have on its PATH, or empty.
    """

    task: str
    attempt: int
    agent: str
    branch: str
    base: str
    start: str
    conflict: str
    settings: bytes
    directory: str
    state: str
    python: str
    label: str = ""
    program: str = ""
    checks: Mapping[str, str] = {}
    messages: Mapping[str, bytes] = {}
    run: int = 1
    notes: bytes = b""


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One program to run under supervision.

    `key` is chosen by the caller, parts joined by `/` (`attempts/fix-login/1/agent-1`): one key runs one program, once.
    Without `cwd`, the program runs in an empty folder of its own that holds `files`. `timeout` (wall clock) and `idle`
    (no output and no processor time) are seconds, 0 for none. After SIGINT the program has `grace` seconds to end by
    itself: coding agents then end their own tool processes. Of its output, the beginning and the end are kept,
    together at most `max_output` bytes, a quarter of them for standard error. Credentials in it are redacted: what
    looks like one, and the values of `secrets`, which maps names to them. Over `resources`, all processes are killed.
    With an `errand`, it runs where no file of this machine is.
    """

    key: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path | None = None
    stdin: bytes = b""
    files: Mapping[str, bytes] = {}
    timeout: float = 0.0
    idle: float = 0.0
    grace: float = 3.0
    max_output: int = 32_000_000
    secrets: Mapping[str, str] = {}
    resources: ResourceLimits = ResourceLimits()
    errand: Errand | None = None

    def __post_init__(self) -> None:
        if any(part in ("", ".", "..") or "\0" in part for part in self.key.split("/")):
            raise ValueError(f"not a key of an execution: {self.key!r}")


class NotStarted(msgspec.Struct, frozen=True):
    """An execution whose program has never run; `reason` says why, if it was submitted and can be submitted again."""

    reason: str = ""


class Running(msgspec.Struct, frozen=True):
    """A live execution: the process id of its supervisor on that machine, and its start (unix seconds).

    `host` is the machine; empty for this one, and while it waits for one.
    """

    pid: int
    started: float
    host: str = ""


Status: TypeAlias = NotStarted | Running | Exit

ExecutionEvent: TypeAlias = bytes | Exit
"""A line of standard output with its line end, which the last one may lack; or how the execution ended."""


class Submitted(msgspec.Struct, frozen=True):
    """An execution as a listing shows it: its id, the caller's key, and when it was submitted (unix seconds)."""

    id: ExecutionId
    key: str
    time: float

    @property
    def step(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]


class ResourceUsage(msgspec.Struct, frozen=True):
    """What the processes of a live execution use: resident memory in bytes, processor time in seconds.

    `last_output` is when it last wrote something (unix seconds; 0: never).
    """

    memory: int = 0
    cpu_seconds: float = 0.0
    last_output: float = 0.0


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that runs executions: its name, how many it takes at once (None: no limit), and the labels it has.

    `programs` are the known agents on its PATH; None if a program that is not there is no reason to choose another one.
    """

    host: str
    slots: int | None
    labels: tuple[str, ...] = ()
    programs: tuple[str, ...] | None = None


def total_slots(machines: Iterable[Capacity]) -> int | None:
    """Return how many executions these machines take at once; None if one of them has no limit."""
    slots = [machine.slots for machine in machines]
    return None if None in slots else sum(filter(None, slots))


class Executor(Protocol):
    """Runs programs that outlive the process which submitted them.

    Every method may be called from any thread and any process, in particular after a crash of the submitter. Ids from
    before the crash stay valid.
    """

    def id_of(self, key: str) -> ExecutionId:
        """Return the id that `submit` returns for a key, whether or not it was submitted."""

    def submit(self, spec: Spec) -> ExecutionId:
        """Start a program, unless its key was started before; return the id."""

    def poll(self, execution: ExecutionId) -> Status:
        """Return an execution's state without waiting for its end."""

    def wait(self, execution: ExecutionId) -> Exit | NotStarted:
        """Wait until an execution has ended, whoever started it; `NotStarted` if it could not be started yet."""

    def cancel(self, execution: ExecutionId, reason: str, *, now: bool = False) -> None:
        """Ask an execution to end, or kill it `now`; return at once. One that has not started never starts."""

    def executions(self, prefix: str) -> list[Submitted]:
        """Return all executions whose keys start with `prefix/`, in the order of their submission."""

    def adopt(self, prefix: str) -> list[ExecutionId]:
        """Return the live executions whose keys start with `prefix/`."""

    def open_output(self, execution: ExecutionId, stream: Stream, *, tail: int | None = None) -> BinaryIO:
        """Open what a program has written so far, or its last `tail` bytes; empty when it wrote nothing.

        Where output is missing because of `Spec.max_output`, there is a line for which `missing_bytes` is not 0. An
        iteration yields lines of bounded length.
        """

    def new_output(
        self, execution: ExecutionId, position: int, *, stream: Stream = "stdout", at_line_start: bool = True
    ) -> Iterator[tuple[int, bytes]]:
        """Yield what there is of a stream after a position, with the position after each part.

        The first position is 0. Where output is missing, there is a line as in `open_output`.
        """

    def events(self, execution: ExecutionId) -> Iterator[ExecutionEvent]:
        """Yield each line of standard output once it is written, and then the `Exit`; nothing if it never started."""

    def output_location(self, execution: ExecutionId, stream: Stream) -> str:
        """Return where a person can read the output (a path or an address); empty when only `open_output` can."""

    def usage(self, execution: ExecutionId) -> ResourceUsage:
        """Return what a live execution uses now; zeros for any other."""

    def capacity(self) -> list[Capacity]:
        """Return the machines that take executions."""

    def ack(self, execution: ExecutionId) -> None:
        """Let the executor forget an execution whose end is stored, with its input and output; not a live one."""


def missing_bytes(line: bytes) -> int:
    """Return how many bytes of the output are missing in place of a line; 0 for a line of the program."""
    match = _MISSING.match(line)
    return int(match[1]) if match else 0


def tail_text(executor: Executor, execution: ExecutionId, stream: Stream, size: int = 20_000) -> str:
    """Return the end of an execution's output as text, of at most `size` bytes."""
    with executor.open_output(execution, stream, tail=size) as file:
        return file.read().decode("utf-8", "replace")
