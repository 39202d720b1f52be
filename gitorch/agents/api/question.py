"""Questions to the Anthropic API, in a separate process like the work of the `api` agent."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable

import msgspec

from gitorch.agents import streams
from gitorch.agents.api.adapter import DEFAULT_MODEL, Api, key_env
from gitorch.agents.question import Answer, Question, Sent, object_in
from gitorch.agents.streams import text_at
from gitorch.config import AgentSettings
from gitorch.model.outcome import Exit, ExitReason

# a person is waiting: eight tries take too long
_RETRIES = "3"


class ApiQuestions:
    """The API enforces the schema; the SDK, the retries and the prices are those of the `api` agent."""

    def send(self, settings: AgentSettings, question: Question) -> Sent:
        """Return the process. Its arguments name the key's variable, never the key."""
        argv = [sys.executable, "-P", "-m", "gitorch.agents.api.process", "--question", "--worktree", "."]
        argv += ["--sessions", ".", "--session", str(uuid.uuid4()), "--model", settings.model or DEFAULT_MODEL]
        argv += ["--key-env", key_env(settings), "--retries", _RETRIES, *settings.args]
        return Sent(argv=tuple(argv), stdin=msgspec.json.encode(question))

    def answer(self, settings: AgentSettings, lines: Iterable[bytes], stderr: str, result: Exit) -> Answer:  # noqa: ARG002
        """Read the events; the answer is the text of the result."""
        stream = list(lines)
        outcome = Api().outcome(stream, stderr, result)
        messages = [record for record in streams.records(stream) if record.get("type") == "assistant"]
        model = text_at(messages[-1], "message", "model") if messages else ""
        value = object_in(outcome.summary) if outcome.ending is ExitReason.COMPLETED else None
        return Answer(outcome=outcome, value=value, text=outcome.summary, model=model)
