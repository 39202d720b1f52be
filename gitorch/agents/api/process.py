"""The process of the `api` agent: the prompt on standard input, one JSON event per line on standard output.

With `--question`, standard input is a `Question` as JSON, and the `result` of the last event is the answer's JSON.

Exit codes: 0 the model is done, 1 it ended otherwise, 2 it could not start, 128 + n after a signal. The last event is
always a `result`, even after SIGTERM. Nothing that the tools started outlives the process.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from gitorch import typed
from gitorch.agents.api.calls import Caller, End, RequestLimits
from gitorch.agents.api.files import Files
from gitorch.agents.api.loop import Loop
from gitorch.agents.api.requests import Stream
from gitorch.agents.api.session import begin, resume
from gitorch.agents.api.shell import Shell, tool_environment
from gitorch.agents.api.structured import QuestionRun
from gitorch.agents.api.tools import TOOL_SETS, Tools, ToolSet, names
from gitorch.agents.inbox import Inbox
from gitorch.agents.prices import Tokens, priced
from gitorch.agents.process_end import Stopped, ignore_signals, raise_on_signals, shield, sweep
from gitorch.errors import GitorchError, InvalidInput, SetupNeeded
from gitorch.model.credentials.secret_values import secret_values

Json: TypeAlias = dict[str, Any]

KEY, TOKEN = "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"
BASH_SECONDS_NAME = "BASH_TOOL_TIMEOUT_SECONDS"
BASH_SECONDS = 120.0
READ_SECONDS = 300.0


class Secrets(msgspec.Struct, frozen=True):
    """The credentials of the API: a key, or a bearer token."""

    key: str
    token: str

    @property
    def values(self) -> tuple[str, ...]:
        """The credentials that there are."""
        return tuple(value for value in (self.key, self.token) if value)

    @property
    def hidden(self) -> tuple[str, ...]:
        """Those that must not appear in any output: without short ones, which are part of every text."""
        return tuple(secret_values({KEY: self.key, TOKEN: self.token}).values())


class Report:
    """Standard output: events without the secrets, and one result at the end."""

    def __init__(self, options: argparse.Namespace, secrets: Secrets) -> None:
        self._options = options
        self._hidden = secrets.hidden
        self._started = time.monotonic()

    def emit(self, event: Json) -> None:
        """Write one event as a line, unbuffered."""
        line = msgspec.json.encode(event)
        for value in self._hidden:
            line = line.replace(value.encode(), b"[redacted]")
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()

    def end(self, end: End, caller: Caller | None) -> None:
        """Write the result."""
        event: Json = {
            "type": "result",
            "subtype": end.subtype,
            "is_error": bool(end.error),
            "error": end.error or None,
            "api_error_status": end.status,
            "result": end.text,
            "stop_reason": caller.stop_reason if caller else "",
            "resets_at": end.resets_at,
            "num_turns": caller.turns if caller else 0,
            "total_cost_usd": caller.usd if caller else None,
            "usage": msgspec.to_builtins(caller.tokens if caller else Tokens()),
            "duration_ms": round((time.monotonic() - self._started) * 1000),
            "session_id": self._options.session,
        }
        self.emit(event)


class Execution:
    """One execution: its tools, and its caller of the API as soon as there is one."""

    def __init__(self, options: argparse.Namespace, secrets: Secrets, report: Report) -> None:
        self.options = options
        self.caller: Caller | None = None
        self._secrets = secrets
        self._report = report
        self._tools: Tools | None = None

    def work(self) -> End:
        """Do the work on standard input. Raises `GitorchError` or `OSError` when it cannot start."""
        options, secrets = self.options, self._secrets
        limits = _limits(options)
        self._report.emit(_init(options))
        if not secrets.values:
            raise SetupNeeded("authentication_failed", f"no key: {options.key_env or KEY} is not set")
        if len(secrets.hidden) < len(secrets.values):
            print(
                f"the key in {options.key_env or KEY} is too short, or a plain word: it is not redacted",
                file=sys.stderr,
            )
        prompt = _prompt(sys.stdin.buffer.read())
        run = self._question(limits) if options.question else self._loop(limits)
        self.caller = run.caller
        return run.run(prompt)

    def _loop(self, limits: RequestLimits) -> Loop:
        options, secrets = self.options, self._secrets
        open_session = resume if options.resume else begin
        session = open_session(options.sessions, options.session, options.model)
        self._tools = _tools(options.worktree, secrets, options.tools)
        return Loop(
            limits,
            self._stream(),
            self._tools,
            session,
            self._report.emit,
            hidden=secrets.hidden,
            inbox=Inbox(os.environ),
        )

    def _question(self, limits: RequestLimits) -> QuestionRun:
        session, hidden = self.options.session, self._secrets.hidden
        return QuestionRun(limits, self._stream(), self._report.emit, session=session, hidden=hidden)

    def _stream(self) -> Stream:
        # importing the SDK takes a second: before the signal handlers are set, SIGTERM would end it without a result
        from gitorch.agents.api.client import connect

        secrets = self._secrets
        return connect(key=secrets.key, token=secrets.token, read_seconds=self.options.read_seconds)

    def close(self) -> None:
        """End everything that the tools started."""
        if self._tools is not None:
            self._tools.close()
            sweep()


def main() -> int:
    """Run one execution as the command line says, and return the exit code."""
    options = _parser().parse_args()
    secrets = _take_secrets(options.key_env)
    report = Report(options, secrets)
    execution = Execution(options, secrets, report)
    shield()
    raise_on_signals()
    try:
        end, code = _end_of(execution)
    finally:
        ignore_signals()
        execution.close()
    try:
        report.end(end, execution.caller)
    except BrokenPipeError:
        # the reader is gone: without this, Python would print an error when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _end_of(execution: Execution) -> tuple[End, int]:
    try:
        end = execution.work()
    except Stopped as stopped:
        return End(error="terminated", text=f"Stopped by {stopped}"), 128 + stopped.number
    except GitorchError as error:
        return End(error=error.code, text=" ".join(filter(None, (str(error), error.why)))), 2
    except OSError as error:
        return End(error="unknown", text=str(error)), 2 if execution.caller is None else 1
    return end, int(bool(end.error))


def _limits(options: argparse.Namespace) -> RequestLimits:
    limits = typed.from_object(vars(options), RequestLimits)
    if limits.budget and not priced(limits.model):
        raise InvalidInput(
            "budget_unenforceable",
            f"the price of {limits.model} is unknown, so a budget of ${limits.budget:g} cannot be enforced",
            why="use a model with a known price, or no budget for this agent",
        )
    return limits


def _tools(worktree: Path, secrets: Secrets, tool_set: ToolSet) -> Tools:
    shell = Shell(worktree, tool_environment(os.environ, hidden=secrets.hidden), seconds=_bash_seconds(os.environ))
    return Tools(shell, Files(worktree), tool_set)


def _bash_seconds(environ: Mapping[str, str]) -> float:
    value = environ.get(BASH_SECONDS_NAME, "")
    try:
        seconds = float(value) if value else BASH_SECONDS
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InvalidInput("bash_timeout", f"{BASH_SECONDS_NAME}={value!r} is not a number of seconds")
    return seconds


def _prompt(raw: bytes) -> str:
    try:
        prompt = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("invalid_prompt", "the prompt is not UTF-8", why=str(error)) from None
    if not prompt.strip():
        raise InvalidInput("invalid_prompt", "the prompt is empty")
    return prompt


def _init(options: argparse.Namespace) -> Json:
    return {
        "type": "system",
        "subtype": "init",
        "cwd": str(options.worktree),
        "session_id": options.session,
        "tools": [] if options.question else names(options.tools),
        "model": options.model,
        "resumed": options.resume,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gitorch.agents.api.process", description=__doc__, allow_abbrev=False)
    parser.add_argument("--worktree", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--session", required=True)
    parser.add_argument("--sessions", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--question", action="store_true")
    parser.add_argument("--tools", choices=TOOL_SETS, default="all")
    parser.add_argument("--key-env", default="")
    parser.add_argument("--budget", type=float, default=0.0)
    defaults = RequestLimits(model="")
    for name in ("max_turns", "max_tokens", "retries", "retry_seconds"):
        default = getattr(defaults, name)
        parser.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    parser.add_argument("--read-seconds", type=float, default=READ_SECONDS)
    return parser


def _take_secrets(name: str) -> Secrets:
    """Remove the credentials from the environment: the variable `name`, or the SDK's own two."""
    values = {variable: os.environ.pop(variable, "").strip() for variable in {name, KEY, TOKEN} - {""}}
    if name in ("", KEY, TOKEN):
        return Secrets(values[KEY], values[TOKEN])
    return Secrets(values[name], "")


if __name__ == "__main__":
    sys.exit(main())
