"""Questions through the `claude` command line: no tools, no project files, a schema for the answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gitorch.agents import streams
from gitorch.agents.claude.adapter import ENVIRONMENT, Claude
from gitorch.agents.question import Answer, Question, Sent, as_prompt, object_in
from gitorch.agents.streams import Record, object_at, objects_at, text_at
from gitorch.config import AgentSettings
from gitorch.model.outcome import Exit, ExitReason

# a person is waiting: the default of ten tries takes three minutes, even if a key is wrong
_RETRIES = {"CLAUDE_CODE_MAX_RETRIES": "3"}


class ClaudeQuestions:
    """`claude -p --json-schema`: the answer is the input of the CLI's own tool, or the JSON in the last message.

    The model does not always call the tool, and the CLI reports success in both cases.
    """

    def send(self, settings: AgentSettings, question: Question) -> Sent:
        """Return the command line; material and conversation are its standard input."""
        argv = [settings.path or "claude", "-p", "--output-format", "stream-json", "--verbose"]
        argv += ["--json-schema", msgspec.json.encode(question.schema).decode()]
        argv += ["--system-prompt", question.instructions]
        # no tools, no servers, no files of any project; the user's own settings may contain the login
        argv += ["--tools=", "--strict-mcp-config", "--setting-sources", "user", "--disable-slash-commands"]
        argv += ["--permission-mode", "dontAsk", "--no-session-persistence"]
        if settings.model:
            argv += ["--model", settings.model]
        return Sent(argv=(*argv, *settings.args), stdin=as_prompt(question).encode(), env=ENVIRONMENT | _RETRIES)

    def answer(self, settings: AgentSettings, lines: Iterable[bytes], stderr: str, result: Exit) -> Answer:  # noqa: ARG002
        """Read the stream; the answer is `structured_output` of its last result."""
        stream = list(lines)
        outcome = Claude().outcome(stream, stderr, result)
        records = list(streams.records(stream))
        model = _model(records)
        if outcome.ending is not ExitReason.COMPLETED:
            return Answer(outcome=outcome, text=outcome.summary, model=model)
        final = [record for record in records if record.get("type") == "result"][-1]
        value: Any = final.get("structured_output")
        text = text_at(final, "result")
        return Answer(
            outcome=outcome, value=value if isinstance(value, dict) else object_in(text), text=text, model=model
        )


def _model(records: list[Record]) -> str:
    """Return the model of the last message; error messages have a synthetic model name."""
    messages = [object_at(record, "message") for record in records if record.get("type") == "assistant"]
    names = [text_at(message, "model") for message in messages if objects_at(message, "content")]
    return next((name for name in reversed(names) if name and not name.startswith("<")), "")
