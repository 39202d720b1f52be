"""The programs around a worker: the Temporal server of `serve`, and the tunnel of `worker --join`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from gitorch.errors import InvalidInput, Refused, SetupNeeded
from gitorch.executors.protocol import ExecutionId, Executor, Running, Spec, tail_text
from gitorch.services.executor import leashed_executor

HOST = "127.0.0.1"
PORT = 7233
_START_SECONDS = 60.0
_PRAGMAS = ("journal_mode=wal", "synchronous=full")
"""Without a write-ahead log, each heartbeat makes and removes a journal, and the server cannot keep up with many."""

_SERVER_SETTINGS = (
    "frontend.namespaceCount=10000",  # workers' questions for more work, and waits for results: 1,200 otherwise
    # series of metrics that nobody reads, 28 MB of text after 1,000 agents
    "metrics.breakdownByTaskQueue=false",
    "metrics.breakdownByPartition=false",
    # each worker has a queue of its own, for a few questions: in parts, it costs the server four times as much
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    # its one shard writes one thing at a time: of hundreds that wait, most time out and are tried again
    "history.transferProcessorSchedulerWorkerCount=8",
    "history.timerProcessorSchedulerWorkerCount=8",
    "history.visibilityProcessorSchedulerWorkerCount=4",
)

SERVER_ENVIRONMENT = {"GOGC": "50"}
"""Let the server give memory back earlier, for a little more of the processor."""
_PAUSE_SECONDS = 0.1
_TUNNEL_PAUSE_SECONDS = 2.0
_DESTINATION = re.compile(r"ssh://(?:[A-Za-z0-9_.][A-Za-z0-9_.-]*@)?[A-Za-z0-9_.][A-Za-z0-9_.-]*(?::\d{1,5})?/?")


class Program(msgspec.Struct, frozen=True):
    """A program that runs as long as this process does, and the executor that it runs under."""

    executor: Executor
    execution: ExecutionId

    def stop(self) -> None:
        """End it, and wait for its end."""
        self.executor.cancel(self.execution, "no longer needed")
        self.executor.wait(self.execution)

    def problem(self) -> str:
        """Return its last words, if it has ended."""
        if isinstance(self.executor.poll(self.execution), Running):
            return ""
        words = [tail_text(self.executor, self.execution, stream).strip() for stream in ("stderr", "stdout")]
        return next((text.splitlines()[-1] for text in words if text), "it has ended")


@contextlib.contextmanager
def temporal_server(folder: Path, port: int, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a Temporal server on loopback whose state is a file in a folder.

    Raises `SetupNeeded` when it is not installed or does not start, `Refused` when the port is taken.
    """
    program = shutil.which("temporal", path=environment.get("PATH"))
    if program is None:
        raise SetupNeeded(
            "temporal-missing",
            "the program temporal is not installed, or not on PATH",
            fix=("brew install temporal", "https://docs.temporal.io/cli#install"),
        )
    if _answers(port):
        message = f"something listens on {HOST}:{port} already"
        raise Refused(
            "port-held", message, why="it may be another `orchestrate serve`", fix=("orchestrate serve --port PORT",)
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    argv = server_command(program, HOST, port, folder / "temporal.db")
    server = _start(folder, "server", argv, {**SERVER_ENVIRONMENT, **environment})
    try:
        if problem := _wait_for(port, server):
            raise SetupNeeded("server-failed", "the Temporal server does not start", why=problem)
        yield
    finally:
        server.stop()


def server_command(program: str, ip: str, port: int, database: Path) -> tuple[str, ...]:
    """Return the command of a development server that can take a night of 1,000 agents."""
    options = ("--headless", "--log-level", "error", "--ip", ip, "--port", str(port), "--db-filename", str(database))
    pragmas = [word for pragma in _PRAGMAS for word in ("--sqlite-pragma", pragma)]
    limits = [word for setting in _SERVER_SETTINGS for word in ("--dynamic-config-value", setting)]
    return (program, "server", "start-dev", *options, *pragmas, *limits)


@contextlib.contextmanager
def ssh_tunnel(destination: str, port: int, folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """Yield a port of this machine that leads to a port of another one's loopback; a tunnel that breaks is made again.

    Raises `InvalidInput` for a wrong destination, and `SetupNeeded` when ssh is missing or fails.
    """
    if not is_destination(destination):
        fix = ("orchestrate worker --join ssh://USER@HOST",)
        raise InvalidInput("join-address", f"{destination} is not ssh://[USER@]HOST[:PORT]", fix=fix)
    program = shutil.which("ssh", path=environment.get("PATH"))
    if program is None:
        raise SetupNeeded("ssh-missing", "ssh is not installed, or not on PATH", fix=("install OpenSSH",))
    local = free_port()
    options = ("-N", "-T", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "-o", "ServerAliveInterval=15")
    argv = (program, *options, "-L", f"{HOST}:{local}:{HOST}:{port}", destination.rstrip("/"))
    tunnel = _start(folder, "tunnel", argv, environment)
    is_over = threading.Event()

    def keep() -> None:
        nonlocal tunnel
        while not is_over.wait(_TUNNEL_PAUSE_SECONDS):
            if tunnel.problem():
                tunnel = _start(folder, "tunnel", argv, environment)

    keeper = threading.Thread(target=keep, name="tunnel", daemon=True)
    try:
        if problem := _wait_for(local, tunnel):
            # a person sees there what ssh asks, such as whether the host is the right one
            fix = (f"ssh {destination.rstrip('/')}   until it logs in without a question",)
            raise SetupNeeded("tunnel-failed", f"no tunnel to {destination}", why=problem, fix=fix)
        keeper.start()
        yield local
    finally:
        is_over.set()
        if keeper.is_alive():
            keeper.join()
        tunnel.stop()


def is_destination(text: str) -> bool:
    """Return whether a text is an address for ssh, and cannot be an option of it."""
    return _DESTINATION.fullmatch(text) is not None


def _start(folder: Path, name: str, argv: tuple[str, ...], environment: Mapping[str, str]) -> Program:
    executor = leashed_executor(folder / "programs")
    for submitted in executor.executions(name):
        executor.ack(submitted.id)
    spec = Spec(key=f"{name}/{os.getpid()}-{time.time_ns()}", argv=argv, env=dict(environment), cwd=folder)
    return Program(executor, executor.submit(spec))


def _wait_for(port: int, program: Program) -> str:
    """Wait until something listens on a port; return why that does not happen."""
    end = time.monotonic() + _START_SECONDS
    while not _answers(port):
        if problem := program.problem():
            return problem
        if time.monotonic() > end:
            return "it does not listen"
        threading.Event().wait(_PAUSE_SECONDS)
    return ""


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def free_port() -> int:
    """Return a port of this machine that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port
