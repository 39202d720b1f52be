"""`diff`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import TASK, Session, pass_session
from gitorch.errors import Refused
from gitorch.executors.foreground import run_on_terminal
from gitorch.model.task import Task


@click.command("diff", context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False, type=TASK, metavar="[TASK]")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("--stat", is_flag=True, help="Show file names and line counts only.")
@pass_session
def diff_command(session: Session, name: str | None, options: tuple[str, ...], stat: bool) -> None:
    """Show the changes of a task's branch.

    Uses your pager. OPTIONS are passed to git diff.
    """
    task = session.find(name)
    if session.json:
        session.answer("", schema.review.DiffAnswer.of(services.review.review_card(session.workspace, task)))
        return
    sys.exit(show_diff(session, task, ("--stat", *options) if stat else options))


def show_diff(session: Session, task: Task, options: Sequence[str]) -> int:
    """Run `git diff` on the terminal, with the user's configuration: pager, colours, external diff."""
    if task.tip is None or task.base is None:
        raise Refused("no-commits", f"{task.id} has no commits yet", why=task.reason)
    common = session.workspace.repository.common_dir
    sys.stdout.flush()
    # --text: an agent's .gitattributes must not be able to hide a change as binary
    command = ["git", f"--git-dir={common}", "diff", "--text", *options, task.base, task.tip, "--"]
    return run_on_terminal(command, cwd=common)
