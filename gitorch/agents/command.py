"""Any program as an agent: it gets the brief in a file, and what it exits with is how it ended."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gitorch.agents.protocol import Launch, Probed, Request
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded
from gitorch.model.outcome import Ending, Event, Exit, Outcome

_SUMMARY_LINES = 20


class Command:
    """`kind = "command"`: `{prompt_file}`, `{task}` and `{worktree}` in its arguments are filled in."""

    pass_env: tuple[str, ...] = ()
    resumable: bool = False
    usage_is_cumulative: bool = False

    def probes(self, settings: AgentSettings) -> Sequence[tuple[str, ...]]:  # noqa: ARG002
        """Ask nothing: running somebody's command to see whether it works would be doing the work."""
        return ()

    def judge(self, settings: AgentSettings, environment: Mapping[str, str], probed: Sequence[Probed]) -> str:  # noqa: ARG002
        """Return an empty version, or raise `SetupNeeded` when the program is not there."""
        if not settings.command:
            raise SetupNeeded("agent-command", "an agent of the kind command has no command", fix=("command = [...]",))
        program = settings.command[0]
        # a path that starts at the worktree can only be looked up there
        relative = "/" in program and not program.startswith("/")
        if not relative and "{" not in program and shutil.which(program, path=environment.get("PATH")) is None:
            raise SetupNeeded("agent-missing", f"{program} is not installed, or not on PATH")
        return ""

    def launch(self, settings: AgentSettings, request: Request) -> Launch:
        """Return the configured command with its places filled in; the brief is its standard input too."""
        places = {
            "{prompt_file}": request.brief_file,
            "{task}": request.task,
            "{worktree}": str(request.worktree),
        }
        argv = tuple(_filled(word, places) for word in (*settings.command, *settings.args))
        return Launch(argv=argv, stdin=request.brief)

    def outcome(self, lines: Iterable[bytes], stderr: str, ended: Exit) -> Outcome:
        """Judge by the exit code: a command has no final event."""
        last = [line.decode("utf-8", "replace").rstrip("\n") for line in lines][-_SUMMARY_LINES:]
        summary = "\n".join(last)
        if ended.cause == "lost":
            return Outcome(ending=Ending.LOST, reason=ended.message, summary=summary)
        if ended.cause != "exited":
            return Outcome(ending=Ending.STOPPED, reason=ended.message or ended.cause, summary=summary)
        if ended.exit_code == 0:
            return Outcome(ending=Ending.COMPLETED, summary=summary)
        how = f"exit code {ended.exit_code}" if ended.exit_code is not None else f"signal {ended.signal}"
        said = stderr.strip().splitlines() or last
        return Outcome(ending=Ending.FAILED, reason=f"{how}: {said[-1]}" if said else how, summary=summary)

    def events(self, line: bytes) -> Iterator[Event]:
        """Yield the line as it is."""
        yield Event(kind="text", text=line.decode("utf-8", "replace").rstrip("\n"))


def _filled(word: str, places: Mapping[str, str]) -> str:
    for place, value in places.items():
        word = word.replace(place, value)
    return word
