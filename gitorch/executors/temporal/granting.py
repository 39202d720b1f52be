"""How a worker asks the workflow of a program whether it may start it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Protocol

from temporalio.client import RPCError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCStatusCode

from gitorch.executors.temporal.connection import is_away
from gitorch.executors.temporal.messages import Claim

_PAUSE_SECONDS = 0.5


class Ask(Protocol):
    """Asks the workflow; a question with the same id gets the same answer, however often it arrives."""

    async def __call__(self, claim: Claim, *, id: str) -> bool:
        """Return the answer. Raises what the SDK raises."""


async def is_granted(
    ask: Ask, claim: Claim, *, is_cancelled: Callable[[], bool], pause: float = _PAUSE_SECONDS
) -> bool:
    """Return whether a worker may start a program; while the server is away, ask again, for as long as that takes.

    Raises `asyncio.CancelledError` when nobody wants an answer any more.
    """
    question = uuid.uuid4().hex
    while True:
        try:
            return await ask(claim, id=question)
        except WorkflowUpdateFailedError:  # the workflow has ended
            return False
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            if is_cancelled():
                raise asyncio.CancelledError from None
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            # a machine that is too busy has not ended a step of the workflow in time: it is repeated
            if not is_away(error) and error.status is not RPCStatusCode.FAILED_PRECONDITION:
                raise
        await asyncio.sleep(pause)
