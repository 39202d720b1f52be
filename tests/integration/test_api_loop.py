"""The loop of the `api` agent in this process, where the SDK is loaded once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
import pytest

from gitorch.agents.api.adapter import Api
from gitorch.agents.api.calls import End, RequestLimits
from gitorch.agents.api.files import Files
from gitorch.agents.api.loop import Loop
from gitorch.agents.api.session import begin, resume
from gitorch.agents.api.shell import Shell as BashShell, tool_environment
from gitorch.agents.api.tools import EDITOR, Tools
from gitorch.agents.inbox import Inbox
from gitorch.model.outcome import Exit, ExitReason, Outcome
from tests.support.api import KEY, Json, Place, connect
from tests.support.model_server import (
    Brain,
    Call,
    Drop,
    Fault,
    Hang,
    ModelRequest,
    ModelServer,
    Say,
    Shell,
    StreamFault,
    Tokens,
    Turn,
    script,
)


class Ran(NamedTuple):
    """An execution of the loop."""

    end: End
    events: list[Json]
    loop: Loop
    requests: tuple[ModelRequest, ...]
    outcome: Outcome

    @property
    def retries(self) -> list[Json]:
        return [event for event in self.events if event.get("subtype") == "api_retry"]


@pytest.fixture
def run(place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    def execute(
        brain: Brain, *, read_seconds: float = 20.0, prompt: str = "x", session: str = "", **limits: Any
    ) -> Ran:
        tools = Tools(
            BashShell(place.worktree, tool_environment(place.env, hidden=()), seconds=300), Files(place.worktree)
        )
        model = limits.pop("model", "claude-sonnet-5")
        opened = resume(place.sessions, session, model) if session else begin(place.sessions, str(uuid4()), model)
        events: list[Json] = []
        with ModelServer(brain) as server:
            monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
            stream = connect(key=KEY, token="", read_seconds=read_seconds)
            limits = {"retry_seconds": 0.01, "retries": 3, **limits}
            inbox = Inbox({"GITORCH_CONFLICTS": str(place.worktree.parent / "conflicts.md")})
            loop = Loop(RequestLimits(model=model, **limits), stream, tools, opened, events.append, inbox=inbox)
            try:
                end = loop.run(prompt)
            finally:
                tools.close()
        return Ran(end, events, loop, server.requests, outcome_of(end, loop))

    return execute


def outcome_of(end: End, loop: Loop) -> Outcome:
    """Return how the adapter reads the result that the process would write for `end`."""
    result = {
        "type": "result",
        "is_error": bool(end.error),
        "error": end.error or None,
        "result": end.text,
        "resets_at": end.resets_at,
        "usage": msgspec.to_builtins(loop.caller.tokens),
        "total_cost_usd": loop.caller.usd,
        "num_turns": loop.caller.turns,
    }
    return Api().outcome([msgspec.json.encode(result)], "", Exit(cause="exited", exit_code=1))


def one_by_one(*turns: Turn) -> Brain:
    """Return a brain that plays its turns by the number of requests, whatever is in them; the last one repeats."""
    left = list(turns)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def error(kind: str, message: str) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message}}


SPENT = "You have reached your specified API usage limits. You will regain access on 2027-01-01 at 00:00 UTC."


@pytest.mark.parametrize(
    ("fault", "ending", "name"),
    [
        (Fault(401), ExitReason.UNAUTHENTICATED, "authentication_failed"),
        (Fault(403), ExitReason.UNAUTHENTICATED, "authentication_failed"),
        (Fault(402), ExitReason.UNAUTHENTICATED, "billing_error"),
        (
            Fault(400, error("invalid_request_error", "Your credit balance is too low")),
            ExitReason.UNAUTHENTICATED,
            "billing_error",
        ),
        (Fault(400), ExitReason.FAILED, "invalid_request"),
        (
            Fault(400, error("invalid_request_error", "prompt is too long: 9 > 8")),
            ExitReason.TOO_LONG,
            "prompt_too_long",
        ),
        (Fault(400, error("invalid_request_error", SPENT)), ExitReason.LIMITED, "rate_limit"),
        (Fault(404), ExitReason.SETUP, "model_not_found"),
        (Fault(413), ExitReason.FAILED, "invalid_request"),
        (Fault(429, headers={"retry-after": "3600"}), ExitReason.LIMITED, "rate_limit"),
        (Fault(529, headers={"x-should-retry": "false"}), ExitReason.TRANSIENT, "overloaded"),
    ],
)
def test_what_a_second_try_cannot_mend_ends_it_at_once(
    run: Callable[..., Ran], fault: Fault, ending: ExitReason, name: str
) -> None:
    """One request, no waiting, and the reason is told apart: log in, pay, wait, or mend the request."""
    ran = run(script(fault))
    assert (ran.end.error, ran.end.status, ran.outcome.ending) == (name, fault.status, ending)
    assert len(ran.requests) == 1
    assert ran.retries == []


def test_a_limit_tells_when_it_ends(run: Callable[..., Ran]) -> None:
    """A long `retry-after`, and the date in the words of a spend limit, come out as a time to wait for."""
    hour = run(script(Fault(429, headers={"retry-after": "3600"}))).outcome
    assert hour.resets_at == pytest.approx(time.time() + 3600, abs=60)
    month = run(script(Fault(400, error("invalid_request_error", SPENT)))).outcome
    assert month.resets_at == 1798761600.0


HTML = Fault(200, "<html>gateway</html>", {"content-type": "text/html"})
GARBLED = Fault(200, 'event: message_start\ndata: {"type": "mess\n\n', {"content-type": "text/event-stream"})
STARTED = '{"type":"message_start","message":{"id":"m","model":"m","usage":{"input_tokens":7}}}'
CLOSED = Fault(200, f"event: message_start\ndata: {STARTED}\n\n", {"content-type": "text/event-stream"})


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500),
        Fault(503),
        Fault(529),
        Fault(408),
        Fault(429),
        Fault(429, headers={"retry-after": "0.05"}),
        Drop(),
        Drop(midstream=True),
        StreamFault(),
        StreamFault("api_error"),
        Hang(midstream=True),
        Hang(),
        HTML,
        GARBLED,
        CLOSED,
    ],
    ids=repr,
)
def test_what_passes_is_tried_again(run: Callable[..., Ran], fault: Turn) -> None:
    """The same request succeeds at the second try; the retry is an event, and half a reply is never taken for one."""
    ran = run(one_by_one(fault, Say("fine")), read_seconds=3.0 if isinstance(fault, Hang) else 300.0)
    assert (ran.end.subtype, ran.end.text) == ("success", "fine")
    assert [retry["attempt"] for retry in ran.retries] == [1]
    first, second = ran.requests
    assert first.body == second.body
    assert ran.loop.caller.turns == 1


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (Fault(500), ExitReason.TRANSIENT),
        (Fault(529), ExitReason.TRANSIENT),
        (Fault(429), ExitReason.LIMITED),
        (Drop(), ExitReason.TRANSIENT),
        (Drop(midstream=True), ExitReason.TRANSIENT),
        (StreamFault("rate_limit_error"), ExitReason.LIMITED),
        (HTML, ExitReason.TRANSIENT),
        (CLOSED, ExitReason.TRANSIENT),
    ],
    ids=repr,
)
def test_tries_are_bounded(run: Callable[..., Ran], fault: Turn, ending: ExitReason) -> None:
    """After three retries the execution ends, and says what kind of end it is."""
    ran = run(script(fault))
    assert ran.outcome.ending is ending
    assert len(ran.requests) == 4
    assert [retry["attempt"] for retry in ran.retries] == [1, 2, 3]


def test_tokens_of_a_broken_reply_are_counted(run: Callable[..., Ran]) -> None:
    """A request whose stream breaks has been paid for all the same."""
    ran = run(one_by_one(CLOSED, Say("fine", tokens=Tokens(10, 0, 5))))
    assert (ran.loop.caller.tokens.input_tokens, ran.loop.caller.tokens.output_tokens) == (17, 5)


def test_waits_grow_and_are_capped(run: Callable[..., Ran]) -> None:
    """Each wait is about twice the one before."""
    waits = [retry["retry_delay_ms"] for retry in run(script(Fault(500)), retries=5).retries]
    assert all(1.1 < later / earlier < 3.5 for earlier, later in pairwise(waits))


def test_a_refusal_is_neither_success_nor_failure(run: Callable[..., Ran]) -> None:
    """The model's no ends the execution as declined, and is not kept in the conversation."""
    ran = run(script(Say("I will not.", stop="refusal")))
    assert (ran.outcome.ending, ran.outcome.reason) == (ExitReason.DECLINED, "I will not.")
    assert ran.loop.caller.stop_reason == "refusal"


