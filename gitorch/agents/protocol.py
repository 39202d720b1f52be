"""The seam between gitorch and a kind of agent: arguments for a brief, and how to read its event stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from gitorch.config import AgentSettings
from gitorch.model.outcome import Event, Exit, Outcome, ProbeResult, Usage


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One execution to start.

    `brief` is UTF-8; `brief_file` stands in arguments for the path of a file that holds the standard input.
    `result_file` is where a command may say how it ended; "" for nowhere. `state_folder` outlives the attempt and is
    shared by all; `session` is a fresh UUID for a new session or, with `resume`, the id of the session to continue.
    `budget` is in dollars, 0 for none; `answer` is what the user said to its question, which the brief holds too.
    `protected` says that the room keeps a `readonly` agent from writing its files, whatever the agent runs.
    """

    task: str
    worktree: Path
    state_folder: Path
    brief: bytes
    brief_file: str
    session: str
    resume: bool = False
    budget: float = 0.0
    answer: str = ""
    result_file: str = ""
    protected: bool = False


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """A process to start: its arguments, additions to its environment, and its standard input."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = {}
    stdin: bytes = b""


class ModelCall(msgspec.Struct, frozen=True):
    """One call of a model: its id within the execution, and what it has used so far."""

    id: str
    usage: Usage


class LoggedCall(ModelCall, frozen=True):
    """A call of a model in an agent's own log: `time` is when it ended (Unix seconds; 0: unknown)."""

    time: float


class CallLog(Protocol):
    """A file in which a kind of agent says what each call of its model used, where its stream does not."""

    def session(self, line: bytes) -> str:
        """Return the session that a line of the stream names; "" for other lines."""

    def find(self, environment: Mapping[str, str], session: str) -> Path | None:
        """Return the log of a session of an agent with this environment; None if there is none yet."""

    def call(self, line: bytes) -> LoggedCall | None:
        """Return what a line of the log says that one call has used; None for other lines."""


class Agent(Protocol):
    """One kind of agent. Stateless: everything it needs comes in as values."""

    pass_env: tuple[str, ...]
    """Names, or prefixes that end in `*`, that it gets from the user's environment."""

    resumable: bool
    """Whether a session can be resumed."""

    usage_is_cumulative: bool
    """Whether the usage of an execution is the total of its session so far."""

    def probes(self, settings: AgentSettings) -> Sequence[tuple[str, ...]]:
        """Return the commands whose results `check_ready` needs."""

    def check_ready(
        self, settings: AgentSettings, environment: Mapping[str, str], probed: Sequence[ProbeResult]
    ) -> str:
        """Return the agent's version, or raise `SetupNeeded` when it is missing or not logged in.

        `environment` is the one that the agent will get.
        """

    def permission_flags(self, settings: AgentSettings, *, protected: bool) -> tuple[str, ...]:
        """Return the arguments that say what the agent may do, as `launch` uses them; `protected` as in `Request`."""

    def launch(self, settings: AgentSettings, request: Request) -> Launch:
        """Return the process that does `request`."""

    def outcome(self, lines: Iterable[bytes], stderr: str, result: Exit) -> Outcome:
        """Read the whole event stream of one execution and return how it ended.

        `lines` are its standard output, `stderr` the end of its standard error, `result` is how its process ended.
        """

    def metered(self, line: bytes) -> ModelCall | None:
        """Return what a line says that one call of the model has used so far; None for other lines."""

    def hopeless(self, line: bytes) -> str:
        """Return why an execution that wrote this line cannot succeed and should be stopped; "" for other lines.

        The line of a retry that waits for a login, for example, which the command line would repeat for minutes.
        """

    def events(self, line: bytes) -> Iterator[Event]:
        """Yield what one line of the stream means for a person; nothing for a line that does not parse."""


__all__ = ["Agent", "CallLog", "Launch", "LoggedCall", "ModelCall", "ProbeResult", "Request"]
