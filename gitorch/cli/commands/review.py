"""`review`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.commands.diff import show_new_changes
from gitorch.cli.commands.review_file import edit_review, leave_comments, read_review
from gitorch.cli.commands.review_keys import review_interactively
from gitorch.cli.session import TASK, Session, pass_session
from gitorch.model.task import State, Task

if TYPE_CHECKING:
    from gitorch.flow.review import ReviewCard


@click.command("review")
@click.argument("task", required=False, type=TASK)
@click.option("--list", "only_list", is_flag=True, help="List the finished tasks; ask nothing.")
@click.option("--repeated", is_flag=True, help="List comments that you made on two or more tasks; ask nothing.")
@click.option("--viewed", multiple=True, metavar="PLACE", help="Mark the hunks at FILE or FILE:LINE as viewed.")
@click.option("--not-viewed", multiple=True, metavar="PLACE", help="Remove the marks at FILE or FILE:LINE.")
@click.option("--flat", is_flag=True, help="Keep git's order of files, not the order to read them.")
@click.option(
    "-e", "--edit", is_flag=True, help="Write a review of TASK in your editor, between the lines of its diff."
)
@click.option(
    "-F", "--file", type=click.File(encoding="utf-8"), metavar="FILE", help="Read a review from FILE (- is stdin)."
)
@pass_session
def review_command(
    session: Session,
    task: str | None,
    only_list: bool,
    repeated: bool,
    viewed: tuple[str, ...],
    not_viewed: tuple[str, ...],
    flat: bool,
    edit: bool,
    file: TextIO | None,
) -> None:
    """Review finished tasks, or one TASK: first those that others wait for, then the riskiest.

    On a terminal, it shows each task with the keys for a verdict; ? explains them. A mark of a viewed hunk survives a
    rebase, and ends when the hunk changes. Exits with 10 if comments wait to be sent.
    """
    if repeated:
        _show_repeated(session)
        return
    if edit or file:
        _write(session, session.find(task), file, flat=flat)
        return
    if viewed or not_viewed:
        _mark(session, session.find(task), viewed, not_viewed, flat=flat)
        return
    workspace = session.workspace
    session.check_forecast()
    if task:
        cards = [services.reviewing.review.review_card(workspace, session.find(task))]
    else:
        cards = services.reviewing.review.cards_in_order(workspace)
    if only_list or not session.interactive:
        text = views.reviewing.review.card(cards[0]) if task else views.reviewing.review.review_list(cards)
        session.answer(text, schema.review.ReviewAnswer.of(cards))
        if task and not only_list:
            if not session.json:
                show_new_changes(session, cards[0].task)
            session.mark_shown(cards[0].task)
        return
    if not task:
        session.answer(views.reviewing.review.review_list(cards, begins=True))
    commented = review_interactively(session, cards, flat=flat)
    session.refresh()
    _offer_lessons(session, cards)
    _say_next(session, [card.task for card in cards])
    leave_comments(session, commented)


def _show_repeated(session: Session) -> None:
    """Answer with the comments that could be said once, and the commands that queue a task for it."""
    repeated = services.reviewing.lessons.repeated_comments(session.workspace)
    session.answer(
        views.reviewing.lessons.repeated_comments(repeated), schema.review.ReviewAnswer.of([], repeated=repeated)
    )


def _say_next(session: Session, tasks: Sequence[Task]) -> None:
    """Tell the reviewer which commands carry out the verdicts on these tasks."""
    states = {session.find(task.id).state for task in tasks}
    if State.QUEUED in states:
        session.say("next: orchestrate run")
    if State.APPROVED in states:
        session.say("next: orchestrate merge --dry-run")


def _offer_lessons(session: Session, cards: Sequence[ReviewCard]) -> None:
    """Tell the reviewer which comments on these tasks were made on other tasks, too."""
    names = {card.task.id for card in cards}
    repeated = services.reviewing.lessons.repeated_comments(session.workspace)
    if about_these := [comment for comment in repeated if names & {*comment.tasks}]:
        session.say(views.reviewing.lessons.offer(about_these))


def _write(session: Session, task: Task, file: TextIO | None, *, flat: bool) -> None:
    """Take a review from a file, or from the editor."""
    reviewed = read_review(session, task, file.read()) if file else edit_review(session, task, flat=flat)
    session.refresh()
    if session.json:
        session.answer(
            "", schema.review.ReviewAnswer.of([services.reviewing.review.review_card(session.workspace, reviewed)])
        )
    if reviewed.state is task.state:
        leave_comments(session, [reviewed])
    else:
        _say_next(session, [reviewed])


def _mark(session: Session, task: Task, viewed: tuple[str, ...], not_viewed: tuple[str, ...], *, flat: bool) -> None:
    """Mark hunks as viewed or not, and answer with what is left to view."""
    workspace = session.workspace
    reviewer = services.reviewing.comments.current_reviewer(workspace)
    for places, is_viewed in ((viewed, True), (not_viewed, False)):
        hunks = services.reviewing.second_look.branch_hunks(workspace, task).hunks
        marked = [hunk for place in places for hunk in services.reviewing.second_look.find_hunks(hunks, place)]
        services.reviewing.second_look.mark_viewed(workspace, task, marked, reviewer, viewed=is_viewed)
    branch = services.reviewing.second_look.branch_hunks(workspace, task, flat=flat)
    session.answer(
        f"{task.id}: {len(branch.unviewed)} of {len(branch.hunks)} hunks to view",
        schema.review.ReviewAnswer.of([services.reviewing.review.review_card(workspace, task)], branch),
    )
