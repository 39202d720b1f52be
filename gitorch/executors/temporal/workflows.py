"""The workflows: one for each execution, which outlives workers, servers and orchestrators; one for each worker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError, is_cancelled_exception

from gitorch.executors.temporal.messages import (
    Claim,
    Delivery,
    Files,
    FilesOrder,
    Live,
    Machine,
    Order,
    Piece,
    Reading,
    Result,
    StopOrder,
    StopRequest,
    queue_of,
)
from gitorch.executors.temporal.registry import RegistryWorkflow
from gitorch.model.outcome import Exit

EXECUTION = "gitorch-execution"
WORKER = "gitorch-worker"
FORGET = "gitorch-forget"
RUN = "gitorch-run"
STOP = "gitorch-stop"
REMOVE = "gitorch-remove"
GIVE = "gitorch-give"

BUSY = "busy"
"""The type of the error of a worker that has no free slot."""

_ONCE = RetryPolicy(maximum_attempts=1)
_LONGEST = timedelta(days=30)
_SHORT = timedelta(seconds=60)
_GIVE_SECONDS = timedelta(minutes=2)
"""How long a worker is asked to give a program files: it may not have begun yet."""

_GIVE_AGAIN = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10))
_BUSY_SECONDS = tuple(min(60.0, 1.2**number) for number in range(100))
"""How long a program waits after a worker had no free slot; as often as it is given to one, until it has begun."""


@workflow.defn(name=EXECUTION, sandboxed=False)
class ExecutionWorkflow:
    """One program: given to a worker, started at most once, and stopped on request."""

    def __init__(self) -> None:
        self._attempt = 0
        self._claimed: Claim | None = None
        self._requests: list[StopRequest] = []
        self._activity: asyncio.Task[Result] | None = None
        self._saved: Delivery | None = None
        self._files: Mapping[str, bytes] = {}

    @workflow.run
    async def run(self, order: Order) -> Result:
        """Return how the program ended; a worker that was lost after it began is an end, not a reason to repeat it."""
        passing = [asyncio.create_task(pass_on(order)) for pass_on in (self._pass_requests_on, self._pass_files_on)]
        try:
            for busy_seconds in _BUSY_SECONDS:
                if self._requests:
                    return _stopped(self._requests[-1])
                self._attempt += 1
                self._activity = self._start(order)
                try:
                    return await self._activity
                except (ActivityError, asyncio.CancelledError) as error:
                    if result := self._end_after(error):
                        return result
                    if _is_busy(error):
                        await asyncio.sleep(busy_seconds)
            return Result(exit=Exit(cause="lost", message="no worker could begin it"))
        finally:
            for task in passing:
                task.cancel()

    def _start(self, order: Order) -> asyncio.Task[Result]:
        return workflow.start_activity(
            RUN,
            args=[order, self._attempt],
            result_type=Result,
            task_queue=queue_of(order.version, order.label, order.program),
            heartbeat_timeout=timedelta(seconds=order.heartbeat),
            start_to_close_timeout=_LONGEST,
            retry_policy=_ONCE,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )

    def _end_after(self, error: BaseException) -> Result | None:
        """Return the end of a program whose worker did not say how it ended; None if it has never begun."""
        if isinstance(error, asyncio.CancelledError) and not self._requests:
            raise error
        if claim := self._claimed:
            message = f"its worker {claim.host} was lost{_cause(error)}, and could not say how this ended"
            lost = Exit(cause="lost", message=message)
            return Result(exit=lost, host=claim.host, queue=claim.queue, delivery=self._saved)
        return _stopped(self._requests[-1]) if self._requests else None

    async def _pass_requests_on(self, order: Order) -> None:
        """Send requests to stop to the worker, one after the other."""
        passed = 0
        while True:
            await workflow.wait_condition(lambda: len(self._requests) > passed)  # noqa: B023 # looked at now
            request = self._requests[passed]
            passed += 1
            if self._claimed is None:
                if self._activity is not None:
                    self._activity.cancel()
                continue
            with contextlib.suppress(ActivityError):  # the worker is gone: then so is the program, or soon
                await workflow.execute_activity(
                    STOP,
                    StopOrder(order.key, order.token, request),
                    task_queue=self._claimed.queue,
                    schedule_to_close_timeout=_SHORT,
                )

    async def _pass_files_on(self, order: Order) -> None:
        """Send files to the worker, once it has the program: always the newest ones."""
        while True:
            await workflow.wait_condition(lambda: bool(self._files) and self._claimed is not None)
            assert self._claimed is not None
            files, self._files = self._files, {}
            with contextlib.suppress(ActivityError):  # the program has ended, or the worker is gone
                await workflow.execute_activity(
                    GIVE,
                    FilesOrder(order.token, files),
                    task_queue=self._claimed.queue,
                    schedule_to_close_timeout=_GIVE_SECONDS,
                    start_to_close_timeout=_SHORT,
                    retry_policy=_GIVE_AGAIN,
                )

    @workflow.update(name="claim")
    def claim(self, claim: Claim) -> bool:
        """Answer a worker that asks whether it may start the program."""
        return self.grant(claim)

    def grant(self, claim: Claim) -> bool:
        """Let a worker start the program, unless another one has it, or nobody wants it any more."""
        if self._claimed is not None or self._requests or claim.attempt != self._attempt:
            return False
        self._claimed = claim
        return True

    @workflow.signal(name="save")
    def save(self, delivery: Delivery) -> None:
        """Remember what of the program's work is at home already: it counts if its worker is lost."""
        self._saved = delivery
        workflow.upsert_memo({"saved": delivery.ref})

    @workflow.signal(name="give")
    def give(self, files: Files) -> None:
        """Give the program files."""
        self._files = {**self._files, **files.files}

    @workflow.signal(name="stop")
    def stop(self, request: StopRequest) -> None:
        """Ask the program to end, or kill it."""
        self._requests.append(request)


