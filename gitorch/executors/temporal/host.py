"""The worker's side of executions: runs them with a `LocalExecutor`, and answers questions about them."""

from __future__ import annotations

import os
import shutil
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from gitorch.executors import output_reader, write_times
from gitorch.executors.local import LocalExecutor
from gitorch.executors.protocol import KEPT_STREAMS, ExecutionId, Running, Spec, Stream
from gitorch.executors.starting import wait_for_end
from gitorch.executors.temporal import clocks
from gitorch.executors.temporal.messages import (
    OUTPUT_BYTES,
    PIECE_BYTES,
    Delivery,
    FilesOrder,
    Live,
    Machine,
    Order,
    Piece,
    Reading,
    Result,
    StopOrder,
    own_queue,
    spec_of,
)
from gitorch.model.outcome import Exit
from gitorch.storage import atomic

REST_SECONDS = 60.0
"""How long a worker takes nothing when it could not begin: others get what it would fail."""

_IDENTITY = "worker-id"


class CannotEnter(Exception):
    """This machine cannot run an order; the text says why."""


class CannotServe(CannotEnter):
    """What keeps this machine from running an order is its own fault: it would fail the next ones too."""


class StillRuns(Exception):
    """An execution that is to be removed has not ended here."""


class Surroundings(Protocol):
    """Turns an order into a program of this machine, and its work into something that travels."""

    def enter(self, order: Order, spec: Spec, local: LocalExecutor) -> Spec:
        """Return the program as it runs here, with `local` for what comes before it.

        Raises `CannotEnter` when that is impossible.
        """

    def check(self, order: Order, local: LocalExecutor) -> Result:
        """Run the checks of an order with `local`. Raises `CannotEnter` when that is impossible."""

    def save(self, order: Order) -> Delivery | None:
        """Bring home what the program has done so far, while it runs; None if nothing new came there."""

    def give(self, token: str, files: Mapping[str, bytes]) -> None:
        """Give a running program files, in its folder for messages. Raises `OSError` when that is impossible."""

    def leave(self, order: Order, result: Result) -> Result:
        """Return the result with what the program has made."""

    def tidy(self, order: Order) -> None:
        """Remove what an order that has ended left, after its result was returned."""

    def abandon(self, token: str) -> None:
        """Remove what is left of an order."""


