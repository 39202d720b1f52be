"""Whether the program of an agent is there, for agents whose command the user writes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded


def require_program(settings: AgentSettings, environment: Mapping[str, str]) -> None:
    """Raise `SetupNeeded` when an agent has no command, or when its program is missing."""
    if not settings.command:
        problem = f"an agent of the kind {settings.kind} has no command"
        raise SetupNeeded("agent-command", problem, fix=("command = [...]",))
    program = settings.command[0]
    # a path relative to the worktree can only be looked up there
    relative = "/" in program and not program.startswith("/")
    if not relative and "{" not in program and shutil.which(program, path=environment.get("PATH")) is None:
        raise SetupNeeded("agent-missing", f"{program} is not installed, or not on PATH")
