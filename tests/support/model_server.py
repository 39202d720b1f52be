"""A scripted model server on loopback: the Anthropic Messages and the OpenAI Responses protocol, without a model.

A script is a *brain*: a function from what the client sent to the `Turn` to answer with. Brains look only at the
conversation in the request, so one server can serve any number of agents at the same time::

    with ModelServer(script(Shell("git log"), Say("done"))) as server:
        subprocess.run(["claude", "-p", "hello"], env={"ANTHROPIC_BASE_URL": server.url, ...})

`python -m tests.support.model_server SCRIPT.json` serves a JSON list of turns (`[{"type": "shell", "command": "ls"},
{"type": "say", "text": "done"}]`, or an object that maps words of a prompt to such lists), prints its URL and ends with
its standard input.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import shlex
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias

import msgspec

Json: TypeAlias = dict[str, Any]

SHELLS = {"Bash": "command", "bash": "command", "exec_command": "cmd", "shell_command": "command"}
"""Names under which agents offer a shell, and the argument that takes the command."""

STRUCTURED = "StructuredOutput"
"""The tool by which claude asks for an answer of a given shape."""


class Tokens(msgspec.Struct, frozen=True):
    """The usage that a reply reports; `input` does not count what came from the cache."""

    input: int = 10
    cached: int = 0
    output: int = 5


class Say(msgspec.Struct, frozen=True, tag="say"):
    """Words that end the turn. `stop` is the Messages API's stop_reason (`refusal`, `max_tokens`, ...)."""

    text: str
    tokens: Tokens = Tokens()
    thinking: str = ""
    stop: str = "end_turn"


class Call(msgspec.Struct, frozen=True, tag="call"):
    """One tool call, by the name under which the client offers the tool."""

    tool: str
    arguments: Json
    text: str = ""
    tokens: Tokens = Tokens()


class Shell(msgspec.Struct, frozen=True, tag="shell"):
    """A command in whatever shell tool the client offers."""

    command: str
    text: str = ""
    tokens: Tokens = Tokens()


class Give(msgspec.Struct, frozen=True, tag="give"):
    """A structured answer, in the way in which the client asks for one: a tool of its own, or JSON as words."""

    value: Any
    tokens: Tokens = Tokens()


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """An HTTP reply as it is; without a body, an error object such as the real service sends."""

    status: int = 500
    body: Json | str | None = None
    headers: dict[str, str] = {}


class StreamFault(msgspec.Struct, frozen=True, tag="stream_fault"):
    """An error inside of a stream that began well: `error` (Anthropic), `response.failed` (OpenAI)."""

    code: str = "overloaded_error"
    message: str = "scripted failure"


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """The connection closes: before the headers, or after the first half of `text`."""

    midstream: bool = False
    text: str = "this sentence is cut in"


class Hang(msgspec.Struct, frozen=True, tag="hang"):
    """Silence for `seconds` (or until the server closes), then a closed connection."""

    seconds: float = 3600.0
    midstream: bool = False


Turn: TypeAlias = Say | Call | Shell | Give | Fault | StreamFault | Drop | Hang


