"""The scripted model server itself: what tests of everything else lean on."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_server import (
    Call,
    Drop,
    Fault,
    Hang,
    ModelRequest,
    ModelServer,
    Say,
    Shell,
    Tokens,
    by_prompt,
    script,
)

ROOT = Path(__file__).parents[2]
BASH = {"name": "bash", "type": "bash_20250124"}


def post(server: ModelServer, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
    """Send one request on a connection of its own."""
    connection = http.client.HTTPConnection(server.url.partition("//")[2], timeout=300)
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    reply = connection.getresponse()
    raw = reply.read()
    connection.close()
    return reply.status, raw


def messages(*turns: Any, **more: Any) -> dict[str, Any]:
    """Return the body of a Messages request, user and assistant by turns."""
    roles = ("user", "assistant")
    return {
        "model": "m",
        "messages": [{"role": roles[place % 2], "content": turn} for place, turn in enumerate(turns)],
        **more,
    }


def test_a_plain_request_is_answered_in_one_piece() -> None:
    """Without `stream`, both protocols answer with one JSON object, and its usage is the script's."""
    with ModelServer(script(Say("hi", Tokens(3, 2, 1)))) as server:
        status, raw = post(server, "/v1/messages", messages("hello"))
        message = json.loads(raw)
        response = json.loads(post(server, "/v1/responses", {"model": "m", "input": "hello"})[1])
    assert (status, message["content"]) == (200, [{"type": "text", "text": "hi"}])
    assert (message["usage"]["input_tokens"], message["usage"]["cache_read_input_tokens"]) == (3, 2)
    assert response["output"][0]["content"][0]["text"] == "hi"
    assert response["usage"]["input_tokens"] == 5


def test_a_shell_turn_takes_the_clients_own_tool() -> None:
    """The command arrives as the tool that is offered; without one the client is told."""
    with ModelServer(script(Shell("ls"))) as server:
        message = json.loads(post(server, "/v1/messages", messages("x", tools=[BASH]))[1])
        status, raw = post(server, "/v1/messages", messages("x"))
    assert (message["content"][0]["name"], message["content"][0]["input"]) == ("bash", {"command": "ls"})
    assert status == 400
    assert b"offers no tool" in raw


def test_the_conversation_alone_decides() -> None:
    """Two conversations on one server are each where they are, in any order."""
    brain = by_prompt({"red": script(Call("t", {}), Say("red")), "blue": script(Say("blue"))})
    use = [{"type": "tool_use", "id": "1", "name": "t", "input": {}}]
    result = [{"type": "tool_result", "tool_use_id": "1", "content": "r"}, {"type": "text", "text": "a remark"}]
    with ModelServer(brain) as server:
        second = json.loads(post(server, "/v1/messages", messages("red", use, result))[1])
        other = json.loads(post(server, "/v1/messages", messages([{"type": "text", "text": "blue"}]))[1])
        first = json.loads(post(server, "/v1/messages", messages("red"))[1])
        assert post(server, "/v1/messages", messages("green"))[0] == 400
    assert (second["content"][0]["text"], other["content"][0]["text"]) == ("red", "blue")
    assert first["stop_reason"] == "tool_use"
    assert [(request.prompt, request.turn, request.last_text) for request in server.requests[:2]] == [
        ("red", 1, "r"),
        ("blue", 0, "blue"),
    ]


def test_a_step_counts_from_the_users_last_words() -> None:
    """After a resume `turn` goes on and `step` starts again."""
    use = [{"type": "tool_use", "id": "1", "name": "t", "input": {}}]
    result = [{"type": "tool_result", "tool_use_id": "1", "content": "r"}]
    body = messages("one", use, result, "done", "two", use, result)
    request = ModelRequest("anthropic", "/v1/messages", {}, body)
    assert (request.turn, request.step) == (2, 1)


def test_faults_and_dropped_connections_reach_the_client() -> None:
    """A fault is a status with the service's error object; a drop is no reply at all."""
    with ModelServer(script(Fault(429, headers={"retry-after": "7"}))) as server:
        status, raw = post(server, "/v1/messages", messages("x"))
        server.brain = script(Drop())
        with pytest.raises(http.client.RemoteDisconnected):
            post(server, "/v1/messages", messages("x"))
        server.brain = script(Drop(midstream=True))
        with pytest.raises(http.client.IncompleteRead):
            post(server, "/v1/messages", messages("x", stream=True))
    assert (status, json.loads(raw)["error"]["type"]) == (429, "rate_limit_error")


def test_closing_frees_who_hangs() -> None:
    """A test's end does not wait for a client that hangs."""
    server = ModelServer(script(Hang())).start()
    outcomes: list[type[BaseException]] = []

    def ask() -> None:
        with pytest.raises((http.client.HTTPException, OSError)) as caught:
            post(server, "/v1/messages", messages("x"))
        outcomes.append(caught.type)

    client = threading.Thread(target=ask)
    client.start()
    server.wait_for(1)
    server.close()
    client.join(timeout=300)
    assert outcomes == [http.client.RemoteDisconnected]


def test_a_script_that_fails_fails_the_test() -> None:
    """An error of the brain is raised where the server is used."""

    def brain(request: ModelRequest) -> Say:
        raise KeyError(request.prompt)

    server = ModelServer(brain)
    with pytest.raises(KeyError, match="hello"), server, pytest.raises(http.client.RemoteDisconnected):
        post(server, "/v1/messages", messages("hello"))


def test_it_is_a_program_too(tmp_path: Path) -> None:
    """A JSON script is served until standard input ends."""
    path = tmp_path / "script.json"
    path.write_text('[{"type": "say", "text": "from a file"}]')
    argv = [sys.executable, "-m", "tests.support.model_server", str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        connection = http.client.HTTPConnection(process.stdout.readline().strip().partition("//")[2], timeout=300)
        connection.request("POST", "/v1/messages", json.dumps(messages("x")))
        assert b"from a file" in connection.getresponse().read()
        connection.close()
        process.stdin.close()
        assert process.wait(timeout=300) == 0
