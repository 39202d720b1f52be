"""One question to a model whose answer is a JSON object: what is asked, how it is sent, and what came back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

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

    `instructions` say who it is and what a good answer is; `material` is what it may look at and what stays the same
    over a conversation, so that it can be cached; `messages` is the conversation, the last one the user's; `schema` is
    the JSON schema of the answer.
    """

    instructions: str
    material: str
    messages: tuple[Message, ...]
    schema: Json


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A process that puts a question: its arguments, input, and the files that it wants in its working folder.

    The folder is otherwise empty and its own. `env` holds for what the user's environment does not say.
    """

    argv: tuple[str, ...]
    stdin: bytes
    env: Mapping[str, str] = {}
    files: Mapping[str, bytes] = {}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: how it ended, the answer's object (None: there is none in `text`), and the model's name.

    Nothing has looked at the object but a JSON parser: whether it fits the schema is not known. `model` is empty where
    the agent does not tell.
    """

    outcome: Outcome
    value: Json | None = None
    text: str = ""
    model: str = ""


class Questioner(Protocol):
    """One way to put a question. Stateless: everything it needs comes in as values."""

    def send(self, settings: AgentSettings, question: Question) -> Sent:
        """Return the process that puts `question`."""

    def answer(self, settings: AgentSettings, lines: Iterable[bytes], stderr: str, ended: Exit) -> Answer:
        """Read the whole event stream of that process."""


def as_prompt(question: Question) -> str:
    """Return the material and the conversation as one text, for an agent that takes nothing but a prompt."""
    parts = [question.material]
    if len(question.messages) == 1:
        parts.append(question.messages[0].text)
    else:
        names = {"user": "# The user said", "assistant": "# You answered"}
        parts += [f"{names[message.role]}\n\n{message.text}" for message in question.messages]
    return "\n\n".join(part for part in parts if part)


def object_in(text: str) -> Json | None:
    """Return the JSON object in a model's words: all of them, what is in a code fence, or the longest one in prose."""
    whole = _decoded(text)
    if whole is not None:
        return whole
    fenced = [found for block in _FENCE.findall(text) if (found := _decoded(block)) is not None]
    return fenced[-1] if fenced else _decoded(max(_objects(text), key=len, default=""))


def _decoded(text: str) -> Json | None:
    try:
        return msgspec.json.decode(text, type=Json)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def _objects(text: str) -> Iterator[str]:
    """Yield the texts of the outermost JSON objects; gives up after so many braces that begin none."""
    decoder, at = json.JSONDecoder(), text.find("{")
    for _ in range(_CANDIDATES):
        if at < 0:
            return
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield text[at:end]
        at = text.find("{", end)
