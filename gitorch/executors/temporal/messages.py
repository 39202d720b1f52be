"""What travels between the orchestrator, the engine and the workers: typed values, as JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from gitorch.executors.protocol import Errand, ResourceLimits, Spec, Stream
from gitorch.model.outcome import Exit

QUEUE = "gitorch"
"""The task queue of the steps of workflows, which every worker takes."""

PIECE_BYTES = 1_000_000
"""The most that one answer carries: the engine refuses a payload of more than 2 MB."""

OUTPUT_BYTES = 300_000
BUNDLE_BYTES = 900_000
"""The most that a result carries of output, compressed, and of commits."""

ORDER_BYTES = 1_800_000
"""The most that one order may hold, encoded."""

STEP_TIMEOUT = timedelta(seconds=5)
"""How long a worker may take for a step of a workflow before another one is given it."""

HEARTBEAT_SECONDS = 30.0
"""A worker that is silent for so long counts as lost."""


def queue_of(version: str, label: str, program: str) -> str:
    """Return the task queue of the workers of a version with a label and a known program; an empty one is on all.

    Another version may not understand an order, and what it makes of one may not be understood here.
    """
    return f"{QUEUE}/programs/{version}/{label}/{program}"


_WORKERS = f"{QUEUE}/workers/"


def own_queue(worker: str) -> str:
    """Return the task queue that only one worker takes work from."""
    return f"{_WORKERS}{worker}"


def identity_of(host: str, queue: str) -> str:
    """Return the name under which the engine knows who has a program: the machine, and where its worker answers."""
    return f"{host} {queue}"


def host_and_queue(identity: str) -> tuple[str, str]:
    """Return what `identity_of` was given; two empty texts for the name of anything else."""
    host, _, queue = identity.rpartition(" ")
    return (host, queue) if queue.startswith(_WORKERS) else ("", "")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How commits travel for an errand: where the repository is, and under which lease its work is delivered.

    `epoch` counts the submissions of the task, `lease` is the object that says so. `push` brings work to the
    repository, otherwise it travels with the result. `rescue` is how often what is not finished is pushed too, in
    seconds; 0 for never.
    """

    origin: str
    epoch: int
    lease: str
    push: bool = True
    rescue: float = 0.0


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The work of an errand: its tip, and where it is: in a ref of the repository, or in a bundle.

    `is_completed`: the last commit holds what the agent did not commit. `files` are those that it wrote for gitorch.
    `problem` is why there is no tip, empty if nothing was changed. `notes` are what the agent shares with others.
    """

    tip: str = ""
    ref: str = ""
    bundle: bytes = b""
    is_completed: bool = False
    problem: str = ""
    files: Mapping[str, bytes] = {}
    notes: tuple[str, ...] = ()


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One program to run, as a worker gets it.

    `token` is made once for each submission of `key`, so that a worker's answer can never be taken for that of another
    one. Only workers of the same `version` take it, and with a `program`, those that have it on PATH. Texts that may
    not be Unicode are bytes. The values of secrets stay at home: a worker takes those that `secret_names` lists from
    its own environment.
    """

    key: str
    token: str
    argv: tuple[bytes, ...]
    env: tuple[tuple[bytes, bytes], ...]
    cwd: bytes
    stdin: bytes
    files: Mapping[str, bytes]
    timeout: float
    idle: float
    grace: float
    max_output: int
    resources: ResourceLimits
    secret_names: tuple[str, ...] = ()
    label: str = ""
    version: str = ""
    program: str = ""
    heartbeat: float = HEARTBEAT_SECONDS
    errand: Errand | None = None
    route: Route | None = None


class Claim(msgspec.Struct, frozen=True):
    """A worker asks whether it may start a program: which attempt of the engine it was given, and where it answers."""

    attempt: int
    queue: str
    host: str


class StopRequest(msgspec.Struct, frozen=True):
    """A request to end a program, or to kill it `now`."""

    reason: str
    now: bool = False


