"""Putting a question through the `claude` command line: no tools, no project files, a schema for the answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gitorch.agents import streams
from gitorch.agents.claude.adapter import ENVIRONMENT, Claude
from gitorch.agents.question import Answer, Question, Sent, as_prompt, object_in
from gitorch.agents.streams import Record, rows, table, word
from gitorch.config import AgentSettings
from gitorch.model.outcome import Ending, Exit

# Somebody waits for the answer: its own ten tries take three minutes, also where a key is wrong.
_PATIENCE = {"CLAUDE_CODE_MAX_RETRIES": "3"}


class ClaudeQuestions:
    """`claude -p --json-schema`: the answer is the input of a tool of the CLI's own, or, where the model did not call
    it, what is JSON in its last words; the CLI reports success in both cases.
    """

    def send(self, settings: AgentSettings, question: Question) -> Sent:
        """Return the command line; material and conversation come by standard input."""
        argv = [settings.path or "claude", "-p", "--output-format", "stream-json", "--verbose"]
        argv += ["--json-schema", msgspec.json.encode(question.schema).decode()]
        argv += ["--system-prompt", question.instructions]
        # No tools, no servers, no files of any project; the user's own settings may hold the login.
        argv += ["--tools=", "--strict-mcp-config", "--setting-sources", "user", "--disable-slash-commands"]
        argv += ["--permission-mode", "dontAsk", "--no-session-persistence"]
        if settings.model:
            argv += ["--model", settings.model]
        return Sent(argv=(*argv, *settings.args), stdin=as_prompt(question).encode(), env=ENVIRONMENT | _PATIENCE)

    def answer(self, settings: AgentSettings, lines: Iterable[bytes], stderr: str, ended: Exit) -> Answer:  # noqa: ARG002
        """Read the stream; the answer is `structured_output` of its last result."""
        kept = list(lines)
        outcome = Claude().outcome(kept, stderr, ended)
        records = list(streams.records(kept))
        model = _model(records)
        if outcome.ending is not Ending.COMPLETED:
            return Answer(outcome=outcome, text=outcome.summary, model=model)
        result = [record for record in records if record.get("type") == "result"][-1]
        value: Any = result.get("structured_output")
        text = word(result, "result")
        return Answer(
            outcome=outcome, value=value if isinstance(value, dict) else object_in(text), text=text, model=model
        )


def _model(records: list[Record]) -> str:
    """Return the model that wrote the last words of its own: errors are told in the name of a synthetic one."""
    said = [table(record, "message") for record in records if record.get("type") == "assistant"]
    names = [word(message, "model") for message in said if rows(message, "content")]
    return next((name for name in reversed(names) if name and not name.startswith("<")), "")
