"""A real Temporal server and real worker processes, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
from temporalio.client import Client

from gitorch.executors.local import LocalExecutor
from gitorch.executors.protocol import Executor, Spec
from gitorch.executors.temporal.connection import Connection, Target
from gitorch.executors.temporal.engine import Engine
from gitorch.executors.temporal.executor import TemporalExecutor
from gitorch.executors.temporal.host import CannotEnter, Host
from gitorch.executors.temporal.messages import Order, Result
from gitorch.executors.temporal.worker import end_process, serve
from gitorch.services.workers.server_and_tunnel import SERVER_ENVIRONMENT, server_command

_START_SECONDS = 300.0


class SameFolders:
    """Programs run in the folders that their orders name: this machine has them too."""

    def enter(self, order: Order, spec: Spec, local: LocalExecutor) -> Spec:
        """Return the program as it is."""
        return spec

    def check(self, order: Order, local: LocalExecutor) -> Result:
        """Refuse: there is no repository."""
        raise CannotEnter("it takes no checks")

    def save(self, order: Order) -> None:
        """Do nothing: the files are at home."""

    def give(self, token: str, files: Mapping[str, bytes]) -> None:
        """Do nothing: nobody has such a folder."""

    def leave(self, order: Order, result: Result) -> Result:
        """Return the result as it is."""
        return result

    def tidy(self, order: Order) -> None:
        """Do nothing: there is nothing of its own."""

    def abandon(self, token: str) -> None:
        """Do nothing: there is nothing of its own."""


class Server:
    """A `temporal server start-dev` with a database in a file, which listens on `ip`, with more `settings`."""

    def __init__(self, folder: Path, ip: str = "127.0.0.1", *settings: str) -> None:
        self._folder = folder
        self._ip = ip
        self._settings = [word for setting in settings for word in ("--dynamic-config-value", setting)]
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        program = str(Path(sys.executable).parent / "temporal")
        argv = [*server_command(program, self._ip, self.port, self._folder / "temporal.db"), *self._settings]
        environment = {**SERVER_ENVIRONMENT, **os.environ}
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, env=environment)
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError("the server does not start")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def memory(self) -> int:
        """Return its resident memory, in bytes."""
        return psutil.Process(self.pid).memory_info().rss


class TemporalConnect:
    """Connects to a server, once in each process; a new process gets it as a value."""

    def __init__(self, address: str, home: Path, repository: str) -> None:
        self._parts = (address, home, repository)
        self._engine: Engine | None = None

    def __call__(self) -> TemporalExecutor:
        address, home, repository = self._parts
        self._engine = self._engine or Engine(Connection(Target(address=address)))
        return TemporalExecutor(self._engine, home, repository=repository)

    def __getstate__(self) -> dict[str, object]:
        return {"_parts": self._parts, "_engine": None}


def submit_and_wait(connect: Callable[[], Executor], spec: Spec) -> None:
    """Do what an orchestrator does, in a process that may be killed."""
    executor = connect()
    executor.wait(executor.submit(spec))


class WorkerProcess:
    """A worker as a process of its own."""

    def __init__(self, address: str, folder: Path, slots: int, *labels: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        command = [sys.executable, "-m", "tests.support.temporal", address, str(folder), str(slots), *labels]
        with (folder / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=Path(__file__).parents[2])
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n", (folder / "worker.log").read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def saved_work(server: Server) -> list[str]:
    """Return the refs of the rescue points that the engine knows of, of all executions that run."""

    async def ask(client: Client) -> list[str]:
        running = client.list_workflows("WorkflowType='gitorch-execution' AND ExecutionStatus='Running'")
        handles = [client.get_workflow_handle(execution.id) async for execution in running]
        return [await (await handle.describe()).memo_value("saved", "") for handle in handles]

    return Connection(Target(address=server.address)).call(ask)


@contextlib.contextmanager
def serving(folder: Path, ip: str = "127.0.0.1", *settings: str) -> Iterator[Server]:
    """Run a server."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder, ip, *settings)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def working(address: str, folder: Path, slots: int, *labels: str) -> Iterator[WorkerProcess]:
    """Run a worker."""
    worker = WorkerProcess(address, folder, slots, *labels)
    try:
        yield worker
    finally:
        worker.kill()
    log = (folder / "worker.log").read_text()
    assert "Traceback" not in log, log


async def _work(address: str, folder: str, slots: str, *labels: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    host = Host(Path(folder), slots=int(slots), labels=labels, environment=os.environ, surroundings=SameFolders())
    await serve(host, Target(address=address), stop, ready=lambda: print("ready", flush=True))


if __name__ == "__main__":
    asyncio.run(_work(*sys.argv[1:]))
    end_process()
