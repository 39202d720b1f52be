"""Questions through `codex exec`: read-only, without a shell, a schema for the answer."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gitorch.agents.codex import stream
from gitorch.agents.codex.adapter import program
from gitorch.agents.question import Answer, Question, Sent, as_prompt, object_in
from gitorch.config import AgentSettings
from gitorch.model.outcome import Exit, ExitReason

_SCHEMA = "schema.json"
_SETTINGS = (
    # otherwise every execution ends five seconds late if the vendor's host is unreachable
    "analytics.enabled=false",
    # its folder is inside the repository's git folder, and it would read the AGENTS.md above it
    "project_doc_max_bytes=0",
    'web_search="disabled"',
    "features.shell_tool=false",
    "features.unified_exec=false",
)


class CodexQuestions:
    """`codex exec --output-schema`: the answer is the last message, which the CLI does not validate."""

    def send(self, settings: AgentSettings, question: Question) -> Sent:
        """Return the command line; the question is its standard input."""
        argv = [program(settings), "exec", "--json", "--skip-git-repo-check", "--ephemeral", "-s", "read-only"]
        for setting in _SETTINGS:
            argv += ["-c", setting]
        argv += ["--output-schema", _SCHEMA]
        if settings.model:
            argv += ["-m", settings.model]
        prompt = f"{question.instructions}\n\n{as_prompt(question)}"
        return Sent(
            argv=(*argv, *settings.args, "-"),
            stdin=prompt.encode(),
            files={_SCHEMA: msgspec.json.encode(question.schema)},
        )

    def answer(self, settings: AgentSettings, lines: Iterable[bytes], stderr: str, result: Exit) -> Answer:
        """Read the stream; it does not name the model, so that only a configured one is known."""
        outcome = stream.outcome(lines, stderr, result)
        value = object_in(outcome.summary) if outcome.ending is ExitReason.COMPLETED else None
        return Answer(outcome=outcome, value=value, text=outcome.summary, model=settings.model)
