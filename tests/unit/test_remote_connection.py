"""Calls to a server that goes away in the middle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from temporalio.client import Client, RPCError
from temporalio.service import RPCStatusCode

from gitorch.errors import SetupNeeded
from gitorch.executors.temporal.connection import Connection, Target

NOBODY = Target(address="127.0.0.1:1")
AWAY = (
    *(RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED),
    *(RPCStatusCode.CANCELLED, RPCStatusCode.ABORTED, RPCStatusCode.INTERNAL, RPCStatusCode.UNKNOWN),
)


class Server:
    """Fails with each of these statuses, and answers then."""

    def __init__(self, *statuses: RPCStatusCode) -> None:
        self._statuses: Iterator[RPCStatusCode] = iter(statuses)

    async def ask(self, client: Client) -> str:
        for status in self._statuses:
            raise RPCError(f"no answer: {status.name}", status, b"")
        return "answer"


@pytest.mark.parametrize("status", AWAY)
def test_a_server_that_is_killed_while_it_answers_is_waited_for(status: RPCStatusCode) -> None:
    """However the broken connection looks: agents go on, and so does a run once the server is back."""
    connection = Connection(NOBODY)
    assert connection.call(Server(status).ask) == "answer"
    with pytest.raises(SetupNeeded, match="does not answer") as caught:
        connection.call(Server(status).ask, patience=0)
    assert status.name in caught.value.why


@pytest.mark.parametrize("status", [RPCStatusCode.NOT_FOUND, RPCStatusCode.PERMISSION_DENIED])
def test_a_refusal_is_not_waited_for(status: RPCStatusCode) -> None:
    """It would be the same the next time."""
    with pytest.raises(RPCError):
        Connection(NOBODY).call(Server(status).ask)
