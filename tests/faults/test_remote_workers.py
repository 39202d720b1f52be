"""Which workers a cluster has, and that they answer, while they come and go: real processes, real signals."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from gitorch.executors.temporal import registry
from gitorch.executors.temporal.connection import ANSWER, Connection, Target
from gitorch.executors.temporal.engine import Engine
from gitorch.executors.temporal.messages import Machine, own_queue
from gitorch.executors.temporal.workflows import WorkerWorkflow
from tests.support.api import until
from tests.support.temporal import Server, WorkerProcess, serving, working

_QUESTIONS = 20


@pytest.fixture
def connection(server: Server) -> Connection:
    return Connection(Target(address=server.address))


def queue(worker: WorkerProcess) -> str:
    return own_queue((worker.folder / "worker-id").read_text())


def listed(connection: Connection) -> list[str]:
    return connection.call(registry.listed)


def labels(connection: Connection) -> list[str]:
    return [label for machine in Engine(connection).machines() for label in machine.labels]


def test_a_worker_is_known_when_it_says_that_it_is_ready(
    server: Server, connection: Connection, tmp_path: Path
) -> None:
    """At once, each time: nothing of the engine that is only right later is asked."""
    for name in ("one", "two"):
        with working(server.address, tmp_path / name, 1, name):
            assert name in labels(connection)


def test_a_worker_answers_all_who_ask_at_once(worker: WorkerProcess, connection: Connection) -> None:
    """Each agent on it is asked about by a thread of its own."""

    async def ask(client: Client) -> list[Machine]:
        handle = client.get_workflow_handle(queue(worker))
        questions = [handle.query(WorkerWorkflow.describe, rpc_timeout=ANSWER) for _ in range(_QUESTIONS)]
        return await asyncio.gather(*questions)

    assert {own_queue(machine.id) for machine in connection.call(ask)} == {queue(worker)}


def test_only_the_first_who_asks_waits_for_a_killed_worker(
    server: Server, worker: WorkerProcess, connection: Connection, tmp_path: Path
) -> None:
    """It is not listed any more, while one that lives is."""
    worker.kill()
    assert queue(worker) in listed(connection)
    with working(server.address, tmp_path / "other", 1, "other") as other:
        assert "other" in labels(connection)
        assert until(lambda: queue(worker) not in listed(connection))
        assert queue(other) in listed(connection)


def test_a_worker_that_was_taken_for_dead_lists_itself_again(worker: WorkerProcess, connection: Connection) -> None:
    """It has not answered once, for example because its link was cut."""

    async def remove(client: Client) -> None:
        await registry.remove(client, [queue(worker)])

    connection.call(remove)
    assert until(lambda: queue(worker) not in listed(connection))
    assert until(lambda: queue(worker) in listed(connection))


def test_the_list_outlives_its_own_history(tmp_path: Path) -> None:
    """The engine has told it again and again that its history is too long: no worker was forgotten."""
    limit = "limit.historyCount.suggestContinueAsNew=10"
    with (
        serving(tmp_path / "server", "127.0.0.1", limit) as server,
        working(server.address, tmp_path / "stays", 1, "stays"),
    ):
        connection = Connection(Target(address=server.address))
        for number in range(4):
            with working(server.address, tmp_path / str(number), 1, str(number)) as worker:
                assert sorted(labels(connection)) == sorted(["stays", str(number)])
                worker.process.terminate()
                assert worker.process.wait(300) == 0
            assert until(lambda: labels(connection) == ["stays"])
        assert connection.call(_runs) > 1


async def _runs(client: Client) -> int:
    """Return how often the list has begun, in a search that may show the last ones later."""
    return len([run async for run in client.list_workflows(f"WorkflowType='{registry.REGISTRY}'")])
