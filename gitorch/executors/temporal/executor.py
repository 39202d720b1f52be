"""Executions on the workers of a Temporal cluster."""

from __future__ import annotations

import io
import os
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from gitorch.errors import InvalidInput
from gitorch.executors import output_reader
from gitorch.executors.protocol import (
    Capacity,
    Errand,
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
from gitorch.executors.temporal import seen_output
from gitorch.executors.temporal.engine import Engine, Known, OutputLost
from gitorch.executors.temporal.home import Home, submitted
from gitorch.executors.temporal.messages import (
    HEARTBEAT_SECONDS,
    ORDER_BYTES,
    Delivery,
    Files,
    Machine,
    Order,
    Reading,
    Result,
    Route,
    StopRequest,
    order_of,
)
from gitorch.executors.temporal.seen_output import SeenOutput
from gitorch.model.outcome import Exit

_EVENT_SECONDS = (0.5, 2.0)


class TemporalExecutor:
    """Runs programs on workers. An id is the key; what is known at home is in folders below `root`.

    `repository` tells the executions of one repository from those of all others that use the cluster. Programs go to
    the workers of the same `version`, with the label of their errand, or with `label`. A worker that is silent for
    `heartbeat` seconds is lost. `route` is called once for each errand, with its token, and says how commits travel.
    """

    def __init__(
        self,
        engine: Engine,
        root: Path,
        *,
        repository: str,
        version: str = "",
        label: str = "",
        heartbeat: float = HEARTBEAT_SECONDS,
        route: Callable[[Errand, str], Route] | None = None,
    ) -> None:
        self._engine = engine
        self._root = root
        self._repository = repository
        self._version = version
        self._label = label
        self._heartbeat = heartbeat
        self._route = route
        self._seen = SeenOutput()
        self._queues: dict[str, str] = {}
        """Where the executions run whose worker has said so when it was last asked, by key."""

    def id_of(self, key: str) -> ExecutionId:
        """Return the id that `submit` returns for a key."""
        return ExecutionId(key)

    def submit(self, spec: Spec) -> ExecutionId:
        """Give a program to the cluster, unless its key was submitted before.

        Raises `InvalidInput` if it is too large.
        """
        home = self._home(self.id_of(spec.key))
        with home.locked():
            if home.was_started or home.result is not None:
                return self.id_of(spec.key)
            order = self._order(spec, home.token)
            if (size := len(msgspec.json.encode(order))) > ORDER_BYTES:
                raise InvalidInput(
                    "remote-order-size",
                    f"{spec.key}: the order for a worker has {size} bytes, more than {ORDER_BYTES}",
                    fix=("make the task's prompt or its files smaller",),
                )
            home.note_order()
            if (request := home.stop) is not None:
                home.keep(Result(exit=Exit(cause="stopped", message=request.reason)), _nothing)
                return self.id_of(spec.key)
            self._engine.start(self._workflow(home), order)
            home.note_start()
        return self.id_of(spec.key)

    def _order(self, spec: Spec, token: str) -> Order:
        label = spec.errand.label if spec.errand else self._label
        route = self._route(spec.errand, token) if spec.errand and self._route else None
        return order_of(spec, token, version=self._version, label=label, heartbeat=self._heartbeat, route=route)

    def knows(self, execution: ExecutionId) -> bool:
        """Return whether anything was done about an execution here, whether or not it was submitted."""
        return self._home(execution).is_claimed

    def delivery(self, execution: ExecutionId) -> Delivery | None:
        """Return the work of an errand that has ended, if it came home."""
        home = self._home(execution)
        result = home.result if home.is_claimed else None
        return result.delivery if result else None

    def is_lost(self, execution: ExecutionId) -> bool:
        """Return whether an execution has ended because its worker was lost."""
        home = self._home(execution)
        result = home.result if home.is_claimed else None
        return result is not None and result.exit.cause == "lost"

    def token(self, execution: ExecutionId) -> str:
        """Return the token of a submitted execution, which its lease is for."""
        return self._home(execution).token

    def poll(self, execution: ExecutionId) -> Status:
        """Return an execution's state without waiting for its end; it counts as running while it waits for a slot."""
        home = self._home(execution)
        status, record = self._state(home)
        if isinstance(status, Running) and record is not None and record.queue:
            live = self._engine.live(record.queue, home.key, home.token)
            return Running(live.pid, live.started or status.started, record.host)
        return status

    def _state(self, home: Home) -> tuple[Status, Known | None]:
        """Return an execution's state as far as the engine knows it, without asking its worker."""
        if not home.is_claimed:
            return NotStarted(), None
        if (result := home.result) is not None:
            return result.exit, None
        record = self._engine.describe(self._workflow(home))
        if record is None and not home.was_started:
            return NotStarted(), None
        if record is None or not record.is_open:
            return self._settle(home), None
        return Running(0, record.submitted), record

    def wait(self, execution: ExecutionId) -> Exit | NotStarted:
        """Wait until an execution has ended, whoever submitted it."""
        home = self._home(execution)
        if not home.is_claimed:
            return NotStarted()
        if (result := home.result) is not None:
            return result.exit
        return self._settle(home) if home.was_started or self._engine.describe(self._workflow(home)) else NotStarted()

    def cancel(self, execution: ExecutionId, reason: str, *, now: bool = False) -> None:
        """Ask an execution to end, or kill it `now`; return at once. One that has not started never starts."""
        home, request = self._home(execution), StopRequest(reason, now)
        with home.locked():
            if home.result is not None:
                return
            home.note_stop(request)
        self._engine.stop(self._workflow(home), request)

    def send(self, execution: ExecutionId, files: Mapping[str, bytes]) -> None:
        """Give the program of an errand files while it runs, into its state folder."""
        home = self._home(execution)
        if home.result is None:
            self._engine.give(self._workflow(home), Files(files))

    def executions(self, prefix: str) -> list[Submitted]:
        """Return all executions whose keys start with `prefix/`, in the order of their submission."""
        return [Submitted(self.id_of(home.key), home.key, home.ordered) for home in submitted(self._root, prefix)]

    def adopt(self, prefix: str) -> list[ExecutionId]:
        """Return the live executions whose keys start with `prefix/`."""
        homes = sorted(submitted(self._root, prefix), key=lambda home: home.key)
        return [self.id_of(home.key) for home in homes if isinstance(self._state(home)[0], Running)]

    def open_output(self, execution: ExecutionId, stream: Stream, *, tail: int | None = None) -> BinaryIO:
        """Open what a program has written so far, or its last `tail` bytes; empty when its worker does not answer."""
        home = self._home(execution)
        status, record = self._state(home)
        if not isinstance(status, Running):
            return output_reader.open_output(home.folder, stream, tail=tail)
        if record is None or not record.queue:
            return io.BytesIO()
        if tail is not None:
            return io.BytesIO(self._engine.tail(record.queue, _reading(home, stream, tail=tail)))
        pieces = self._engine.output(record.queue, _reading(home, stream))
        return io.BytesIO(b"".join(piece.content for piece in pieces))

    def new_output(
        self, execution: ExecutionId, position: int, *, stream: Stream = "stdout", at_line_start: bool = True
    ) -> Iterator[tuple[int, bytes]]:
        """Yield what there is of a stream after a position, with the position after each part."""
        home = self._home(execution)
        if home.is_claimed and home.result is None and (queue := self._queues.get(home.key) or self._find(home)):
            is_live = False
            for piece in self._engine.output(queue, _reading(home, stream, position, at_line_start=at_line_start)):
                is_live = piece.is_live
                if stream == "stdout":
                    self._seen.note(home.folder, position, piece)
                position = piece.position
                if piece.content:
                    yield piece.position, piece.content
            if is_live:
                self._queues[home.key] = queue
            else:
                self._queues.pop(home.key, None)
            return
        yield from output_reader.after(home.folder, stream, position, at_line_start=at_line_start)

    def _find(self, home: Home) -> str:
        """Return the queue of the worker that has an execution; empty if none has it."""
        record = self._engine.describe(self._workflow(home))
        return record.queue if record is not None and record.is_open else ""

    def events(self, execution: ExecutionId) -> Iterator[ExecutionEvent]:
        """Yield the lines of standard output as they come home, and then the exit.

        While its worker says that the program runs, only that worker is asked, and less often while there is nothing.
        """
        home = self._home(execution)

        def poll() -> Status:
            is_known_to_run = home.key in self._queues and home.result is None
            return Running(0, 0.0) if is_known_to_run else self._state(home)[0]

        return output_reader.follow_lines(
            lambda position, at_line_start: self.new_output(execution, position, at_line_start=at_line_start),
            poll,
            pauses=_EVENT_SECONDS,
        )

    def output_location(self, execution: ExecutionId, stream: Stream) -> str:
        """Return the path of the output's file, once it is at home."""
        home = self._home(execution)
        return str(home.folder / stream) if home.result is not None else ""

    def usage(self, execution: ExecutionId) -> ResourceUsage:
        """Return what a live execution uses now; zeros for any other, and when its worker does not answer."""
        home = self._home(execution)
        _, record = self._state(home)
        if record is None or not record.queue:
            return ResourceUsage()
        live = self._engine.live(record.queue, home.key, home.token)
        return ResourceUsage(memory=live.memory, cpu_seconds=live.cpu_seconds, last_output=live.last_output)

    def capacity(self) -> list[Capacity]:
        """Return the workers that answer, and take work from here."""
        return [
            Capacity(host=machine.host, slots=machine.slots, labels=machine.labels, programs=machine.programs)
            for machine in self.machines()
            if machine.version == self._version and not machine.draining and not machine.full
        ]

    def machines(self) -> list[Machine]:
        """Return the workers that answer, as they describe themselves."""
        return self._engine.machines()

    def ack(self, execution: ExecutionId) -> None:
        """Forget an execution that has ended."""
        home = self._home(execution)
        if isinstance(self._state(home)[0], Exit):
            home.forget()

    def _settle(self, home: Home) -> Exit:
        """Wait for the end of an execution, and bring it home."""
        workflow = self._workflow(home)
        result = self._engine.result(workflow)
        if result is None:
            result = Result(exit=Exit(cause="lost", message="the engine does not know it any more"))
        with home.locked():
            if (stored := home.result) is not None:
                self._seen.end(home.folder)
                return stored.exit
            try:
                end = home.keep(result, lambda stream: self._fetched(home, result, stream))
            except OutputLost as error:
                lost = Exit(cause="lost", started=result.exit.started, message=str(error))
                end = home.keep(Result(exit=lost, host=result.host), lambda stream: _seen(home, stream))
            self._seen.end(home.folder)
        if result.queue:
            self._engine.forget(workflow, result.queue, home.key, home.token)
        return end

    def _fetched(self, home: Home, result: Result, stream: Stream) -> Iterator[bytes]:
        """Yield the output that is still on the worker; of a lost execution, what was seen if it does not answer.

        Raises `OutputLost` when it must answer, and does not.
        """
        must = result.exit.cause != "lost"
        if result.queue and (must or self._engine.answers(result.queue)):
            for piece in self._engine.output(result.queue, _reading(home, stream), must=must):
                yield piece.content
        else:
            yield from _seen(home, stream)

    def _workflow(self, home: Home) -> str:
        return f"gitorch/{self._repository}/{urllib.parse.quote(os.fsencode(home.key))}/{home.token}"

    def _home(self, execution: ExecutionId) -> Home:
        return Home(self._root, execution)


def _nothing(_: Stream) -> Iterator[bytes]:
    return iter(())


def _seen(home: Home, stream: Stream) -> Iterator[bytes]:
    return seen_output.blocks(home.folder) if stream == "stdout" else iter(())


def _reading(home: Home, stream: Stream, position: int = 0, *, at_line_start: bool = True, tail: int = 0) -> Reading:
    return Reading(
        key=home.key, token=home.token, stream=stream, position=position, at_line_start=at_line_start, tail=tail
    )
