"""The engine as the orchestrator sees it: one workflow for each execution, and the workers that answer."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
from temporalio.client import (
    Client,
    RPCError,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode
from temporalio.worker import PollerBehaviorSimpleMaximum, UnsandboxedWorkflowRunner, Worker

from gitorch.errors import SetupNeeded
from gitorch.executors.temporal import registry
from gitorch.executors.temporal.connection import ANSWER, Connection
from gitorch.executors.temporal.messages import (
    QUEUE,
    STEP_TIMEOUT,
    Files,
    Live,
    Machine,
    Order,
    Piece,
    Reading,
    Result,
    StopRequest,
    host_and_queue,
)
from gitorch.executors.temporal.workflows import RUN, ExecutionWorkflow, ForgetWorkflow, WorkerWorkflow
from gitorch.model.outcome import Exit

_FETCH_SECONDS = 60.0
_FIRST_SECONDS = 5.0
_PAUSE_SECONDS = 1.0
_FORGET_TIMEOUT = timedelta(days=1)


class OutputLost(Exception):
    """The output of an execution is on a worker that does not answer."""


class Known(msgspec.Struct, frozen=True):
    """What the engine knows about an execution: when it was submitted (unix seconds), and its worker, if it has one."""

    is_open: bool
    submitted: float
    host: str = ""
    queue: str = ""


class Engine:
    """Calls to the cluster, for code that is not asynchronous. All wait for a server that is away for a while."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._attends = False

    def start(self, workflow: str, order: Order) -> None:
        """Start the workflow of an execution, unless it was started before."""
        with contextlib.suppress(WorkflowAlreadyStartedError):  # by a process that was killed
            self._connection.call(
                lambda client: client.start_workflow(
                    ExecutionWorkflow.run,
                    order,
                    id=workflow,
                    task_queue=QUEUE,
                    task_timeout=STEP_TIMEOUT,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                )
            )

    def attend(self) -> None:
        """Take steps of workflows in this process too, so that the loss of the last worker is seen. Runs no program."""
        if not self._attends:
            self._attends = True
            self._connection.keep_running(_attend)

    def describe(self, workflow: str) -> Known | None:
        """Return what the engine knows about an execution; None if it does not know it."""

        async def ask(client: Client) -> Known:
            description = await client.get_workflow_handle(workflow).describe()
            is_open = description.status is WorkflowExecutionStatus.RUNNING
            return Known(is_open, description.start_time.timestamp(), *_worker_of(description))

        try:
            return self._connection.call(ask)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None

    def stop(self, workflow: str, request: StopRequest) -> None:
        """Ask an execution to end; nothing happens if there is none, or if it has ended."""
        try:
            self._connection.call(
                lambda client: client.get_workflow_handle(workflow).signal(ExecutionWorkflow.stop, request)
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    def give(self, workflow: str, files: Files) -> None:
        """Give a running program files; nothing happens if it has ended, or while the server is away."""
        with contextlib.suppress(RPCError, SetupNeeded):
            self._connection.call(
                lambda client: client.get_workflow_handle(workflow).signal(ExecutionWorkflow.give, files), patience=0
            )

    def result(self, workflow: str) -> Result | None:
        """Wait for the end of an execution, for as long as that takes; None if the engine does not know it."""

        async def wait(client: Client) -> Result:
            handle: WorkflowHandle[Any, Result] = client.get_workflow_handle(workflow, result_type=Result)
            return await handle.result()

        try:
            return self._connection.call(wait, patience=float("inf"))
        except WorkflowFailureError as error:
            return Result(exit=Exit(cause="lost", message=f"the engine has ended it: {str(error.cause)[:200]}"))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None

    def answers(self, queue: str) -> bool:
        """Return whether a worker is there now."""
        try:
            self._connection.call(lambda client: _ask_machine(client, queue), patience=0)
        except (RPCError, WorkflowQueryFailedError, SetupNeeded, TimeoutError):
            return False
        return True

    def live(self, queue: str, key: str, token: str) -> Live:
        """Ask a worker for the state of an execution; nothing is known when it does not answer."""

        async def ask(client: Client) -> Live:
            handle = client.get_workflow_handle(queue)
            return await handle.query(WorkerWorkflow.live, args=[key, token], rpc_timeout=ANSWER)

        try:
            return self._connection.call(ask, patience=0)
        except (RPCError, WorkflowQueryFailedError, SetupNeeded):
            return Live()

    def tail(self, queue: str, reading: Reading) -> bytes:
        """Ask a worker for the end of an output; empty when it does not answer."""
        piece = self._ask_read(queue, reading) if reading.tail else None
        return piece.content if piece else b""

    def output(self, queue: str, reading: Reading, *, must: bool = False) -> Iterator[Piece]:
        """Yield what a worker has of an output; the last part may be empty.

        When the worker does not answer, that is the end, or it raises `OutputLost` if it `must` answer.
        """
        while piece := self._ask_read(queue, reading, must=must):
            yield piece
            if piece.is_last or not piece.content:
                return
            is_whole = piece.content.endswith(b"\n")
            reading = msgspec.structs.replace(reading, position=piece.position, at_line_start=is_whole)

    def _ask_read(self, queue: str, reading: Reading, *, must: bool = False) -> Piece | None:
        async def ask(client: Client) -> Piece:
            return await client.get_workflow_handle(queue).query(WorkerWorkflow.read, reading, rpc_timeout=ANSWER)

        end = time.monotonic() + (_FETCH_SECONDS if must else 0)
        while True:
            try:
                return self._connection.call(ask, patience=0)
            except (RPCError, WorkflowQueryFailedError, SetupNeeded) as error:
                if not must:
                    return None
                if time.monotonic() >= end:
                    raise OutputLost(f"its worker does not answer, and has its output: {str(error)[:200]}") from error
            threading.Event().wait(_PAUSE_SECONDS)

    def forget(self, workflow: str, queue: str, key: str, token: str) -> None:
        """Let a worker remove what is now at home, without waiting for that; if it never hears of it, it keeps it.

        A worker that answers does so at once, without a trace in the engine; another one hears of it later.
        """

        async def ask(client: Client) -> None:
            with contextlib.suppress(RPCError, WorkflowQueryFailedError):
                if await client.get_workflow_handle(queue).query(WorkerWorkflow.forget, token, rpc_timeout=ANSWER):
                    return
            await client.start_workflow(
                ForgetWorkflow.run,
                args=[key, token],
                id=f"{workflow}/forget",
                task_queue=queue,
                execution_timeout=_FORGET_TIMEOUT,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )

        self._connection.begin(ask)

    def round_trip(self, patience: float = _FIRST_SECONDS) -> float:
        """Return how many seconds the server takes for a short answer."""
        self._connection.call(registry.listed, patience=patience)
        started = time.monotonic()
        self._connection.call(registry.listed, patience=patience)
        return time.monotonic() - started

    def machines(self, patience: float = _FIRST_SECONDS) -> list[Machine]:
        """Ask every worker that is listed; those that do not answer are gone.

        A server that is away is waited for only `patience` seconds.
        """
        machines = self._connection.call(_machines, patience=patience)
        return sorted(machines, key=lambda machine: (machine.host, machine.id))


async def _attend(client: Client) -> None:
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[ExecutionWorkflow, registry.RegistryWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=0,  # as workers do
        workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(1),
    )
    await worker.run()


def _worker_of(description: WorkflowExecutionDescription) -> tuple[str, str]:
    """Return the machine and the queue of the worker that has the program; two empty texts if none has it."""
    pending = description.raw_description.pending_activities
    names = [activity.last_worker_identity for activity in pending if activity.activity_type.name == RUN]
    return host_and_queue(names[0]) if names else ("", "")


async def _machines(client: Client) -> list[Machine]:
    queues = await registry.listed(client)
    answers = await asyncio.gather(*(_ask_machine(client, queue) for queue in queues), return_exceptions=True)
    machines = [answer for answer in answers if isinstance(answer, Machine)]
    silent = [queue for queue, answer in zip(queues, answers, strict=True) if not isinstance(answer, Machine)]
    # the next question does not wait for them; but if the server does not answer either, that says nothing about them
    if gone := set(silent).intersection(await registry.listed(client) if silent else ()):
        await registry.remove(client, sorted(gone))
    return machines


async def _ask_machine(client: Client, queue: str) -> Machine:
    query = client.get_workflow_handle(queue).query(WorkerWorkflow.describe, rpc_timeout=ANSWER)
    return await asyncio.wait_for(query, ANSWER.total_seconds())  # the SDK may ask a second time
