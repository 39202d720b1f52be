"""The options that say what a task is: those of `submit` and `edit`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from gitorch import config, services
from gitorch.cli.choices import AGENT, DOLLARS, PREDECESSOR, REF, ROLE
from gitorch.cli.session import Session
from gitorch.errors import InvalidInput
from gitorch.model.naming import TaskId
from gitorch.model.task import Priority

_Command = TypeVar("_Command", bound=Callable[..., Any])

_PRIORITIES = [priority.value for priority in Priority]
_OPTIONS = (
    click.option("-a", "--agent", type=AGENT, metavar="AGENT", help="Agent, such as claude or codex, or a role."),
    click.option("-r", "--role", type=ROLE, metavar="ROLE", help="Role (specialist) to use."),
    click.option("-p", "--priority", type=click.Choice(_PRIORITIES), help="Priority."),
    click.option("--after", multiple=True, type=PREDECESSOR, help="Start after this task (repeatable)."),
    click.option("--context", help="JSON for the agent, or @FILE."),
    click.option(
        "--check", "checks", multiple=True, metavar="CMD", help="Command that checks the result (repeatable)."
    ),
    click.option("--paths", multiple=True, metavar="GLOB", help="Paths that the task should stay in (repeatable)."),
    click.option("--base", type=REF, metavar="REF", help="Start from REF instead of the configured base."),
    click.option("--budget", type=DOLLARS, metavar="DOLLARS", help="Cost limit of all attempts."),
    click.option("--timeout", metavar="TIME", help="Time limit of one attempt: 45m, 2h."),
)


def request_options(command: _Command) -> _Command:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def requested_fields(session: Session, options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a draft that were given; an option with empty text gives an empty field."""
    role, agent = options["role"], options["agent"]
    if agent and agent not in session.workspace.config.agents and agent in session.workspace.roles:
        role, agent = agent, None  # --agent may name a role, too
    given = {
        "agent": agent,
        "role": role,
        "priority": Priority(options["priority"]) if options["priority"] else None,
        "after": _named(session, options["after"]),
        "checks": _checks(options["checks"]),
        "paths": _filled(options["paths"]),
        "context": _context(session, options["context"]),
        "base": options["base"],
        "budget": options["budget"],
        "timeout": _seconds(options["timeout"]),
    }
    return {name: value for name, value in given.items() if value is not None}


def _filled(values: Sequence[str]) -> tuple[str, ...] | None:
    return tuple(value for value in values if value) if values else None


def _named(session: Session, names: Sequence[str]) -> tuple[TaskId, ...] | None:
    filled = _filled(names)
    if filled is None:
        return None
    return tuple(dict.fromkeys(services.lookup.find_task(session.workspace, name).id for name in filled))


def _checks(commands: Sequence[str]) -> dict[str, str] | None:
    filled = _filled(commands)
    if filled is None:
        return None
    return {f"check-{number}" if number > 1 else "check": command for number, command in enumerate(filled, start=1)}


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    return config.seconds(text) if text else 0.0


def _context(session: Session, value: str | None) -> str | None:
    if not value:
        return value
    name = value.removeprefix("@")
    text = value if value == name else config.decode(_content(session.start / name, name), name)
    try:
        json.loads(text)
        text.encode()
    except ValueError as error:
        raise InvalidInput("context", "--context is not JSON", why=str(error)) from error
    return text


def _content(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput("no-file", f"cannot read {name}", why=error.strerror or "") from error