def test_a_reply_that_is_cut_off_is_continued_but_not_for_ever(run: Callable[..., Ran]) -> None:
    """Three continuations, then it is an error."""
    ran = run(one_by_one(Say("one", stop="max_tokens"), Say("two")))
    assert ran.end.subtype == "success"
    assert ran.requests[1].conversation[1] == ("assistant", "one")
    assert "cut off" in ran.requests[1].last_text
    endless = run(script(Say("more", stop="max_tokens")))
    assert (endless.outcome.ending, endless.end.error, len(endless.requests)) == (
        ExitReason.LOST,
        "max_output_tokens",
        4,
    )


@pytest.mark.parametrize(
    ("stop", "ending"),
    [
        ("model_context_window_exceeded", ExitReason.TOO_LONG),
        ("something_new", ExitReason.LOST),
        ("stop_sequence", ExitReason.COMPLETED),
    ],
)
def test_only_a_known_stop_is_success(run: Callable[..., Ran], stop: str, ending: ExitReason) -> None:
    """A stop reason that nobody knows is not taken for the end of the work."""
    assert run(script(Say("x", stop=stop))).outcome.ending is ending


def test_a_pause_goes_on(run: Callable[..., Ran]) -> None:
    """`pause_turn` is answered with the conversation as it stands."""
    ran = run(one_by_one(Say("wait", stop="pause_turn"), Say("done")))
    assert ran.end.subtype == "success"
    assert ran.requests[1].body["messages"][-1]["role"] == "assistant"


