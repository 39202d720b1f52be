"""Keep decisions with people: refuse commands that a process below an agent gives."""

from __future__ import annotations

import os

from gitorch.errors import Refused

PROGRAM_VARIABLE = "GITORCH_CLIENT"
"""Names the program that gave a command in place of a person: what it looks at is not reviewed."""


def is_program() -> bool:
    """Return whether a program, such as a client of `mcp`, gave this command."""
    return bool(os.environ.get(PROGRAM_VARIABLE))


def inside_agent() -> str:
    """Return what this process runs in: the name of a task, or the key of an execution; empty for a person's.

    The environment answers at once. Where it says nothing, the ancestors do: a supervisor is among them, whatever its
    agent did to its own environment, session or parent process.
    """
    if task := os.environ.get("GITORCH_TASK", ""):
        return task
    # imported here: psutil takes 30 ms, and most commands change nothing
    from gitorch.services.executor import enclosing_name

    return enclosing_name()


def require_person(action: str) -> None:
    """Raise `Refused` if a process that gitorch supervises, or one below it, runs this command: only a person may."""
    if enclosing := inside_agent():
        raise Refused(
            "inside-agent",
            f"an agent may not {action}",
            why=f"this process was started by {enclosing}",
            fix=("run the command in a terminal of your own",),
        )
