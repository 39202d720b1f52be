"""One question to a model whose answer is a JSON object: the question, how it is sent, and the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from gitorch import typed
from gitorch.config import AgentSettings
from gitorch.model.outcome import Exit, Outcome

Json: TypeAlias = dict[str, Any]

_CANDIDATES = 200
_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n[ \t]*```", re.DOTALL)


class Message(msgspec.Struct, frozen=True):
    """One message of the conversation that leads to the answer."""

    role: Literal["user", "assistant"]
    text: str


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is asked.

    `instructions` say who it is and what a good answer is. `material` is what it may read; it stays the same during a
    conversation, so that it can be cached. `messages` is the conversation, the last one the user's; `schema` is the
    JSON schema of the answer.
    """

    instructions: str
    material: str
    messages: tuple[Message, ...]
    schema: Json


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A process that asks a question: its arguments, input, and the files that it needs in its working folder.

    The folder is otherwise empty. The user's environment has precedence over `env`.
    """

    argv: tuple[str, ...]
    stdin: bytes
    env: Mapping[str, str] = {}
    files: Mapping[str, bytes] = {}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How the process ended, the answer's object (None: there is none in `text`), and the model's name.

    The object has been parsed, but not validated. `model` is empty if the agent does not name it.
    """

    outcome: Outcome
    value: Json | None = None
    text: str = ""
    model: str = ""


class Questioner(Protocol):
    """One way to ask a question. Stateless: everything it needs comes in as values."""

    def send(self, settings: AgentSettings, question: Question) -> Sent:
        """Return the process that asks `question`."""

    def answer(self, settings: AgentSettings, lines: Iterable[bytes], stderr: str, result: Exit) -> Answer:
        """Read the whole event stream of that process."""


def as_prompt(question: Question) -> str:
    """Return the material and the conversation as one text, for an agent that only takes a prompt."""
    parts = [question.material]
    if len(question.messages) == 1:
        parts.append(question.messages[0].text)
    else:
        names = {"user": "# The user said", "assistant": "# You answered"}
        parts += [f"{names[message.role]}\n\n{message.text}" for message in question.messages]
    return "\n\n".join(part for part in parts if part)


def object_in(text: str) -> Json | None:
    """Return the JSON object in a model's text: the whole text, the last code fence, or the longest object in prose."""
    value = _decoded(text)
    if value is not None:
        return value
    fenced = [value for block in _FENCE.findall(text) if (value := _decoded(block)) is not None]
    return fenced[-1] if fenced else _decoded(max(_objects(text), key=len, default=""))


def _decoded(text: str) -> Json | None:
    try:
        return typed.from_json(text, Json)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def _objects(text: str) -> Iterator[str]:
    """Yield the texts of the outermost JSON objects; stop after too many braces that start none."""
    decoder, start = json.JSONDecoder(), text.find("{")
    for _ in range(_CANDIDATES):
        if start < 0:
            return
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield text[start:end]
        start = text.find("{", end)