def test_turns_and_dollars_are_limited(run: Callable[..., Ran]) -> None:
    """Both limits end the execution as exhausted, after the tools of the last turn have run."""
    turns = run(script(Shell("echo x >> ran")), max_turns=3)
    assert (turns.outcome.ending, turns.end.subtype, len(turns.requests)) == (
        ExitReason.EXHAUSTED,
        "error_max_turns",
        3,
    )
    assert len(turns.events) == 6
    spent = run(script(Shell("true", tokens=Tokens(100_000, 0, 10_000))), budget=0.5)
    assert (spent.outcome.ending, spent.end.subtype, len(spent.requests)) == (
        ExitReason.EXHAUSTED,
        "error_max_budget_usd",
        2,
    )
    assert spent.loop.caller.usd == pytest.approx(0.6)


def test_the_cost_of_an_unknown_model_is_unknown(run: Callable[..., Ran]) -> None:
    """No price is None, not zero dollars."""
    ran = run(script(Say("x")), model="some-other-model")
    assert ran.outcome.usage is not None
    assert ran.outcome.usage.usd is None


def sse(*events: Json) -> Fault:
    body = "".join(f"event: {event['type']}\ndata: {msgspec.json.encode(event).decode()}\n\n" for event in events)
    return Fault(200, body, {"content-type": "text/event-stream"})


def message(stop: str, *blocks: tuple[Json, Sequence[Json]]) -> Fault:
    """Return a reply of blocks, each given by its opening and its deltas."""
    events: list[Json] = [{"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 1}}}]
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 2}})
    return sse(*events, {"type": "message_stop"})