def _stopped(request: StopRequest) -> Result:
    return Result(exit=Exit(cause="stopped", message=request.reason))


def _is_busy(error: BaseException) -> bool:
    cause = error.cause if isinstance(error, ActivityError) else None
    return isinstance(cause, ApplicationError) and cause.type == BUSY


def _cause(error: BaseException) -> str:
    cause = error.cause if isinstance(error, ActivityError) else None
    if cause is None or isinstance(cause, TimeoutError) or is_cancelled_exception(error):
        return ""
    return f" ({str(cause)[:200]})"


@workflow.defn(name=FORGET, sandboxed=False)
class ForgetWorkflow:
    """Lets a worker remove what it keeps of an execution, once that is at home."""

    @workflow.run
    async def run(self, key: str, token: str) -> None:
        """Wait until the worker has done so."""
        await workflow.execute_activity(REMOVE, args=[key, token], start_to_close_timeout=_SHORT)


class Answers(Protocol):
    """What a worker answers at once."""

    def forget(self, token: str) -> bool:
        """Remove what there is of an execution; return False if it runs, or cannot be removed."""

    def describe(self) -> Machine:
        """Return the worker as it is now."""

    def live(self, key: str, token: str) -> Live:
        """Return the state of an execution."""

    def read(self, reading: Reading) -> Piece:
        """Return a part of its output."""


SERVED: dict[str, Answers] = {}
"""The workers in this process, by their own task queues."""


@workflow.defn(name=WORKER, sandboxed=False)
class WorkerWorkflow:
    """One worker: open while it takes work. Queries leave nothing in the engine's history."""

    def __init__(self) -> None:
        self._is_leaving = False

    @workflow.run
    async def run(self) -> None:
        """Wait until the worker leaves."""
        await workflow.wait_condition(lambda: self._is_leaving)

    @workflow.signal(name="leave")
    def leave(self) -> None:
        """End: the worker takes no more work."""
        self._is_leaving = True

    @workflow.query(name="describe")
    def describe(self) -> Machine:
        """Return the worker as it is now."""
        return _served().describe()

    @workflow.query(name="forget")
    def forget(self, token: str) -> bool:
        """Remove what there is of an execution, which the engine itself does not see; return whether that was done."""
        return _served().forget(token)

    @workflow.query(name="live")
    def live(self, key: str, token: str) -> Live:
        """Return the state of an execution."""
        return _served().live(key, token)

    @workflow.query(name="read")
    def read(self, reading: Reading) -> Piece:
        """Return a part of an execution's output."""
        return _served().read(reading)


def _served() -> Answers:
    return SERVED[workflow.info().task_queue]


WORKFLOWS = (ExecutionWorkflow, ForgetWorkflow, WorkerWorkflow, RegistryWorkflow)
