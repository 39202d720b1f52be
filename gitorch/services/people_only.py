"""Keep decisions with people: refuse commands that a process below an agent gives."""

from __future__ import annotations

import os
from functools import cache

from gitorch.errors import Refused
from gitorch.executors.ancestors import enclosing_execution
from gitorch.model.naming import task_of_key

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
    return _enclosing_name(os.getpid())


@cache
def _enclosing_name(_pid: int) -> str:
    """Return the task, execution or run that this process is part of, of any repository; empty outside of one.

    That does not change while the process lives: it only loses ancestors. A fork of it looks again.
    """
    folder = enclosing_execution()
    if folder is None:
        return ""
    key = folder.rpartition("/gitorch/")[2]
    if key == "run.lock":
        return "a run"
    return task_of_key(key) or f"the execution {key}"


def require_person(action: str) -> None:
    """Raise `Refused` if a process that gitorch supervises, or one below it, runs this command: only a person may."""
    if enclosing := inside_agent():
        raise Refused(
            "inside-agent",
            f"an agent may not {action}",
            why=f"this process was started by {enclosing}",
            fix=("run the command in a terminal of your own",),
        )
