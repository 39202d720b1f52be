"""`review`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import FINISHED_TASK
from gitorch.cli.commands.diff import show_diff
from gitorch.cli.commands.verdicts import read_message
from gitorch.cli.session import Session, pass_session
from gitorch.errors import GitorchError
from gitorch.executors.foreground import run_on_terminal
from gitorch.model.task import Comment, Task

if TYPE_CHECKING:
    from gitorch.flow.review import ReviewCard

_KEYS = "[d]iff [a]pprove [r]evise [x] reject [c]omment [l]og [n]ext [q]uit"
_INTERRUPTS = ("\x03", "\x04")


@click.command("review")
@click.argument("task", required=False, type=FINISHED_TASK)
@click.option("--list", "only_list", is_flag=True, help="List the finished tasks; ask nothing.")
@pass_session
def review_command(session: Session, task: str | None, only_list: bool) -> None:
    """Review finished tasks, or one TASK: first those that others wait for, then the riskiest.

    On a terminal, each task is shown with the keys for a verdict.
    """
    workspace = session.workspace
    if task:
        cards = [services.review.review_card(workspace, session.find(task))]
    else:
        cards = services.review.cards_in_order(workspace)
    if only_list or not session.interactive:
        text = views.review.card(cards[0]) if task else views.review.review_list(cards)
        session.answer(text, schema.review.ReviewAnswer.of(cards))
        if task and not only_list:
            services.branch_tips.mark_shown(workspace, cards[0].task)
        return
    if not task:
        session.answer(views.review.review_list(cards))
    for number, card in enumerate(cards, start=1):
        if not _ask_verdict(session, card, f"{number} of {len(cards)}"):
            break
    session.refresh()


def _ask_verdict(session: Session, card: ReviewCard, position: str) -> bool:
    """Show one task and carry out the reviewer's keys; return whether to go on with the next."""
    session.answer(views.review.card(card))
    services.branch_tips.mark_shown(session.workspace, card.task)
    while True:
        click.echo(f"{position}  {_KEYS} ", nl=False, err=True)
        key = click.getchar()
        click.echo(key if key.isprintable() else "", err=True)
        if key in ("n", "q", *_INTERRUPTS):
            return key == "n"
        try:
            if _carry_out(session, card.task, key):
                return True
        except GitorchError as error:
            session.fail(error)


def _carry_out(session: Session, task: Task, key: str) -> bool:
    """Carry out one key; return whether the task has its verdict."""
    workspace = session.workspace
    if key == "d":
        show_diff(session, task, ())
    elif key == "l":
        run_on_terminal([sys.executable, "-m", "gitorch", "-C", str(session.start), "log", task.id])
    elif key == "c":
        if comments := _comments(session, task):
            services.review.comment(workspace, session.find(task.id), comments[0])
    elif key == "a":
        services.review.approve(workspace, [session.find(task.id)], services.review.current_reviewer(workspace))
        session.say(f"approved {task.id}")
        return True
    elif key == "r":
        current = session.find(task.id)
        services.review.revise(
            workspace, current, services.review.current_reviewer(workspace), _comments(session, task)
        )
        session.say(f"sent {task.id} back")
        return True
    elif key == "x":
        services.review.reject(workspace, session.find(task.id), services.review.current_reviewer(workspace))
        session.say(f"rejected {task.id}; its branch is kept")
        return True
    return False


def _comments(session: Session, task: Task) -> list[Comment]:
    """Return the comment that the reviewer writes in an editor, if any."""
    text, reviewer = read_message(""), services.review.current_reviewer(session.workspace)
    return [Comment(text=text, author=reviewer, attempt=task.attempts)] if text else []
