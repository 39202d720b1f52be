"""Codex: the `codex exec` command line, and its login state."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from gitorch.agents import streams
from gitorch.agents.codex import stream
from gitorch.agents.codex.provider import model_provider
from gitorch.agents.protocol import Launch, ModelCall, ProbeResult, Request
from gitorch.agents.streams import Record, text_at
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded
from gitorch.model.outcome import Event, Exit, Outcome

_INSTALL = "npm install -g @openai/codex"


class Codex:
    """Drive the `codex exec` command line.

    The session id is known only from the stream's first event. `Outcome.usage` counts the whole
    thread, also what earlier executions of it used: subtract the last known value after a resume.
    """

    pass_env: tuple[str, ...] = (
        "CODEX_HOME",
        "CODEX_API_KEY",
        "CODEX_ACCESS_TOKEN",
        "CODEX_SQLITE_HOME",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "OPENAI_ORGANIZATION",
        "OPENAI_PROJECT",
    )
    resumable: bool = True
    usage_is_cumulative: bool = True
    """Whether an outcome's usage counts the whole session, not this execution of it."""

    def probes(self, settings: AgentSettings) -> Sequence[tuple[str, ...]]:
        """Return the commands that print the version and the login state."""
        name = program(settings)
        return (name, "--version"), (name, "login", "status")

    def check_ready(
        self, settings: AgentSettings, environment: Mapping[str, str], probed: Sequence[ProbeResult]
    ) -> str:
        """Return the version, or raise `SetupNeeded` with `agent-missing` or `agent-login`."""
        version, login = probed
        if version.exit_code != 0:
            raise _missing(settings, version)
        problem = _login_problem(model_provider(settings, environment)[1], environment, login)
        if problem:
            raise SetupNeeded(
                "agent-login",
                "codex is not logged in",
                why=problem,
                fix=("codex login", "export CODEX_API_KEY=..."),
            )
        match = re.search(r"\d+(\.\d+)+", version.stdout)
        return match[0] if match else streams.one_line(version.stdout)

    def permission_flags(self, settings: AgentSettings, *, protected: bool) -> tuple[str, ...]:
        """Return its sandbox mode.

        Its own sandbox makes .git read-only, so that `git commit` fails, and cannot be made inside of gitorch's box:
        gitorch confines the agent instead, where it can.
        """
        is_read_only = settings.permissions == "readonly" and not protected
        return "-s", "read-only" if is_read_only else "danger-full-access"

    def launch(self, settings: AgentSettings, request: Request) -> Launch:
        """Return the unattended command line; the brief is its standard input."""
        argv = [program(settings), "exec", "--json", "-C", str(request.worktree)]
        argv += self.permission_flags(settings, protected=request.protected)
        # otherwise every execution ends five seconds late if the vendor's host is unreachable
        argv += ["-c", "analytics.enabled=false"]
        # its catalogue of plugins asks github.com and two more hosts at every start
        argv += ["-c", "features.plugins=false"]
        if settings.model:
            argv += ["-m", settings.model]
        # `resume` has no -C and -s of its own: all options come before it
        resume = ("resume", request.session) if request.resume else ()
        return Launch(argv=(*argv, *settings.args, *resume, "-"), stdin=request.brief)

    def outcome(self, lines: Iterable[bytes], stderr: str, result: Exit) -> Outcome:
        """Read the stream to its end; the last `turn.completed` or `turn.failed` decides."""
        return stream.outcome(lines, stderr, result)

    def metered(self, line: bytes) -> ModelCall | None:  # noqa: ARG002
        """Return None: its stream says what it has used only when its turn is over; see `call_log`."""
        return None

    def hopeless(self, line: bytes) -> str:
        """Return the text of a retry with a refused login."""
        return stream.hopeless(line)

    def events(self, line: bytes) -> Iterator[Event]:
        """Yield what one line of the stream means for a person."""
        return stream.events(line)


def program(settings: AgentSettings) -> str:
    """Return the native executable behind npm's Node shim: when the shim is killed, its child keeps running."""
    name = settings.path or "codex"
    path = shutil.which(name, path=settings.env.get("PATH"))
    shim = Path(os.path.realpath(path)) if path else None
    if shim is None or shim.name != "codex.js":
        return name
    package, binary = shim.parent.parent, Path("vendor") / _triple() / "bin" / "codex"
    candidates = [package / binary, *package.parent.glob(f"codex-*/{binary}")]
    candidates += package.glob(f"node_modules/@openai/codex-*/{binary}")
    return next((str(candidate) for candidate in candidates if os.access(candidate, os.X_OK)), name)


def _triple() -> str:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    return f"{machine}-{'apple-darwin' if sys.platform == 'darwin' else 'unknown-linux-musl'}"


def _missing(settings: AgentSettings, version: ProbeResult) -> SetupNeeded:
    program = settings.path or "codex"
    cause = "there is no such program on PATH" if version.exit_code is None else streams.one_line(version.stderr)
    return SetupNeeded("agent-missing", f"`{program}` cannot be started", why=cause, fix=(_INSTALL,))


def _login_problem(provider: Record, environment: Mapping[str, str], login: ProbeResult) -> str:
    """Return why `provider` would have no login or key; "" if it has one."""
    key = text_at(provider, "env_key")
    if key:
        return (
            "" if environment.get(key) else f"its model provider wants {key}, which is not in the agent's environment"
        )
    if provider and provider.get("requires_openai_auth") is not True:
        return ""
    # OPENAI_API_KEY does not count: `codex exec` sends only CODEX_API_KEY or what `codex login` stored.
    if login.exit_code == 0 or environment.get("CODEX_API_KEY"):
        return ""
    complaints = stream.complaints(login.stderr)
    return (
        streams.one_line(complaints[-1]) if complaints else "`codex login status` says so, and no CODEX_API_KEY is set"
    )
