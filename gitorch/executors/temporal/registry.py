"""The list of the workers of a cluster, in a workflow of its own: the engine's search shows a new one only later."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio import workflow
from temporalio.client import Client, RPCError
from temporalio.service import RPCStatusCode

from gitorch.executors.temporal.messages import QUEUE, STEP_TIMEOUT

REGISTRY = "gitorch-registry"

_ID = f"{QUEUE}/registry"
_LISTED = "workers"


@workflow.defn(name=REGISTRY, sandboxed=False)
class RegistryWorkflow:
    """All workers by their own task queues: each adds itself, and whoever gets no answer from one removes it.

    The list is in the memo, which the engine shows at once, whether or not any worker is there.
    """

    @workflow.init
    def __init__(self, workers: Sequence[str]) -> None:
        self._workers = set(workers)
        self._is_shown = False

    @workflow.run
    async def run(self, workers: Sequence[str]) -> None:  # noqa: ARG002 # `__init__` has taken them
        """Show the list after each change; begin again with it when the history has become long."""
        while not workflow.info().is_continue_as_new_suggested():
            workflow.upsert_memo(self._memo())
            self._is_shown = True
            await workflow.wait_condition(lambda: not self._is_shown)
        workflow.continue_as_new(sorted(self._workers), memo=self._memo())

    @workflow.signal(name="add")
    def add(self, queue: str) -> None:
        """Add a worker."""
        self._workers.add(queue)
        self._is_shown = False

    @workflow.signal(name="remove")
    def remove(self, queues: Sequence[str]) -> None:
        """Remove workers: they have left, or do not answer. One that is still there adds itself again."""
        self._workers.difference_update(queues)
        self._is_shown = False

    def _memo(self) -> dict[str, list[str]]:
        return {_LISTED: sorted(self._workers)}


async def listed(client: Client) -> list[str]:
    """Return the task queues of the workers that are listed, whether or not they answer."""
    try:
        description = await client.get_workflow_handle(_ID).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return []
    queues: list[str] = await description.memo_value(_LISTED, [], type_hint=list[str])
    return queues


async def add(client: Client, queue: str) -> None:
    """Ask for a worker to be listed, and make the list if there is none."""
    await client.start_workflow(
        RegistryWorkflow.run,
        [],
        id=_ID,
        task_queue=QUEUE,
        task_timeout=STEP_TIMEOUT,
        start_signal="add",
        start_signal_args=[queue],
    )


async def remove(client: Client, queues: Sequence[str]) -> None:
    """Ask for workers not to be listed any more."""
    await client.get_workflow_handle(_ID).signal(RegistryWorkflow.remove, queues)
