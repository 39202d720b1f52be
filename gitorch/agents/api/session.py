"""The conversation of an `api` session on disk, so that a later execution can resume it.

The file is replaced atomically after each step. A tool call without a result was interrupted, and gets an answer that
says so when the session is resumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from gitorch import typed
from gitorch.errors import InvalidInput, NotFound, Refused
from gitorch.storage import atomic

Json: TypeAlias = dict[str, Any]

INTERRUPTED = "Interrupted: the execution was stopped before this call had a result. Look at what it has done so far."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class Saved(msgspec.Struct, kw_only=True):
    """The content of the file."""

    id: str
    model: str
    messages: list[Json] = []
    v: int = 1


class ApiSession:
    """A conversation and its file."""

    def __init__(self, path: Path, saved: Saved) -> None:
        self.path = path
        self.id = saved.id
        self.model = saved.model
        self.messages = saved.messages

    def ask(self, prompt: str) -> None:
        """Add the user's text as a separate message, after answers for the tool calls that have none."""
        for call in self._unanswered():
            self.answer(call["id"], INTERRUPTED, is_error=True)
        self.messages.append({"role": "user", "content": [{"type": "text", "text": prompt}]})

    def reply(self, content: list[Json]) -> None:
        """Add the model's content, unless it is empty."""
        if content:
            self.messages.append({"role": "assistant", "content": content})

    def answer(self, call: str, text: str, *, is_error: bool) -> Json:
        """Add the result of a tool call, and return its block; the results of one reply are one message."""
        block = {"type": "tool_result", "tool_use_id": call, "content": text, "is_error": is_error}
        if self.messages[-1]["role"] == "assistant":
            self.messages.append({"role": "user", "content": []})
        self.messages[-1]["content"].append(block)
        return block

    def remark(self, text: str) -> None:
        """Add a text of the loop to the results of the last reply."""
        self.messages[-1]["content"].append({"type": "text", "text": text})

    def save(self) -> None:
        """Replace the file, for its owner only."""
        saved = Saved(id=self.id, model=self.model, messages=self.messages)
        atomic.replace(self.path, msgspec.json.encode(saved), mode=0o600)

    def _unanswered(self) -> list[Json]:
        calls = [block for message in self.messages[-2:] for block in message["content"] if block["type"] == "tool_use"]
        answered = {block.get("tool_use_id") for block in self.messages[-1]["content"]} if self.messages else set()
        return [call for call in calls if call["id"] not in answered]


def begin(folder: Path, name: str, model: str) -> ApiSession:
    """Return a new session in `folder`. Raises `Refused` when one of that name exists."""
    path = _path(folder, name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        raise Refused("session-exists", f"session {name} exists already", fix=("resume it, or use another id",))
    return ApiSession(path, Saved(id=name, model=model))


def resume(folder: Path, name: str, model: str) -> ApiSession:
    """Return the existing session `name` of `folder`. Raises `NotFound` or `Refused` when there is no usable one.

    Thinking belongs to the model that produced it: with another model, it is left out.
    """
    path = _path(folder, name)
    try:
        saved = typed.from_json(path.read_bytes(), Saved)
    except FileNotFoundError:
        raise NotFound("no-session", f"no conversation with session {name}") from None
    except msgspec.DecodeError as error:
        raise Refused("session-unreadable", f"session {name} cannot be read", why=str(error)) from None
    if saved.model != model:
        saved.messages = list(_without_thinking(saved.messages))
        saved.model = model
    return ApiSession(path, saved)


def _path(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise InvalidInput("session-name", f"{name!r} is not a session id")
    return folder / f"{name}.json"


def _without_thinking(messages: Iterable[Json]) -> Iterable[Json]:
    for message in messages:
        content = [block for block in message["content"] if block["type"] not in ("thinking", "redacted_thinking")]
        if content:
            yield {**message, "content": content}