class Host:
    """Runs the orders that this machine was given, below `folder`; all die with this process.

    The executions of an order are in `folder/executions/TOKEN`. `environment` is the worker's own, which secrets are
    taken from. With less than `min_free_disk` bytes, it takes nothing.
    """

    def __init__(
        self,
        folder: Path,
        *,
        slots: int,
        labels: tuple[str, ...] = (),
        environment: Mapping[str, str],
        surroundings: Surroundings,
        version: str = "",
        git_version: str = "",
        programs: tuple[str, ...] = (),
        min_free_disk: int = 0,
    ) -> None:
        self.folder = folder
        self._min_free_disk = min_free_disk
        self._rests_until = 0.0
        self.slots = slots
        self.labels = labels
        self.busy = 0
        self.is_draining = False
        self.clock_difference = 0.0
        """How many seconds the engine's clock is ahead of this machine's."""
        self.id = _identity(folder)
        self._environment = environment
        self._surroundings = surroundings
        self.version = version
        self._git_version = git_version
        self.programs = programs
        # its other end is in this process alone: the kernel closes it when this process dies, however that happens
        self._leash, self._leash_end = os.pipe()

    @property
    def free_disk(self) -> int:
        """Return how many bytes are free where it works."""
        return shutil.disk_usage(self.folder).free

    @property
    def is_full(self) -> bool:
        """Return whether there is too little space for one more agent, which another worker may have."""
        return self.free_disk < self._min_free_disk

    @property
    def takes_programs(self) -> bool:
        """Return whether it takes programs now, if it has a free slot."""
        return not self.is_draining and not self.is_full and time.monotonic() >= self._rests_until

    @property
    def queue(self) -> str:
        """Return the task queue that only this worker takes work from."""
        return own_queue(self.id)

    def run(self, order: Order) -> Result:
        """Run a program to its end and return how it ended, with its output if that is small."""
        result = self._run(order)
        started = clocks.shifted(result.exit.started, self.clock_difference)
        return msgspec.structs.replace(result, exit=msgspec.structs.replace(result.exit, started=started))

    def _run(self, order: Order) -> Result:
        local = self._executor(order.token)
        started = time.time()
        try:
            if order.errand is not None and order.errand.checks:
                checked = self._surroundings.check(order, local)
                return msgspec.structs.replace(checked, host=self.name, queue=self.queue)
            spec = self._surroundings.enter(order, spec_of(order, self._environment), local)
            local.submit(spec)
        except CannotEnter as error:
            if isinstance(error, CannotServe):
                self._rests_until = time.monotonic() + REST_SECONDS
            lost = Exit(cause="lost", started=started, message=f"on {self.name}: {error}")
            return Result(exit=lost, host=self.name, queue=self.queue)
        except OSError as error:
            message = f"on {self.name}: {error.strerror or error}"
            failed = Exit(cause="failed-to-start", started=started, message=message)
            return Result(exit=failed, host=self.name, queue=self.queue)
        try:
            end = wait_for_end(local, spec)
            result = Result(exit=end, host=self.name, queue=self.queue, output=self._small_output(order))
            return self._surroundings.leave(order, result)
        except OSError as error:  # its disk is full; what this order left there is removed after the result
            self._rests_until = time.monotonic() + REST_SECONDS
            message = f"on {self.name}: {error.strerror or error}; what it did is not known"
            lost = Exit(cause="lost", started=started, message=message)
            return Result(exit=lost, host=self.name, queue=self.queue)

    def save(self, order: Order) -> Delivery | None:
        """Bring home what a program has done so far; None if nothing new came there."""
        return self._surroundings.save(order)

    def give(self, order: FilesOrder) -> None:
        """Give a running program files. Raises `OSError` when that is impossible."""
        self._surroundings.give(order.token, order.files)

    def stop(self, order: StopOrder) -> None:
        """End a program, or kill it; one that has not started yet never will."""
        local, request = self._executor(order.token), order.request
        for execution in _executions(local, order.key):
            local.cancel(execution, request.reason, now=request.now)

    def kill(self, order: Order) -> None:
        """Kill a program whose result nobody takes any more, and wait for its end."""
        local = self._executor(order.token)
        for execution in _executions(local, order.key):
            local.cancel(execution, "its worker was given up", now=True)
            local.wait(execution)

    def tidy(self, order: Order) -> None:
        """Remove what an order has left besides its output. Its result comes first: of many files, it takes a while."""
        self._surroundings.tidy(order)

    def remove(self, token: str) -> None:
        """Remove what there is of an execution that has ended. Raises `StillRuns` when it has not."""
        root = self._root(token)
        for execution in self._executor(token).adopt("."):
            raise StillRuns(f"{execution} runs")
        self._surroundings.abandon(token)
        shutil.rmtree(root, ignore_errors=True)

    def forget(self, token: str) -> bool:
        """Remove what there is of an execution; return False if it runs, or cannot be removed."""
        try:
            self.remove(token)
        except (StillRuns, OSError):
            return False
        return True

    def describe(self) -> Machine:
        """Return this worker as it is now."""
        return Machine(
            id=self.id,
            host=self.name,
            slots=self.slots,
            busy=self.busy,
            labels=self.labels,
            version=self.version,
            git=self._git_version,
            programs=self.programs,
            free_disk=self.free_disk,
            clock=time.time(),
            draining=self.is_draining,
            full=self.is_full,
        )

    def live(self, key: str, token: str) -> Live:
        """Return the state of an execution."""
        local, execution = self._executor(token), ExecutionId(key)
        status = local.poll(execution)
        if not isinstance(status, Running):
            return Live()
        usage, ahead = local.usage(execution), self.clock_difference
        return Live(
            pid=status.pid,
            started=clocks.shifted(status.started, ahead),
            memory=usage.memory,
            cpu_seconds=usage.cpu_seconds,
            last_output=clocks.shifted(usage.last_output, ahead),
        )

    def read(self, reading: Reading) -> Piece:
        """Return a part of an execution's output."""
        if reading.tail:
            size = min(reading.tail, PIECE_BYTES)
            local = self._executor(reading.token)
            with local.open_output(ExecutionId(reading.key), reading.stream, tail=size) as file:
                return Piece(0, file.read(size))
        # before it is read: what ends meanwhile is asked for again
        is_live = isinstance(self._executor(reading.token).poll(ExecutionId(reading.key)), Running)
        position, blocks, total = reading.position, [], 0
        for position, data in self._after(reading):
            blocks.append(data)
            total += len(data)
            if total >= PIECE_BYTES - output_reader.BLOCK_BYTES:
                return Piece(position, b"".join(blocks), is_live=is_live)
        return Piece(position, b"".join(blocks), is_last=True, is_live=is_live)

    def _after(self, reading: Reading) -> Iterator[tuple[int, bytes]]:
        folder, position = self._root(reading.token) / reading.key, reading.position
        blocks = output_reader.after(folder, reading.stream, position, at_line_start=reading.at_line_start)
        if reading.stream != write_times.STREAM:
            yield from blocks
            return
        parts = [*blocks]  # its lines are short and few
        if parts:
            yield parts[-1][0], clocks.shifted_times(b"".join(data for _, data in parts), self.clock_difference)

    def _small_output(self, order: Order) -> Mapping[Stream, bytes] | None:
        """Return what it wrote, compressed; None if they are too large to travel with the result."""
        packed: dict[Stream, bytes] = {}
        budget = OUTPUT_BYTES
        for stream in KEPT_STREAMS:
            packer, blocks = zlib.compressobj(), []
            with self._executor(order.token).open_output(ExecutionId(order.key), stream) as file:
                while block := file.read(output_reader.BLOCK_BYTES if stream != write_times.STREAM else -1):
                    if stream == write_times.STREAM:
                        block = clocks.shifted_times(block, self.clock_difference)
                    blocks.append(packer.compress(block))
                    budget -= len(blocks[-1])
                    if budget < 0:
                        return None
            blocks.append(packer.flush())
            budget -= len(blocks[-1])
            packed[stream] = b"".join(blocks)
        return packed if budget >= 0 else None

    @property
    def name(self) -> str:
        """Return the name of this machine."""
        return os.uname().nodename

    def _root(self, token: str) -> Path:
        if not token.isalnum():
            raise ValueError(f"not a token: {token!r}")
        return self.folder / "executions" / token

    def _executor(self, token: str) -> LocalExecutor:
        root = self._root(token)
        root.parent.mkdir(parents=True, exist_ok=True)
        return LocalExecutor(root, leash=self._leash)


def _executions(local: LocalExecutor, key: str) -> set[ExecutionId]:
    """Return the executions of an order, each once: a second request to stop kills. Of checks, each one is one."""
    return {ExecutionId(key), *local.adopt(".")}


def _identity(folder: Path) -> str:
    """Return the id of the worker of a folder, which stays the same when it starts again."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / _IDENTITY
    if not atomic.read_or_empty(path):
        atomic.replace(path, f"{os.uname().nodename}-{os.urandom(4).hex()}".encode())
    return path.read_text("ascii")
