"""A second kind of agent, for tests: a script that prints one JSON object per line, `say`, `use`, `done` or `fail`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from gitorch.agents.protocol import Launch, ModelCall, ProbeResult, Request
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded
from gitorch.model.outcome import Event, Exit, ExitReason, Outcome, Usage


class Say(msgspec.Struct, frozen=True, tag="say"):
    text: str


class Use(msgspec.Struct, frozen=True, tag="use"):
    tool: str
    text: str = ""


class Done(msgspec.Struct, frozen=True, tag="done"):
    session: str
    turns: int = 1


class Fail(msgspec.Struct, frozen=True, tag="fail"):
    reason: str


_CAUSES = {"stopped": ExitReason.STOPPED, "timeout": ExitReason.TIMED_OUT, "idle": ExitReason.STALLED}

Line = Say | Use | Done | Fail


class ScriptedAgent:
    """An agent whose stream is a tagged union."""

    pass_env: tuple[str, ...] = ("SCRIPT_*",)
    resumable: bool = True
    usage_is_cumulative: bool = False

    def probes(self, settings: AgentSettings) -> Sequence[tuple[str, ...]]:
        return ((settings.path or sys.executable, "--version"),)

    def check_ready(
        self, settings: AgentSettings, environment: Mapping[str, str], probed: Sequence[ProbeResult]
    ) -> str:
        (version,) = probed
        if version.exit_code != 0:
            raise SetupNeeded("agent-missing", "the script cannot be started", why=version.stderr)
        return version.stdout.strip()

    def permission_flags(self, settings: AgentSettings, *, protected: bool) -> tuple[str, ...]:
        return ("--mode", settings.permissions, *(("--protected",) if protected else ()))

    def launch(self, settings: AgentSettings, request: Request) -> Launch:
        session = ("--resume" if request.resume else "--session", request.session)
        argv = (settings.path or sys.executable, *session, "--brief", request.brief_file, *settings.args)
        return Launch(argv=argv, stdin=request.brief)

    def outcome(self, lines: Iterable[bytes], stderr: str, result: Exit) -> Outcome:
        text, final = "", None
        for line in filter(None, map(_parse, lines)):
            text = line.text if isinstance(line, Say) else text
            final = line if isinstance(line, Done | Fail) else None
        if isinstance(final, Done):
            usage = Usage(turns=final.turns)
            return Outcome(ending=ExitReason.COMPLETED, summary=text, session=final.session, usage=usage)
        if isinstance(final, Fail):
            return Outcome(ending=ExitReason.FAILED, reason=final.reason, summary=text)
        reason = result.message or stderr or result.cause
        return Outcome(ending=_CAUSES.get(result.cause, ExitReason.LOST), reason=reason, summary=text)

    def metered(self, line: bytes) -> ModelCall | None:
        parsed = _parse(line)
        return ModelCall(parsed.text, Usage(usd=1.0)) if isinstance(parsed, Use) and parsed.tool == "model" else None

    def hopeless(self, line: bytes) -> str:
        parsed = _parse(line)
        return parsed.text if isinstance(parsed, Use) and parsed.tool == "retry" else ""

    def events(self, line: bytes) -> Iterator[Event]:
        match _parse(line):
            case Say(text):
                yield Event(kind="text", text=text)
            case Use(tool, text):
                yield Event(kind="tool", tool=tool, text=text)
            case Done():
                yield Event(kind="end")
            case Fail(reason):
                yield Event(kind="error", text=reason)
            case None:
                pass


def _parse(line: bytes) -> Line | None:
    try:
        parsed: Line = msgspec.json.decode(line, type=Line)
    except (msgspec.DecodeError, RecursionError):
        return None
    return parsed
