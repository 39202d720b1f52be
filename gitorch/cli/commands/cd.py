"""`cd`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gitorch.cli import schema
from gitorch.cli.choices import STARTED_TASK
from gitorch.cli.session import Session, pass_session
from gitorch.errors import Refused

IN_SHELL_FUNCTION = "GITORCH_CD"
"""Set by the shell function of `completion`, which changes to the folder that is printed."""


@click.command("cd")
@click.argument("name", type=STARTED_TASK, metavar="TASK")
@pass_session
def cd_command(session: Session, name: str) -> None:
    """Go to the worktree of a task.

    Needs the shell function that `orchestrate completion` prints; without it, the path is printed.
    """
    task = session.find(name)
    if not task.worktree or not Path(task.worktree).is_dir():
        raise Refused(
            "no-worktree", f"{task.id} has no worktree", why=f"it is {task.state}", fix=(f"git switch {task.branch}",)
        )
    session.answer(task.worktree, schema.preview.CdAnswer(path=task.worktree))
    if not os.environ.get(IN_SHELL_FUNCTION):
        session.say('to change to it, load the shell function:\n  eval "$(orchestrate completion bash)"')
