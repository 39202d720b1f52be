"""`review`, `diff`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.commands.verdicts import read_message
from gitorch.cli.session import TASK, Session, pass_session
from gitorch.cli.views import review as review_view
from gitorch.errors import GitorchError, Refused
from gitorch.executors.foreground import run_on_terminal
from gitorch.model.task import Comment, Task

if TYPE_CHECKING:
    from gitorch.flow.review import ReviewCard

_KEYS = "[d]iff  [a]pprove  [r]evise  [x] reject  [c]omment  [l]og  [n]ext  [q]uit"
_INTERRUPTS = ("\x03", "\x04")


@click.command("review")
@click.argument("task", required=False, type=TASK)
@click.option("--list", "only_list", is_flag=True, help="List the finished tasks; ask nothing.")
@pass_session
def review_command(session: Session, task: str | None, only_list: bool) -> None:
    """Review finished tasks, the riskiest first, or one TASK.

    On a terminal, each task is shown with the keys for a verdict.
    """
    workspace = session.workspace
    if task:
        cards = [services.review.review_card(workspace, session.find(task))]
    else:
        cards = services.review.cards_by_risk(workspace)
    if only_list or not session.interactive:
        text = review_view.card(cards[0]) if task else review_view.review_list(cards)
        session.answer(text, schema.review.ReviewAnswer.of(cards))
        return
    if not task:
        session.answer(review_view.review_list(cards))
    for number, card in enumerate(cards, start=1):
        if not _ask_verdict(session, card, f"{number} of {len(cards)}"):
            break
    session.refresh()


def _ask_verdict(session: Session, card: ReviewCard, position: str) -> bool:
    """Show one task and carry out the reviewer's keys; return whether to go on with the next."""
    session.answer(review_view.card(card))
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
        _show_diff(session, task, ())
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
    text, who = read_message(""), services.review.current_reviewer(session.workspace)
    return [Comment(text=text, author=who, attempt=task.attempts)] if text else []


@click.command("diff", context_settings={"ignore_unknown_options": True})
@click.argument("task", required=False, type=TASK)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("--stat", is_flag=True, help="Show file names and line counts only.")
@pass_session
def diff_command(session: Session, task: str | None, options: tuple[str, ...], stat: bool) -> None:
    """Show the changes of a task's branch.

    Uses your pager. OPTIONS are passed to git diff.
    """
    chosen = session.find(task)
    if session.json:
        session.answer("", schema.review.DiffAnswer.of(services.review.review_card(session.workspace, chosen)))
        return
    sys.exit(_show_diff(session, chosen, ("--stat", *options) if stat else options))


def _show_diff(session: Session, task: Task, options: Sequence[str]) -> int:
    """Run `git diff` on the terminal, with the user's configuration: pager, colours, external diff."""
    if task.tip is None or task.base is None:
        raise Refused("no-commits", f"{task.id} has no commits yet", why=task.reason)
    common = session.workspace.repository.common_dir
    sys.stdout.flush()
    # --text: an agent's .gitattributes must not be able to hide a change as binary
    command = ["git", f"--git-dir={common}", "diff", "--text", *options, task.base, task.tip, "--"]
    return run_on_terminal(command, cwd=common)
