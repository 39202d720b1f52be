"""A worker process: takes orders from the engine, as many at once as it has slots."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import activity
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, RPCError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCStatusCode
from temporalio.worker import PollerBehaviorSimpleMaximum, UnsandboxedWorkflowRunner, Worker

from gitorch.errors import SetupNeeded
from gitorch.executors.temporal import clocks, registry
from gitorch.executors.temporal.connection import ANSWER, Target, connect, runtime, unreachable
from gitorch.executors.temporal.granting import is_granted
from gitorch.executors.temporal.host import Host, StillRuns
from gitorch.executors.temporal.messages import (
    QUEUE,
    Claim,
    FilesOrder,
    Order,
    Result,
    StopOrder,
    identity_of,
    queue_of,
)
from gitorch.executors.temporal.workflows import (
    BUSY,
    GIVE,
    REMOVE,
    RUN,
    SERVED,
    STOP,
    WORKFLOWS,
    ExecutionWorkflow,
    WorkerWorkflow,
)

T = TypeVar("T")

_MORE_THREADS = 8
_MORE_ACTIVITIES = 16
_RESCUE_SHARE = 20
"""After a rescue point, nothing is saved for at least this many times as long as it took."""

_ONE = PollerBehaviorSimpleMaximum(1)
"""How many requests for more work a worker has open, of each kind. A server without settings takes 1,200 at once from
all workers, and each one costs it memory."""

_THROTTLE = timedelta(seconds=1)
_DAY = timedelta(days=1)
_READY_SECONDS = 5.0
_READY_PAUSE_SECONDS = 0.2
_LISTED_SECONDS = 10.0
"""How often a worker looks whether it is still listed: it may not have answered for a while."""

_LISTING_SECONDS = 5.0
_LISTING_PAUSE_SECONDS = 0.05


class Activities:
    """What the engine asks a worker to do."""

    def __init__(self, host: Host, client: Client) -> None:
        self._host = host
        self._client = client
        self._free = host.slots
        self._idle = asyncio.Event()
        self._idle.set()
        self._tidying = set[asyncio.Task[None]]()
        # for each slot its program, and what saves its work meanwhile
        self._threads = ThreadPoolExecutor(2 * host.slots + _MORE_THREADS, "execution")

    @activity.defn(name=RUN)
    async def run(self, order: Order, attempt: int) -> Result:
        """Run a program, once the workflow has granted it."""
        self._host.clock_difference = clocks.difference(activity.info().started_time.timestamp(), time.time())
        with self._slot():
            # before the answer to the claim: while that takes long, this worker must not count as lost
            async with _heartbeats(order.heartbeat / 4), _quiet_loss():
                if not await self._is_granted(attempt):
                    raise _expected("another worker has it, or nobody wants it", "stale", non_retryable=True)
                async with self._rescues(order):
                    return await self._run_or_kill(order)

    async def _run_or_kill(self, order: Order) -> Result:
        try:
            result = await self._in_thread(self._host.run, order)
        except asyncio.CancelledError:
            # lost to the engine: its result counts no more, so it must not go on
            await asyncio.shield(self._in_thread(self._host.kill, order))
            raise
        tidying = asyncio.create_task(self._in_thread(self._host.tidy, order))
        self._tidying.add(tidying)
        tidying.add_done_callback(self._tidying.discard)
        return result

    @activity.defn(name=STOP)
    async def stop(self, order: StopOrder) -> None:
        """End a program, or kill it."""
        await self._in_thread(self._host.stop, order)

    @activity.defn(name=GIVE)
    async def give(self, order: FilesOrder) -> None:
        """Give a running program files; again when it is not there yet."""
        try:
            await self._in_thread(self._host.give, order)
        except OSError as error:
            raise _expected(str(error), "not-there") from error

    @activity.defn(name=REMOVE)
    async def remove(self, key: str, token: str) -> None:  # noqa: ARG002 # the engine's web page shows it
        """Remove what there is of an execution; again while it runs, on a worker that was given up before it knew."""
        try:
            await self._in_thread(self._host.remove, token)
        except StillRuns as error:
            raise _expected(str(error), "runs") from error
        except OSError as error:
            raise _expected(str(error), "not-removed") from error

    async def wait_until_idle(self) -> None:
        """Wait until nothing runs here, and everything is tidied up."""
        await self._idle.wait()
        await asyncio.gather(*self._tidying)

    @contextlib.contextmanager
    def _slot(self) -> Any:
        if not self._free or not self._host.takes_programs:
            raise _expected("no free slot", BUSY, non_retryable=True)
        self._free -= 1
        self._host.busy += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._free += 1
            self._host.busy -= 1
            if not self._host.busy:
                self._idle.set()

    async def _is_granted(self, attempt: int) -> bool:
        workflow = self._workflow()

        async def ask(claim: Claim, *, id: str) -> bool:
            return await workflow.execute_update(ExecutionWorkflow.claim, claim, id=id)

        claim = Claim(attempt, self._host.queue, self._host.name)
        return await is_granted(ask, claim, is_cancelled=activity.is_cancelled)

    def _workflow(self) -> WorkflowHandle[Any, Any]:
        info = activity.info()
        return self._client.get_workflow_handle(info.workflow_id or "", run_id=info.workflow_run_id)

    @contextlib.asynccontextmanager
    async def _rescues(self, order: Order) -> AsyncIterator[None]:
        """Bring home what an agent has done, from time to time: its workflow knows where, if this worker is lost."""
        if order.route is None or not order.route.rescue:
            yield
            return
        rescuer = asyncio.create_task(self._rescue(order, self._workflow(), order.route.rescue))
        try:
            yield
        finally:
            rescuer.cancel()

    async def _rescue(self, order: Order, workflow: WorkflowHandle[Any, Any], every: float) -> None:
        pause, untold = every, None
        while True:
            await asyncio.sleep(pause)
            started = time.monotonic()
            untold = await self._in_thread(self._host.save, order) or untold
            if untold is not None:
                with contextlib.suppress(RPCError):  # the server is away
                    await workflow.signal(ExecutionWorkflow.save, untold, rpc_timeout=ANSWER)
                    untold = None
            pause = max(every, _RESCUE_SHARE * (time.monotonic() - started))

    async def _in_thread(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)


def _expected(message: str, kind: str, *, non_retryable: bool = False) -> ApplicationError:
    """Return an error that is part of normal work: the SDK prints no traceback of it."""
    return ApplicationError(message, type=kind, non_retryable=non_retryable, category=ApplicationErrorCategory.BENIGN)


@contextlib.asynccontextmanager
async def _quiet_loss() -> AsyncIterator[None]:
    """Print no traceback when the engine has given the program up; it ignores how that ends."""
    try:
        yield
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        if details is not None and (details.not_found or details.timed_out):
            raise _expected("the engine has given it up", "lost", non_retryable=True) from None
        raise


@contextlib.asynccontextmanager
async def _heartbeats(seconds: float) -> AsyncIterator[None]:
    """Tell the engine from time to time that this worker lives: an agent may be silent for minutes."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(seconds)  # that it has the program, it has just said
            activity.heartbeat()

    ticker = asyncio.create_task(beat())
    try:
        yield
    finally:
        ticker.cancel()


