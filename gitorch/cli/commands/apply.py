"""`apply`."""

from __future__ import annotations

import sys

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import APPROVABLE_TASK
from gitorch.cli.session import UNDO_HINT, Session, pass_session
from gitorch.model.generators import drain
from gitorch.model.task import Task


@click.command("apply")
@click.argument("name", type=APPROVABLE_TASK, metavar="TASK")
@click.argument("numbers", nargs=-1, type=click.IntRange(1), metavar="[N]...")
@click.option("--sign/--no-sign", default=None, help="Sign the commit; by default as merge.sign says.")
@pass_session
def apply_command(session: Session, name: str, numbers: tuple[int, ...], sign: bool | None) -> None:
    """Apply the suggestions of your pending comments: all of them, or those of comments N.

    They become one commit in your name on the branch of the task, and its checks run. Refuses if the lines have changed
    since your comment. Exits with 6 if a check fails.
    """
    if not apply_suggestions(session, session.find(name), numbers, sign=sign):
        sys.exit(6)


def apply_suggestions(session: Session, task: Task, numbers: tuple[int, ...] = (), *, sign: bool | None = None) -> bool:
    """Apply suggestions, answer with the commit, and return whether the checks pass."""
    steps = services.reviewing.suggestions.apply(session.workspace, task, numbers, sign)
    applied = drain(steps, lambda _: session.say(f"check {task.id}"))
    passed = all(result.passed for result in applied.results)
    session.answer(views.check.applied_suggestions(applied), schema.review.ApplyAnswer.of(applied))
    session.refresh()
    session.say(UNDO_HINT)
    session.say(f"next: orchestrate {'review' if passed else 'task'} {task.id}")
    return passed
