"""Between the moment a worker is given a program and the answer to its question whether it may start it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from gitorch.executors.temporal.connection import Target, connect, runtime
from gitorch.executors.temporal.messages import Claim, Order, Result, StopRequest, order_of
from gitorch.executors.temporal.workflows import ExecutionWorkflow
from tests.support.executions import shell
from tests.support.temporal import Server

HEARTBEAT = 2.0
QUEUE = "claims"


@workflow.defn(name="slow-answer", sandboxed=False)
class SlowAnswer(ExecutionWorkflow):
    """Answers a claim when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self._may_answer = False

    @workflow.run
    async def run(self, order: Order) -> Result:
        return await super().run(order)

    @workflow.update(name="claim", unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def claim(self, claim: Claim) -> bool:  # type: ignore[override] # it waits
        await workflow.wait_condition(lambda: self._may_answer)
        return self.grant(claim)

    @workflow.signal
    def answer(self) -> None:
        self._may_answer = True


@workflow.defn(name="stale-first", sandboxed=False)
class StaleFirst(ExecutionWorkflow):
    """Takes the first attempt for a stale one."""

    @workflow.run
    async def run(self, order: Order) -> Result:
        return await super().run(order)

    def grant(self, claim: Claim) -> bool:
        return claim.attempt > 1 and super().grant(claim)


@workflow.defn(name="slow-step", sandboxed=False)
class SlowStep:
    """Takes too long for its first step, as on a machine that is much too busy."""

    has_been_said = threading.Event()

    @workflow.run
    async def run(self) -> str:
        self.has_been_said.wait(300)
        return "done"


class Said(logging.Handler):
    """Keeps what is logged as it would be printed."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record)
        SlowStep.has_been_said.set()


@contextlib.asynccontextmanager
async def started(
    server: Server, kind: type[ExecutionWorkflow], tmp_path: Path
) -> AsyncIterator[WorkflowHandle[Any, Result]]:
    """Attend to an execution with a workflow of this test; its program counts its starts."""
    client = await connect(Target(address=server.address), runtime())
    queue = f"{QUEUE}.{tmp_path.name}"
    spec = shell("a/1", f"echo started >> {tmp_path}/count; exit 3")
    order = order_of(spec, "0123abcd", label=tmp_path.name, heartbeat=HEARTBEAT)
    async with Worker(client, task_queue=queue, workflows=[kind], workflow_runner=UnsandboxedWorkflowRunner()):
        yield await client.start_workflow(kind.run, order, id=queue, task_queue=queue)


async def is_known_to_live(handle: WorkflowHandle[Any, Any]) -> bool:
    """Wait for heartbeats of the first attempt, until the start counts no more; False if another attempt began."""
    seen = set[int]()
    while len(seen) < 3:
        for pending in (await handle.describe()).raw_description.pending_activities:
            if pending.activity_id != "1":
                return False
            seen.add(pending.last_heartbeat_time.ToNanoseconds())
        await asyncio.sleep(0.05)
    return True


@pytest.mark.usefixtures("worker")
def test_a_slow_answer_does_not_cost_an_attempt(server: Server, tmp_path: Path) -> None:
    """A worker that waits for its answer for longer than the heartbeat is not lost: it says that it lives."""

    async def wait() -> Result:
        async with started(server, SlowAnswer, tmp_path) as handle:
            assert await is_known_to_live(handle), "the first attempt was given up"
            await handle.signal(SlowAnswer.answer)
            return await handle.result()

    result = asyncio.run(wait())
    assert (result.exit.cause, result.exit.exit_code) == ("exited", 3)
    assert (tmp_path / "count").read_text() == "started\n"


@pytest.mark.usefixtures("worker")
def test_a_stale_attempt_is_repeated_and_the_program_runs_once(server: Server, tmp_path: Path) -> None:
    """The worker that is refused says so without a traceback, and the next attempt gets the program."""

    async def wait() -> Result:
        async with started(server, StaleFirst, tmp_path) as handle:
            return await handle.result()

    result = asyncio.run(wait())
    assert (result.exit.cause, result.exit.exit_code) == ("exited", 3)
    assert (tmp_path / "count").read_text() == "started\n"


@pytest.mark.usefixtures("worker")
def test_a_stop_before_the_answer(server: Server, tmp_path: Path) -> None:
    """The program never starts, and the worker's question ends without a traceback."""

    async def wait() -> Result:
        async with started(server, SlowAnswer, tmp_path) as handle:
            assert await is_known_to_live(handle)
            await handle.signal(ExecutionWorkflow.stop, StopRequest("enough"))
            return await handle.result()

    result = asyncio.run(wait())
    assert (result.exit.cause, result.exit.message) == ("stopped", "enough")
    assert not (tmp_path / "count").exists()


@pytest.mark.usefixtures("worker")
def test_the_server_is_killed_before_the_answer(server: Server, tmp_path: Path) -> None:
    """The worker asks again, and gets the answer to its first question."""

    async def wait() -> Result:
        async with started(server, SlowAnswer, tmp_path) as handle:
            assert await is_known_to_live(handle)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await handle.signal(SlowAnswer.answer)
            return await handle.result()

    result = asyncio.run(wait())
    assert (result.exit.cause, result.exit.exit_code) == ("exited", 3)
    assert (tmp_path / "count").read_text() == "started\n"


def test_a_slow_step_is_repeated_without_a_traceback(server: Server) -> None:
    """The SDK takes it for an endless loop."""

    async def wait() -> str:
        client = await connect(Target(address=server.address), runtime())
        async with Worker(client, task_queue="slow", workflows=[SlowStep], workflow_runner=UnsandboxedWorkflowRunner()):
            return await client.execute_workflow(SlowStep.run, id="slow", task_queue="slow")

    said = Said()
    logging.getLogger("temporalio").addHandler(said)
    try:
        assert asyncio.run(wait()) == "done"
    finally:
        logging.getLogger("temporalio").removeHandler(said)
    assert said.text.startswith("this machine is too busy")
    assert "Traceback" not in said.text