class ModelRequest(msgspec.Struct, frozen=True):
    """What a client sent. `headers` has lower-case names; `path` is without the query."""

    api: Literal["anthropic", "openai"]
    path: str
    headers: dict[str, str]
    body: Json

    @property
    def stream(self) -> bool:
        """Tell whether the client wants server-sent events."""
        return bool(self.body.get("stream"))

    @property
    def model(self) -> str:
        """Return the model that the client asked for."""
        return str(self.body.get("model", ""))

    @property
    def tools(self) -> tuple[str, ...]:
        """Return the names of the tools that the client offers."""
        return tuple(str(tool.get("name") or tool.get("type")) for tool in self.body.get("tools") or ())

    @property
    def conversation(self) -> tuple[tuple[str, str], ...]:
        """Return (user | assistant | result | remark | another role, text) for each piece of the conversation."""
        return tuple(_anthropic_pieces(self.body) if self.api == "anthropic" else _openai_pieces(self.body))

    @property
    def prompt(self) -> str:
        """Return what the user said before the model's first word, all text parts joined by newlines."""
        opening: list[str] = []
        for role, text in self.conversation:
            if role in ("assistant", "result"):
                break
            if role == "user":
                opening.append(text)
        return "\n".join(opening)

    @property
    def last_text(self) -> str:
        """Return the newest piece of the conversation that is not the model's: words or a tool's result."""
        return next((text for role, text in reversed(self.conversation) if role in ("user", "result")), "")

    @property
    def results(self) -> tuple[str, ...]:
        """Return the text of every tool result in the conversation, oldest first."""
        return tuple(text for role, text in self.conversation if role == "result")

    @property
    def turn(self) -> int:
        """Return how many tool results the conversation holds."""
        return len(self.results)

    @property
    def step(self) -> int:
        """Return how many tool results there are since the user last asked for something: 0 again after a resume."""
        roles = [role for role, _ in self.conversation]
        asked = max((place for place, role in enumerate(roles) if role == "user"), default=0)
        return roles[asked:].count("result")


Brain: TypeAlias = Callable[[ModelRequest], Turn]


def script(*turns: Turn) -> Brain:
    """Return a brain that plays `turns` by the number of tool results so far; the last one repeats."""

    def brain(request: ModelRequest) -> Turn:
        return turns[min(request.turn, len(turns) - 1)]

    return brain


def by_prompt(brains: Mapping[str, Brain], otherwise: Brain | None = None) -> Brain:
    """Return a brain that hands over to the first one whose key occurs in the prompt; 400 where none does."""

    def brain(request: ModelRequest) -> Turn:
        chosen = next((brain for words, brain in brains.items() if words in request.prompt), otherwise)
        return chosen(request) if chosen else _error(400, "no brain for this prompt")

    return brain


def write_file(path: str, text: str) -> Shell:
    """Return the turn that writes `text`, byte for byte, to `path` in the agent's folder."""
    target = shlex.quote(path)
    return Shell(f'mkdir -p "$(dirname {target})" && printf %s {shlex.quote(text)} > {target}')


def commit_file(path: str, text: str, message: str) -> Shell:
    """Return the turn that writes a file and commits exactly it."""
    target = shlex.quote(path)
    return Shell(f"{write_file(path, text).command} && git add -- {target} && git commit -qm {shlex.quote(message)}")


