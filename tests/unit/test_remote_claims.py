"""A worker asks whether it may start a program, on a link that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from temporalio.client import RPCError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCStatusCode

from gitorch.executors.temporal.granting import is_granted
from gitorch.executors.temporal.messages import Claim

CLAIM = Claim(1, "queue", "host")


class Workflow:
    """Answers with the next of a list of answers, and notes the ids of the questions."""

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers: Iterator[bool | Exception] = iter(answers)
        self.ids: list[str] = []

    async def claim(self, claim: Claim, *, id: str) -> bool:
        assert claim == CLAIM
        self.ids.append(id)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def ask(workflow: Workflow, *, is_cancelled: bool = False) -> bool:
    return asyncio.run(is_granted(workflow.claim, CLAIM, is_cancelled=lambda: is_cancelled, pause=0))


def refused(status: RPCStatusCode) -> RPCError:
    return RPCError("no", status, b"")


def test_the_same_question_again_while_the_server_is_away() -> None:
    """It may have arrived, and then a new one would be refused: the worker has the program already."""
    away = refused(RPCStatusCode.UNAVAILABLE)
    workflow = Workflow(away, WorkflowUpdateRPCTimeoutOrCancelledError(), away, True)
    assert ask(workflow)
    assert len(workflow.ids) == 4
    assert len({*workflow.ids}) == 1
    other = Workflow(False)
    assert not ask(other)
    assert other.ids[0] not in workflow.ids


def test_the_same_question_again_while_the_workflow_is_not_ready() -> None:
    """A step of it has failed, on a machine that is too busy, and is repeated."""
    workflow = Workflow(refused(RPCStatusCode.FAILED_PRECONDITION), True)
    assert ask(workflow)
    assert len({*workflow.ids}) == 1


def test_a_workflow_that_has_ended_grants_nothing() -> None:
    """Nobody wants the program any more."""
    assert not ask(Workflow(refused(RPCStatusCode.NOT_FOUND)))
    assert not ask(Workflow(WorkflowUpdateFailedError(ApplicationError("it has ended"))))


def test_a_question_that_was_given_up() -> None:
    """It ends as cancelled, which is no failure."""
    with pytest.raises(asyncio.CancelledError):
        ask(Workflow(WorkflowUpdateRPCTimeoutOrCancelledError()), is_cancelled=True)


def test_a_refusal_is_an_error() -> None:
    """A worker without the right to ask says so."""
    with pytest.raises(RPCError):
        ask(Workflow(refused(RPCStatusCode.PERMISSION_DENIED)))
