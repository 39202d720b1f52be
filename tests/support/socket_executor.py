"""A second executor: programs run in a server process, and everything about them travels over a Unix socket."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any, BinaryIO

from gitorch.executors.local import LocalExecutor
from gitorch.executors.protocol import (
    Capacity,
    ExecutionEvent,
    ExecutionId,
    NotStarted,
    ResourceUsage,
    Spec,
    Status,
    Stream,
    Submitted,
)
from gitorch.model.outcome import Exit

_FORK = multiprocessing.get_context("fork")


class SocketExecutor:
    """A client: it knows an address and nothing else, so that any number of them see the same executions."""

    def __init__(self, address: Path) -> None:
        self._address = str(address)

    def id_of(self, key: str) -> ExecutionId:
        return ExecutionId(key.encode("utf-8", "surrogateescape").hex())

    def submit(self, spec: Spec) -> ExecutionId:
        self._call("submit", spec)
        return self.id_of(spec.key)

    def poll(self, execution: ExecutionId) -> Status:
        status: Status = self._call("poll", execution)
        return status

    def wait(self, execution: ExecutionId) -> Exit | NotStarted:
        status: Exit | NotStarted = self._call("wait", execution)
        return status

    def cancel(self, execution: ExecutionId, reason: str, *, now: bool = False) -> None:
        self._call("cancel", execution, reason, now)

    def executions(self, prefix: str) -> list[Submitted]:
        listing: list[Submitted] = self._call("executions", prefix)
        return [Submitted(self.id_of(submitted.key), submitted.key, submitted.time) for submitted in listing]

    def adopt(self, prefix: str) -> list[ExecutionId]:
        keys: list[str] = self._call("adopt", prefix)
        return [self.id_of(key) for key in keys]

    def open_output(self, execution: ExecutionId, stream: Stream, *, tail: int | None = None) -> BinaryIO:
        return io.BytesIO(self._call("read", execution, stream, tail))

    def new_output(
        self, execution: ExecutionId, position: int, *, stream: Stream = "stdout", at_line_start: bool = True
    ) -> Iterator[tuple[int, bytes]]:
        parts: list[tuple[int, bytes]] = self._call("new_output", execution, position, stream, at_line_start)
        return iter(parts)

    def events(self, execution: ExecutionId) -> Iterator[ExecutionEvent]:
        with Client(self._address) as connection:
            connection.send(("events", (execution,)))
            while (event := connection.recv()) is not None:
                yield event

    def output_location(self, execution: ExecutionId, stream: Stream) -> str:
        return ""

    def usage(self, execution: ExecutionId) -> ResourceUsage:
        usage: ResourceUsage = self._call("usage", execution)
        return usage

    def capacity(self) -> list[Capacity]:
        machines: list[Capacity] = self._call("capacity")
        return machines

    def ack(self, execution: ExecutionId) -> None:
        self._call("ack", execution)

    def _call(self, method: str, *arguments: object) -> Any:
        with Client(self._address) as connection:
            connection.send((method, arguments))
            result = connection.recv()
        if isinstance(result, Exception):
            raise result
        return result


class _Server:
    """Runs programs with a `LocalExecutor` of its own."""

    def __init__(self, folder: Path) -> None:
        self._local = LocalExecutor(folder)

    def answer(self, connection: Connection) -> None:
        """Carry out one call."""
        with connection:
            method, arguments = connection.recv()
            if method == "events":
                self._send_events(connection, *arguments)
                return
            try:
                result = getattr(self, method)(*arguments)
            except Exception as error:  # raised in the client
                result = error
            connection.send(result)

    def _send_events(self, connection: Connection, execution: ExecutionId) -> None:
        # the reader has seen enough; the second one if it left lines unread
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for event in self._local.events(_local(execution)):
                connection.send(event)
            connection.send(None)

    def submit(self, spec: Spec) -> None:
        self._local.submit(spec)

    def poll(self, execution: ExecutionId) -> Status:
        return self._local.poll(_local(execution))

    def wait(self, execution: ExecutionId) -> Exit | NotStarted:
        return self._local.wait(_local(execution))

    def cancel(self, execution: ExecutionId, reason: str, now: bool) -> None:
        self._local.cancel(_local(execution), reason, now=now)

    def executions(self, prefix: str) -> list[Submitted]:
        return self._local.executions(prefix)

    def adopt(self, prefix: str) -> list[str]:
        return list(self._local.adopt(prefix))

    def read(self, execution: ExecutionId, stream: Stream, tail: int | None) -> bytes:
        with self._local.open_output(_local(execution), stream, tail=tail) as file:
            return file.read()

    def new_output(
        self, execution: ExecutionId, position: int, stream: Stream, at_line_start: bool
    ) -> list[tuple[int, bytes]]:
        return [*self._local.new_output(_local(execution), position, stream=stream, at_line_start=at_line_start)]

    def usage(self, execution: ExecutionId) -> ResourceUsage:
        return self._local.usage(_local(execution))

    def capacity(self) -> list[Capacity]:
        return self._local.capacity()

    def ack(self, execution: ExecutionId) -> None:
        self._local.ack(_local(execution))


def _local(execution: ExecutionId) -> ExecutionId:
    return ExecutionId(bytes.fromhex(execution).decode("utf-8", "surrogateescape"))


def _serve(listener: Listener, folder: Path) -> None:
    server = _Server(folder)
    while True:
        threading.Thread(target=server.answer, args=(listener.accept(),), daemon=True).start()


@contextmanager
def serving(address: Path, folder: Path) -> Iterator[None]:
    """Run a server that keeps its executions in a folder; its clients need only the address."""
    with Listener(str(address), backlog=64) as listener:
        process = _FORK.Process(target=_serve, args=(listener, folder), daemon=True)
        process.start()
        try:
            yield
        finally:
            process.kill()
            process.join()