class ModelServer:
    """A server that asks `brain` for each reply, on a free port of 127.0.0.1, from `with` to its end.

    A failure of the brain itself closes the connection and is raised at the end of the `with` block.
    """

    def __init__(self, brain: Brain) -> None:
        self.brain = brain
        self.errors: list[BaseException] = []
        self._log: list[ModelRequest] = []
        self._changed = threading.Condition()
        self.closing = threading.Event()
        self._http = _Listener(self)
        self._thread = threading.Thread(
            target=functools.partial(self._http.serve_forever, poll_interval=0.05), name="model-server", daemon=True
        )

    @property
    def url(self) -> str:
        """Return the base URL, without a final slash and without `/v1`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def requests(self) -> tuple[ModelRequest, ...]:
        """Return all requests for a model's reply so far, oldest first."""
        with self._changed:
            return tuple(self._log)

    def wait_for(self, count: int, *, seconds: float = 300.0) -> tuple[ModelRequest, ...]:
        """Wait until `count` requests have come and return all; raise TimeoutError after `seconds`."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._log) >= count, timeout=seconds):
                raise TimeoutError(f"{len(self._log)} of {count} requests after {seconds} s")
            return tuple(self._log)

    def reply(self, request: ModelRequest) -> Turn:
        """Log `request` and return the brain's turn in terms of the tools that the client has."""
        with self._changed:
            self._log.append(request)
            self._changed.notify_all()
        turn = self.brain(request)
        match turn:
            case Shell():
                return _shell_call(turn, request)
            case Give():
                return _given(turn, request)
            case _:
                return turn

    def start(self) -> ModelServer:
        """Serve in a thread of its own."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving and free whoever hangs."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> ModelServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None and self.errors:
            raise self.errors[0]


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    # A thread that waits for the next request on a kept-alive connection must not hold up the end of a test.
    block_on_close = False
    request_queue_size = 64

    def __init__(self, model: ModelServer) -> None:
        self.model = model
        super().__init__(("127.0.0.1", 0), _Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exc_info()[1]
        # Agents that are killed leave their connections: no fault of the script.
        if error is not None and not isinstance(error, ConnectionError):
            self.model.errors.append(error)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it each small event of a stream waits for the client's delayed acknowledgement.
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the requests are in the server's log."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        if self.path.partition("?")[0].endswith("/models"):
            self._send(200, msgspec.json.encode({"object": "list", "data": [], "models": [], "has_more": False}))
        else:
            self._send(404, _error_body("anthropic", 404, "no such page"))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0]
        if path.endswith("/count_tokens"):
            self._send(200, msgspec.json.encode({"input_tokens": len(raw) // 4}))
        elif path.endswith("/messages"):
            self._answer("anthropic", path, raw)
        elif path.endswith("/responses"):
            self._answer("openai", path, raw)
        else:
            self._send(404, _error_body("anthropic", 404, "no such page"))

    def _answer(self, api: Literal["anthropic", "openai"], path: str, raw: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = ModelRequest(api, path, headers, msgspec.json.decode(raw, type=Json))
        self._play(request, self.server.model.reply(request))

    def _play(self, request: ModelRequest, turn: Turn) -> None:
        match turn:
            case Fault(status, body, headers):
                raw = _error_body(request.api, status, "scripted failure") if body is None else _raw(body)
                self._send(status, raw, headers)
            case Drop(midstream=False):
                self._hang_up()
            case Hang(seconds, midstream=False):
                self.server.model.closing.wait(seconds)
                self._hang_up()
            case Say() | Call() if not request.stream:
                self._send(200, msgspec.json.encode(_whole(request, turn)))
            case Say() | Call() | StreamFault() | Drop() | Hang():
                self._stream(request, turn)
            case Shell() | Give():
                raise AssertionError("a turn in terms of the client's tools is another one by now")

    def _stream(self, request: ModelRequest, turn: Say | Call | StreamFault | Drop | Hang) -> None:
        self.send_response(200)
        for name, value in {"content-type": "text/event-stream", "transfer-encoding": "chunked"}.items():
            self.send_header(name, value)
        self.end_headers()
        for event in _stream_events(request, turn):
            raw = b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))
            self.wfile.write(b"%x\r\n%b\r\n" % (len(raw), raw))
        if isinstance(turn, Hang):
            self.server.model.closing.wait(turn.seconds)
        if isinstance(turn, Drop | Hang):
            self._hang_up()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _send(self, status: int, raw: bytes, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        defaults = {"content-type": "application/json", "request-id": f"req_{uuid.uuid4().hex}"}
        for name, value in {**defaults, **headers, "content-length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def _hang_up(self) -> None:
        self.close_connection = True
        # A client that was killed meanwhile has left no connection to end.
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _shell_call(turn: Shell, request: ModelRequest) -> Turn:
    name = next((name for name in SHELLS if name in request.tools), None)
    if name is None:
        return _error(400, f"the script wants a shell, the client offers {', '.join(request.tools) or 'no tool'}")
    return Call(name, {SHELLS[name]: turn.command}, turn.text, turn.tokens)


def _given(turn: Give, request: ModelRequest) -> Turn:
    if STRUCTURED in request.tools:
        return Call(STRUCTURED, turn.value, tokens=turn.tokens)
    return Say(msgspec.json.encode(turn.value).decode(), turn.tokens)


def _error(status: int, message: str) -> Fault:
    return Fault(status, {"type": "error", "error": {"type": "invalid_request_error", "message": message}})


def _error_body(api: str, status: int, message: str) -> bytes:
    names = {
        400: "invalid_request_error",
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        529: "overloaded_error",
    }
    error = {"type": names.get(status, "api_error"), "message": message}
    return msgspec.json.encode({"type": "error", "error": error} if api == "anthropic" else {"error": error})


def _raw(body: Json | str) -> bytes:
    return body.encode() if isinstance(body, str) else msgspec.json.encode(body)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)


def _anthropic_pieces(body: Json) -> Iterator[tuple[str, str]]:
    for message in body.get("messages") or ():
        role, content = str(message.get("role")), message.get("content")
        blocks = content if isinstance(content, list) else [{"type": "text", "text": str(content)}]
        results = any(block.get("type") == "tool_result" for block in blocks)
        for block in blocks:
            if block.get("type") == "tool_result":
                yield "result", _text(block.get("content"))
            elif block.get("type") == "text":
                # What a client adds to a tool's result is its own remark, not the user's words.
                yield "remark" if results else role, str(block["text"])
            else:
                yield role, ""


def _openai_pieces(body: Json) -> Iterator[tuple[str, str]]:
    items = body.get("input") or ()
    if isinstance(items, str):
        yield "user", items
        return
    for item in items:
        kind = str(item.get("type") or "message")
        if kind == "message":
            yield str(item.get("role")), _text(item.get("content"))
        elif kind.endswith("_output"):
            yield "result", _text(item.get("output"))
        else:
            yield "assistant", ""


def _whole(request: ModelRequest, turn: Say | Call) -> Json:
    return _message(request, turn) if request.api == "anthropic" else _response(request, _items(request, turn), turn)


def _stream_events(request: ModelRequest, turn: Say | Call | StreamFault | Drop | Hang) -> Iterator[Json]:
    return _anthropic_events(request, turn) if request.api == "anthropic" else _openai_events(request, turn)


# --- Anthropic Messages ---------------------------------------------------------------------------------------------


def _anthropic_usage(tokens: Tokens) -> Json:
    return {
        "input_tokens": tokens.input,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": tokens.output,
    }


def _blocks(turn: Say | Call) -> list[Json]:
    blocks: list[Json] = []
    if isinstance(turn, Say) and turn.thinking:
        blocks.append({"type": "thinking", "thinking": turn.thinking, "signature": "c2NyaXB0ZWQ="})
    if turn.text:
        blocks.append({"type": "text", "text": turn.text})
    if isinstance(turn, Call):
        name = f"toolu_{uuid.uuid4().hex[:24]}"
        blocks.append({"type": "tool_use", "id": name, "name": turn.tool, "input": turn.arguments})
    return blocks


def _message(request: ModelRequest, turn: Say | Call) -> Json:
    return {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": _blocks(turn),
        "stop_reason": "tool_use" if isinstance(turn, Call) else turn.stop,
        "stop_sequence": None,
        "usage": _anthropic_usage(turn.tokens),
    }


def _anthropic_events(request: ModelRequest, turn: Say | Call | StreamFault | Drop | Hang) -> Iterator[Json]:
    full = turn if isinstance(turn, Say | Call) else Say(turn.text if isinstance(turn, Drop) else "")
    message = _message(request, full)
    start = {**message, "content": [], "stop_reason": None, "usage": _anthropic_usage(full.tokens)}
    start["usage"]["output_tokens"] = 1
    yield {"type": "message_start", "message": start}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        yield from _block_events(index, block, closed=full is turn)
    if isinstance(turn, StreamFault):
        yield {"type": "error", "error": {"type": turn.code, "message": turn.message}}
    if full is not turn:
        return
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": message["usage"]}
    yield {"type": "message_stop"}


def _block_events(index: int, block: Json, *, closed: bool) -> Iterator[Json]:
    empty: dict[str, Json] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty[block["type"]]}}
    for delta in _block_deltas(block):
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    if closed:
        yield {"type": "content_block_stop", "index": index}


def _block_deltas(block: Json) -> list[Json]:
    match block["type"]:
        case "tool_use":
            return [{"type": "input_json_delta", "partial_json": msgspec.json.encode(block["input"]).decode()}]
        case "thinking":
            thinking = {"type": "thinking_delta", "thinking": block["thinking"]}
            return [thinking, {"type": "signature_delta", "signature": block["signature"]}]
        case _:
            return [{"type": "text_delta", "text": block["text"]}]


# --- OpenAI Responses -----------------------------------------------------------------------------------------------


def _items(request: ModelRequest, turn: Say | Call) -> list[Json]:
    items: list[Json] = []
    if isinstance(turn, Say) and turn.thinking:
        summary = [{"type": "summary_text", "text": turn.thinking}]
        items.append({"type": "reasoning", "id": f"rs_{uuid.uuid4().hex}", "summary": summary})
    if turn.text:
        content = [{"type": "output_text", "text": turn.text, "annotations": []}]
        items.append({"type": "message", "id": f"msg_{uuid.uuid4().hex}", "role": "assistant", "content": content})
    if isinstance(turn, Call):
        items.append(_call_item(request, turn))
    return items


def _call_item(request: ModelRequest, turn: Call) -> Json:
    item = {"id": f"fc_{uuid.uuid4().hex}", "call_id": f"call_{uuid.uuid4().hex}", "name": turn.tool}
    offered = {tool.get("name"): tool.get("type") for tool in request.body.get("tools") or ()}
    if offered.get(turn.tool) == "custom":
        return {**item, "type": "custom_tool_call", "input": turn.arguments["input"]}
    return {**item, "type": "function_call", "arguments": msgspec.json.encode(turn.arguments).decode()}


def _response(request: ModelRequest, items: list[Json], turn: Say | Call | None) -> Json:
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "model": request.model,
        "status": "in_progress" if turn is None else "completed",
        "output": items,
        "usage": None if turn is None else _openai_usage(turn.tokens),
    }


def _openai_usage(tokens: Tokens) -> Json:
    whole = tokens.input + tokens.cached
    return {
        "input_tokens": whole,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": whole + tokens.output,
    }


def _openai_events(request: ModelRequest, turn: Say | Call | StreamFault | Drop | Hang) -> Iterator[Json]:
    yield {"type": "response.created", "response": _response(request, [], None)}
    if isinstance(turn, StreamFault):
        error = {"code": turn.code, "message": turn.message}
        yield {
            "type": "response.failed",
            "response": {**_response(request, [], None), "status": "failed", "error": error},
        }
    elif isinstance(turn, Drop):
        item = {"type": "message", "id": f"msg_{uuid.uuid4().hex}", "role": "assistant", "content": []}
        place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        yield {"type": "response.output_item.added", "output_index": 0, "item": item}
        yield {"type": "response.output_text.delta", **place, "delta": turn.text}
    elif not isinstance(turn, Hang):
        items = _items(request, turn)
        for index, item in enumerate(items):
            yield from _item_events(index, item)
        yield {"type": "response.completed", "response": _response(request, items, turn)}


def _item_events(index: int, item: Json) -> Iterator[Json]:
    yield {"type": "response.output_item.added", "output_index": index, "item": item}
    if item["type"] == "message":
        text = item["content"][0]["text"]
        place = {"item_id": item["id"], "output_index": index, "content_index": 0}
        yield {"type": "response.output_text.delta", **place, "delta": text}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


# --- as a program ---------------------------------------------------------------------------------------------------


def _read_script(path: Path) -> Brain:
    turns = msgspec.json.decode(path.read_bytes(), type=list[Turn] | dict[str, list[Turn]])
    if isinstance(turns, list):
        return script(*turns)
    return by_prompt({words: script(*some) for words, some in turns.items()})


def main() -> None:
    """Serve a JSON script until standard input ends; the first line of output is the URL."""
    parser = argparse.ArgumentParser(prog="model_server", description=main.__doc__)
    parser.add_argument("script", type=Path)
    with ModelServer(_read_script(parser.parse_args().script)) as server:
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