async def serve(host: Host, target: Target, stop: asyncio.Event, *, ready: Callable[[], None] = lambda: None) -> None:
    """Take work until `stop` is set, and end when what runs here has ended.

    Raises `SetupNeeded` when the server does not answer.
    """
    client = await _ready_client(target)
    activities = Activities(host, client)
    SERVED[host.queue] = host
    async with contextlib.AsyncExitStack() as serving:
        await serving.enter_async_context(_own_worker(client, host, activities))
        # an earlier process may have left, and its workflow, which no worker has served, would end now
        registration = await _register(client, host, WorkflowIDConflictPolicy.TERMINATE_EXISTING)
        async with contextlib.AsyncExitStack() as taking:
            await taking.enter_async_context(_steps_worker(client))
            for label, program in itertools.product(("", *host.labels), ("", *host.programs)):
                queue = queue_of(host.version, label, program)
                await taking.enter_async_context(_worker(client, queue, host, activities))
            is_listed = asyncio.Event()
            listing = asyncio.create_task(_stay_listed(client, host, is_listed))
            await _first_of(is_listed, stop)
            ready()
            await stop.wait()
            host.is_draining = True
            await activities.wait_until_idle()
        listing.cancel()
        with contextlib.suppress(RPCError):
            await registry.remove(client, [host.queue])
            await registration.signal(WorkerWorkflow.leave, rpc_timeout=ANSWER)
        del SERVED[host.queue]