class StopOrder(msgspec.Struct, frozen=True):
    """A request to end a program, as its worker gets it."""

    key: str
    token: str
    request: StopRequest


class Files(msgspec.Struct, frozen=True):
    """Files for a running program, by name."""

    files: Mapping[str, bytes]


class FilesOrder(msgspec.Struct, frozen=True):
    """Files for a running program, as its worker gets them."""

    token: str
    files: Mapping[str, bytes]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How an execution ended, and on which worker (empty: it never began).

    `output` is what it wrote, compressed, if that is small; otherwise the worker keeps it until it was fetched.
    """

    exit: Exit
    host: str = ""
    queue: str = ""
    output: Mapping[Stream, bytes] | None = None
    delivery: Delivery | None = None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A question for what a program wrote: after a position of the stream, or its last `tail` bytes."""

    key: str
    token: str
    stream: Stream
    position: int = 0
    at_line_start: bool = True
    tail: int = 0


class Piece(msgspec.Struct, frozen=True):
    """A part of the output, and the position of the stream after it.

    `is_last`: there was no more of it. `is_live`: the program runs, so that its worker can be asked again.
    """

    position: int
    content: bytes
    is_last: bool = False
    is_live: bool = False


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker knows about an execution of its own; the pid is 0 unless it runs."""

    pid: int = 0
    started: float = 0.0
    memory: int = 0
    cpu_seconds: float = 0.0
    last_output: float = 0.0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A worker as it describes itself; times are unix seconds, sizes bytes. `programs` are the agents that it has.

    One that is `full` takes nothing before there is space on its disk again.
    """

    id: str
    host: str
    slots: int
    busy: int = 0
    labels: tuple[str, ...] = ()
    version: str = ""
    git: str = ""
    programs: tuple[str, ...] = ()
    free_disk: int = 0
    clock: float = 0.0
    draining: bool = False
    full: bool = False


def order_of(
    spec: Spec,
    token: str,
    *,
    version: str = "",
    label: str = "",
    heartbeat: float = HEARTBEAT_SECONDS,
    route: Route | None = None,
) -> Order:
    """Return the order for a program, without the values of its secrets."""
    hidden = {value for value in spec.secrets.values() if value}
    names = [name for name, value in spec.env.items() if value in hidden]
    return Order(
        key=spec.key,
        token=token,
        argv=tuple(map(os.fsencode, spec.argv)),
        env=tuple((os.fsencode(name), os.fsencode(value)) for name, value in spec.env.items() if name not in names),
        cwd=os.fsencode(spec.cwd) if spec.cwd else b"",
        stdin=spec.stdin,
        files=spec.files,
        timeout=spec.timeout,
        idle=spec.idle,
        grace=spec.grace,
        max_output=spec.max_output,
        resources=spec.resources,
        secret_names=tuple(sorted({*names, *spec.secrets})),
        label=label,
        version=version,
        program=spec.errand.program if spec.errand else "",
        heartbeat=heartbeat,
        errand=spec.errand,
        route=route,
    )


def spec_of(order: Order, environment: Mapping[str, str]) -> Spec:
    """Return the program of an order, with the secrets that a worker's own environment has."""
    secrets = {name: environment[name] for name in order.secret_names if name in environment}
    env = {os.fsdecode(name): os.fsdecode(value) for name, value in order.env}
    return Spec(
        key=order.key,
        argv=_decoded(order.argv),
        env={**env, **secrets},
        cwd=Path(os.fsdecode(order.cwd)) if order.cwd else None,
        stdin=order.stdin,
        files=order.files,
        timeout=order.timeout,
        idle=order.idle,
        grace=order.grace,
        max_output=order.max_output,
        secrets=secrets,
        resources=order.resources,
        errand=order.errand,
    )


def _decoded(words: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(map(os.fsdecode, words))
