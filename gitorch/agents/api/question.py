"""Putting a question to the Anthropic API, in a process of its own like the `api` agent's work."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable

import msgspec

from gitorch.agents import streams
from gitorch.agents.api.adapter import DEFAULT_MODEL, Api, key_env
from gitorch.agents.question import Answer, Question, Sent, object_in
from gitorch.agents.streams import word
from gitorch.config import AgentSettings
from gitorch.model.outcome import Ending, Exit

# Somebody waits for the answer: eight tries take longer than a person wants to look at.
_RETRIES = "3"


class ApiQuestions:
    """The API holds the reply to the schema; the SDK, the retries and the prices are those of the `api` agent."""

    def send(self, settings: AgentSettings, question: Question) -> Sent:
        """Return the process. The key's variable is named in it, never its value."""
        argv = [sys.executable, "-P", "-m", "gitorch.agents.api.process", "--question", "--worktree", "."]
        argv += ["--sessions", ".", "--session", str(uuid.uuid4()), "--model", settings.model or DEFAULT_MODEL]
        argv += ["--key-env", key_env(settings), "--retries", _RETRIES, *settings.args]
        return Sent(argv=tuple(argv), stdin=msgspec.json.encode(question))

    def answer(self, settings: AgentSettings, lines: Iterable[bytes], stderr: str, ended: Exit) -> Answer:  # noqa: ARG002
        """Read the events; the answer is the text of the result."""
        kept = list(lines)
        outcome = Api().outcome(kept, stderr, ended)
        said = [record for record in streams.records(kept) if record.get("type") == "assistant"]
        model = word(said[-1], "message", "model") if said else ""
        value = object_in(outcome.summary) if outcome.ending is Ending.COMPLETED else None
        return Answer(outcome=outcome, value=value, text=outcome.summary, model=model)