async def _ready_client(target: Target) -> Client:
    """Connect, once the server has its namespace: one that has just started listens before that."""
    end, sdk = time.monotonic() + _READY_SECONDS, runtime()
    while True:
        try:
            client = await connect(target, sdk)
        except SetupNeeded as error:
            problem = error
        else:
            try:
                request = DescribeNamespaceRequest(namespace=target.namespace)
                await client.workflow_service.describe_namespace(request, timeout=ANSWER)
            except RPCError as error:
                # a key may be good for work, and not for this question
                if error.status is RPCStatusCode.PERMISSION_DENIED:
                    return client
                problem = unreachable(target, error)
            else:
                return client
        if time.monotonic() > end:
            raise problem
        await asyncio.sleep(_READY_PAUSE_SECONDS)


def _steps_worker(client: Client) -> Worker:
    """Return what takes steps of workflows, whatever programs they are for: any worker sees that another was lost."""
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=WORKFLOWS,
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=0,  # their histories are short; with a cache, their steps wait for a worker that is gone
        workflow_task_poller_behavior=_ONE,
    )


def _worker(client: Client, queue: str, host: Host, activities: Activities) -> Worker:
    """Return what takes programs from a task queue."""
    return Worker(
        client,
        task_queue=queue,
        activities=[activities.run],
        identity=identity_of(host.name, host.queue),
        max_concurrent_activities=host.slots,
        activity_task_poller_behavior=_ONE,
        max_heartbeat_throttle_interval=_THROTTLE,
        default_heartbeat_throttle_interval=_THROTTLE,
        disable_eager_activity_execution=True,  # what comes with the answer to a step is lost if that answer is lost
        graceful_shutdown_timeout=_DAY,
    )


def _own_worker(client: Client, host: Host, activities: Activities) -> Worker:
    """Return what answers questions to this worker alone; it needs no slot."""
    return Worker(
        client,
        task_queue=host.queue,
        workflows=WORKFLOWS,
        workflow_runner=UnsandboxedWorkflowRunner(),
        activities=[activities.stop, activities.remove, activities.give],
        max_concurrent_activities=_MORE_ACTIVITIES,
        max_concurrent_workflow_tasks=1,  # while the SDK answers a question, it keeps one more, and drops the others
        max_cached_workflows=0,  # their histories are short, and a cache is one more queue in the server
        workflow_task_poller_behavior=_ONE,
        activity_task_poller_behavior=_ONE,
        disable_eager_activity_execution=True,
    )


async def _register(
    client: Client, host: Host, policy: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.USE_EXISTING
) -> WorkflowHandle[Any, Any]:
    """Make the worker known, if it is not."""
    return await client.start_workflow(
        WorkerWorkflow.run,
        id=host.queue,
        task_queue=host.queue,
        execution_timeout=_DAY,
        id_conflict_policy=policy,
    )


async def _stay_listed(client: Client, host: Host, is_listed: asyncio.Event) -> None:
    """List the worker, and again when someone got no answer: it was away, or the engine has ended its workflow."""
    while True:
        with contextlib.suppress(RPCError):  # the server is away
            if host.queue in await registry.listed(client):
                is_listed.set()
            else:
                await _register(client, host)
                await registry.add(client, host.queue)
                await _wait_for_listing(client, host)
                continue
        await asyncio.sleep(_LISTED_SECONDS if is_listed.is_set() else _LISTING_PAUSE_SECONDS)


async def _wait_for_listing(client: Client, host: Host) -> None:
    end = time.monotonic() + _LISTING_SECONDS
    while host.queue not in await registry.listed(client) and time.monotonic() < end:
        await asyncio.sleep(_LISTING_PAUSE_SECONDS)


async def _first_of(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


def end_process(code: int = 0) -> None:
    """End this process without the interpreter's own end, in which the SDK may crash."""
    os._exit(code)
