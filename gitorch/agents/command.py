"""Any program as an agent: it gets the brief as a file, and its exit code says how it ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gitorch.agents import streams
from gitorch.agents.programs import require_program
from gitorch.agents.protocol import Launch, ModelCall, ProbeResult, Request
from gitorch.config import AgentSettings
from gitorch.model.outcome import Event, Exit, ExitReason, Outcome

RESULT_VARIABLE = "GITORCH_RESULT"
"""The variable that holds the path of the result file."""

_SUMMARY_LINES = 20
_SUMMARY_WIDTH = 500


class CommandAgent:
    """`kind = "command"`: fills in `{prompt_file}`, `{task}`, `{worktree}` and `{result_file}` in its arguments."""

    pass_env: tuple[str, ...] = ()
    resumable: bool = False
    usage_is_cumulative: bool = False

    def probes(self, settings: AgentSettings) -> Sequence[tuple[str, ...]]:  # noqa: ARG002
        """Return none: to run the command would be to do the work."""
        return ()

    def check_ready(
        self,
        settings: AgentSettings,
        environment: Mapping[str, str],
        probed: Sequence[ProbeResult],  # noqa: ARG002
    ) -> str:
        """Return an empty version, or raise `SetupNeeded` when the program is missing."""
        require_program(settings, environment)
        return ""

    def permission_flags(self, settings: AgentSettings, *, protected: bool) -> tuple[str, ...]:  # noqa: ARG002
        """Return the arguments with which the program only reads, as the user has declared them."""
        return (settings.readonly_args or ()) if settings.permissions == "readonly" else ()

    def launch(self, settings: AgentSettings, request: Request) -> Launch:
        """Return the configured command with its placeholders filled in; the brief is its standard input too."""
        values = {
            "{prompt_file}": request.brief_file,
            "{task}": request.task,
            "{worktree}": str(request.worktree),
            "{result_file}": request.result_file,
        }
        words = (*settings.command, *settings.args, *self.permission_flags(settings, protected=request.protected))
        argv = tuple(_filled(word, values) for word in words)
        return Launch(argv=argv, env={RESULT_VARIABLE: request.result_file}, stdin=request.brief)

    def outcome(self, lines: Iterable[bytes], stderr: str, result: Exit) -> Outcome:
        """Read the exit code: a command has no final event."""
        last = [line[:_SUMMARY_WIDTH].decode("utf-8", "replace").rstrip("\n") for line in deque(lines, _SUMMARY_LINES)]
        summary = "\n".join(last)
        if result.cause == "lost":
            return Outcome(ending=ExitReason.LOST, reason=result.message, summary=summary)
        if result.cause == "failed-to-start":
            return Outcome(ending=ExitReason.SETUP, reason=result.message or result.cause, summary=summary)
        if result.cause != "exited":
            ending = streams.stop_ending(result)
            return Outcome(ending=ending, reason=result.message or result.cause, summary=summary)
        if result.exit_code == 0:
            return Outcome(ending=ExitReason.COMPLETED, summary=summary)
        code = f"exit code {result.exit_code}" if result.exit_code is not None else f"signal {result.signal}"
        output = stderr.strip().splitlines() or last
        return Outcome(ending=ExitReason.FAILED, reason=f"{code}: {output[-1]}" if output else code, summary=summary)

    def metered(self, line: bytes) -> ModelCall | None:  # noqa: ARG002
        """Return None: a program does not say what it uses."""
        return None

    def hopeless(self, line: bytes) -> str:  # noqa: ARG002
        """Return nothing: a command's output has no meaning."""
        return ""

    def events(self, line: bytes) -> Iterator[Event]:
        """Yield the line as it is."""
        yield Event(kind="text", text=line.decode("utf-8", "replace").rstrip("\n"))


def _filled(word: str, values: Mapping[str, str]) -> str:
    for placeholder, value in values.items():
        word = word.replace(placeholder, value)
    return word