def call(name: str, raw: str, tool: str = "bash") -> tuple[Json, list[Json]]:
    halves = (raw[: len(raw) // 2], raw[len(raw) // 2 :])
    block = {"type": "tool_use", "id": name, "name": tool, "input": {}}
    return block, [{"type": "input_json_delta", "partial_json": half} for half in halves]


def test_parallel_calls_are_answered_in_one_message(run: Callable[..., Ran]) -> None:
    """The API wants the results of all calls of a message together, in their order."""
    calls = message(
        "tool_use", call("a", '{"command": "echo 1"}'), call("b", '{"command": "exit 3"}'), call("c", "{}", "x")
    )
    ran = run(one_by_one(calls, Say("done")))
    assert ran.end.subtype == "success"
    _, _, answers = ran.requests[1].body["messages"]
    assert [(block["tool_use_id"], block["is_error"]) for block in answers["content"]] == [
        ("a", False),
        ("b", False),
        ("c", True),
    ]


@pytest.mark.parametrize(
    "raw", ['{"command": "touch ran', '{"command": "touch \\ud800ran"}', '["touch ran"]', "nonsense"]
)
def test_a_call_with_unusable_arguments_is_not_run(run: Callable[..., Ran], place: Place, raw: str) -> None:
    """Half a JSON object, lone surrogates or no object at all: the model is told, nothing is run, nothing breaks."""
    ran = run(one_by_one(message("tool_use", call("a", raw)), Say("done")))
    assert ran.end.subtype == "success"
    assert "not a JSON object" in ran.requests[1].results[0]
    assert os.listdir(place.worktree) == [".git"]


def test_a_call_that_the_output_limit_cut_is_not_run(run: Callable[..., Ran], place: Place) -> None:
    """Even when its arguments happen to parse; the whole call before it is run, and the model is told."""
    cut = message("max_tokens", call("a", '{"command": "touch whole"}'), call("b", '{"command": "touch cut"}'))
    ran = run(one_by_one(cut, Say("done")))
    assert ran.end.subtype == "success"
    assert sorted(os.listdir(place.worktree)) == [".git", "whole"]
    assert "call in it was lost" in ran.requests[1].conversation[-1][1]
    alone = run(one_by_one(message("max_tokens", call("b", '{"command": "touch c')), Say("done")))
    assert "call in it was lost" in alone.requests[1].last_text
    assert [part["role"] for part in alone.requests[1].body["messages"]] == ["user", "user"]


def test_thoughts_go_back_unchanged_and_only_to_their_model(run: Callable[..., Ran]) -> None:
    """A signed thought is part of the conversation; a cut one is not; another model gets none."""
    signed = ({"type": "thinking", "thinking": "", "signature": ""}, [
        {"type": "thinking_delta", "thinking": "because ✓"}, {"type": "signature_delta", "signature": "c2ln"},
    ])  # fmt: skip
    unsigned = ({"type": "thinking", "thinking": "", "signature": ""}, [{"type": "thinking_delta", "thinking": "cut"}])
    empty: tuple[Json, list[Json]] = ({"type": "text", "text": ""}, [])
    ran = run(one_by_one(message("tool_use", signed, unsigned, empty, call("a", '{"command": "true"}')), Say("done")))
    sent = ran.requests[1].body["messages"][1]["content"]
    assert sent[0] == {"type": "thinking", "thinking": "because ✓", "signature": "c2ln"}
    assert [block["type"] for block in sent] == ["thinking", "tool_use"]
    session = ran.loop.session.id
    other = run(script(Say("done")), session=session, model="claude-opus-5-5")
    assert [block["type"] for block in other.requests[0].body["messages"][1]["content"]] == ["tool_use"]


def test_nothing_that_the_model_says_breaks_the_next_request(run: Callable[..., Ran]) -> None:
    """Lone surrogates in words, an empty reply and binary output are all sent back in a form that can be sent."""
    odd = sse(
        {"type": "message_start", "message": {"id": "m", "model": "m", "usage": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a"}},
        {"type": "something_new", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    )
    assert isinstance(odd.body, str)
    surrogate = Fault(200, odd.body.replace('"a"', '"\\ud800"'), odd.headers)
    ran = run(one_by_one(surrogate))
    assert ran.end.text == "?"
    session = ran.loop.session.id
    again = run(one_by_one(message("end_turn")), session=session, prompt="more")
    assert again.end.subtype == "success"
    last = run(one_by_one(Shell(r"printf '\xff\x00\x1b'"), Say("done")), session=session, prompt="and more")
    assert last.end.subtype == "success"
    assert last.requests[1].results == ("\ufffd\0\x1b",)


@pytest.mark.parametrize("path", ["../escaped", "/tmp/escaped-by-the-api-agent", "link/escaped", ".git"])
def test_the_editor_of_a_real_execution_stays_inside(run: Callable[..., Ran], place: Place, path: str) -> None:
    """The paths that the model names go through the same confinement."""
    (place.worktree / "link").symlink_to("..")
    before = (place.worktree / ".git").read_text()
    ran = run(script(Call(EDITOR, {"command": "create", "path": path, "file_text": "x"}), Say("done")))
    assert ran.requests[1].results[0].startswith("Error: ")
    assert not (place.folder / "escaped").exists()
    assert not Path("/tmp/escaped-by-the-api-agent").exists()
    assert (place.worktree / ".git").read_text() == before


def test_a_message_of_gitorch_joins_the_conversation_once(run: Callable[..., Ran], place: Place) -> None:
    """With the results of the calls after which it came, or after the last answer, which then is not the end."""
    file = place.worktree.parent / "conflicts.md"
    turns = (Shell(f"echo 'their lines' > {file}"), Shell("true"), Say("Done."), Say("Done, with theirs."))

    def brain(request: ModelRequest) -> Turn:
        if len(request.body["messages"]) == 5:  # while the model says that it is done
            file.write_text(file.read_text() + "more lines\n")
        return turns[len(request.body["messages"]) // 2]

    done = run(brain)
    texts = [
        [block["text"] for block in message["content"] if block["type"] == "text" and "lines" in block["text"]]
        for message in done.requests[-1].body["messages"]
        if message["role"] == "user"
    ]
    assert [["their lines" in text for text in message] for message in texts] == [[], [True], [], [False]]
    assert "more lines" in texts[3][0]
    assert done.outcome.summary == "Done, with theirs."
    shown = [event for line in done.events for event in Api().events(msgspec.json.encode(line))]
    assert [event.tool for event in shown if event.kind == "result"] == ["", "message", "", "message"]
