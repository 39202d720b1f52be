"""How a person opens the session of an attempt: the command line of each kind of agent, for a terminal."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gitorch import regular_files
from gitorch.agents import streams
from gitorch.agents.claude.adapter import ENVIRONMENT, OWN_SETTINGS
from gitorch.agents.codex.adapter import program
from gitorch.agents.protocol import Launch
from gitorch.config import AgentSettings
from gitorch.storage import atomic

_LARGEST = 1 << 20
_SHOWN_OF_KEY = 20
"""By how many of its last characters claude remembers a key that was accepted."""

SHELL = ("/bin/sh", "-c", 'exec "${SHELL:-/bin/sh}"')
"""What is opened for a program that keeps no session: the shell of the room's environment."""


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The session to open: its id ("" for none), its task, and the worktree."""

    task: str
    session: str
    worktree: Path


def command(settings: AgentSettings, request: SessionRequest) -> Launch | None:
    """Return the process that opens a session on a terminal; None if this kind of agent has none to open.

    `agents.NAME.attach` sets it for any agent. A person is there to answer, so no mode that skips permissions is set.
    """
    if settings.attach:
        values = {"{session}": request.session, "{task}": request.task, "{worktree}": str(request.worktree)}
        return Launch(argv=tuple(_filled(word, values) for word in settings.attach))
    if settings.kind == "command":
        return Launch(argv=SHELL)
    if settings.kind == "claude" and request.session:
        model = ("--model", settings.model) if settings.model else ()
        argv = (settings.path or "claude", "--resume", request.session, *OWN_SETTINGS, *model, *settings.args)
        return Launch(argv=argv, env=ENVIRONMENT)
    if settings.kind == "codex" and request.session:
        # its own sandbox makes .git read-only: the room confines it
        mode = "read-only" if settings.permissions == "readonly" else "danger-full-access"
        options = ("-C", str(request.worktree), "-s", mode, "-a", "on-request")
        model = ("-m", settings.model) if settings.model else ()
        return Launch(argv=(program(settings), "resume", *options, *model, *settings.args, request.session))
    return None


def welcome(settings: AgentSettings, home: Path, worktree: Path, key: str) -> None:
    """Tell an agent with a HOME of its own that it is not new, and that its folder and its API key are known.

    claude would ask for a theme, a login, whether to trust the folder, and whether to use the key. It loads none of the
    folder's settings. `key` is what the agent has as its API key, "" for none. Agents can write that HOME: no link in
    it is followed.
    """
    if settings.kind != "claude":
        return
    path = home / ".claude.json"
    try:
        stored_settings = streams.parse(regular_files.read_start(path, _LARGEST)) or {}
    except OSError:
        stored_settings = {}
    projects = streams.object_at(stored_settings, "projects")
    project = {**streams.object_at(projects, str(worktree)), "hasTrustDialogAccepted": True}
    known = {"hasCompletedOnboarding": True, "projects": {**projects, str(worktree): project}}
    if key:
        known["customApiKeyResponses"] = {"approved": [key[-_SHOWN_OF_KEY:]], "rejected": []}
    atomic.replace(path, msgspec.json.encode({"theme": "dark", **stored_settings, **known}), mode=0o600)


def is_shell(launch: Launch) -> bool:
    """Return whether a launch opens a shell instead of a session."""
    return launch.argv == SHELL


def _filled(word: str, values: dict[str, str]) -> str:
    for placeholder, value in values.items():
        word = word.replace(placeholder, value)
    return word
