"""The keys of an interactive review, as in `git add -p`: one task at a time."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from gitorch import services
from gitorch.cli import views
from gitorch.cli.commands.apply import apply_suggestions
from gitorch.cli.commands.diff import show_diff, show_new_changes, show_resolution, show_second_look
from gitorch.cli.commands.hunk_keys import walk_hunks
from gitorch.cli.commands.review_file import edit_review
from gitorch.cli.commands.text_editor import user_editor
from gitorch.cli.commands.verdicts import read_message, sent_words
from gitorch.cli.commands.viewer import open_viewer
from gitorch.cli.session import Session
from gitorch.cli.terminal.keys import INTERRUPTS, read_key
from gitorch.cli.terminal.sanitize import safe
from gitorch.errors import GitorchError, Refused
from gitorch.executors.foreground import run_on_terminal
from gitorch.model.review.severity import with_severity
from gitorch.model.task import Comment, State, Task

if TYPE_CHECKING:
    from gitorch.flow.review import ReviewCard

# each fits a line of 80 cells with its number and the key that is pressed
PROMPT = "[d]iff [h]unks [c]omment [t] checks [a]pprove [r]evise [n]ext [?]"
PROMPT_AGAIN = "[i] since then [d]iff [h]unks [c]omment [a]pprove [r]evise [n]ext [?]"
HELP = """\
d  the diff, in your pager               a  approve
v  the diff, in your viewer              r  revise: send back with your comments
h  hunk by hunk, with viewed marks       x  reject; the branch is kept
i  what changed since your last verdict  n  next task
c  comment (?? asks a question)          q  quit
e  write the review in your editor       s  this page, with your comments
t  checks with their output              o  open the worktree in your editor
l  the agent's log                       y  apply your suggestions
m  the resolution of its conflict"""


def review_interactively(session: Session, cards: Sequence[ReviewCard], *, flat: bool) -> list[Task]:
    """Show one task after the other, and carry out the reviewer's keys; return those with comments left to send."""
    for number, listed in enumerate(cards, start=1):
        current = session.find(listed.task.id)
        if listed.rivals and current.state is not listed.task.state:
            continue  # another of its rivals was picked
        # a verdict on one task changes what the others build on
        card = listed if number == 1 else services.reviewing.review.review_card(session.workspace, current)
        if not _ask_verdict(session, card, f"{number}/{len(cards)}", flat=flat):
            break
    tasks = [session.find(card.task.id) for card in cards]
    return [task for task in tasks if task.comments and task.state is not State.QUEUED]


def _ask_verdict(session: Session, card: ReviewCard, position: str, *, flat: bool) -> bool:
    """Show one task and carry out keys until it has its verdict; return whether to go on with the next."""
    session.answer(views.reviewing.review.card(card))
    is_again = show_new_changes(session, card.task)
    session.mark_shown(card.task)
    while True:
        click.echo(f"{position} {PROMPT_AGAIN if is_again else PROMPT} ", nl=False, err=True)
        key = read_key()
        click.echo(key if key.isprintable() else "", err=True)
        if key in ("n", "q", *INTERRUPTS):
            return key == "n"
        action = _ACTIONS.get(key)
        if key == "h":
            action = partial(_hunks, flat=flat)
        if action is None:
            click.echo(HELP, err=True)
            continue
        try:
            if action(session, card.task):
                return True
        except GitorchError as error:
            session.fail(error)


def _diff(session: Session, task: Task) -> bool:
    show_diff(session, task, ())
    return False


def _viewer(session: Session, task: Task) -> bool:
    open_viewer(session, session.find(task.id))
    return False


def _hunks(session: Session, task: Task, *, flat: bool) -> bool:
    walk_hunks(session, session.find(task.id), flat=flat)
    return False


def _since_review(session: Session, task: Task) -> bool:
    show_second_look(session, session.find(task.id))
    return False


def _resolution(session: Session, task: Task) -> bool:
    show_resolution(session, session.find(task.id))
    return False


def _log(session: Session, task: Task) -> bool:
    return _orchestrate(session, "log", task.id)


def _orchestrate(session: Session, *words: str) -> bool:
    run_on_terminal([sys.executable, "-m", "gitorch", "-C", str(session.start), *words])
    return False


def _checks(session: Session, task: Task) -> bool:
    session.answer(views.reviewing.review.checks_with_output(session.find(task.id)))
    return False


def _summary(session: Session, task: Task) -> bool:
    session.answer(
        views.reviewing.review.card(services.reviewing.review.review_card(session.workspace, session.find(task.id)))
    )
    return False


def _open(session: Session, task: Task) -> bool:
    if not task.worktree:
        raise Refused("no-worktree", f"{task.id} has no worktree", fix=(f"orchestrate preview {task.id}",))
    editor = user_editor(session.workspace.repository) or "vi"
    # the command comes from the user's configuration, and git gives it to a shell too
    run_on_terminal(["/bin/sh", "-c", f"{editor} {shlex.quote(task.worktree)}"])
    return False


def _comment(session: Session, task: Task) -> bool:
    comments = _comments(session, task)
    if not comments:
        session.say("no comment was written")
    for comment in comments:
        commented = services.reviewing.comments.add_comment(session.workspace, session.find(task.id), comment)
        count = len(commented.comments)
        session.say(f"{views.quantities.plural(count, 'comment')} {'waits' if count == 1 else 'wait'} to be sent")
    return False


def _edit(session: Session, task: Task) -> bool:
    before = session.find(task.id)
    return edit_review(session, before).state is not before.state


def _apply(session: Session, task: Task) -> bool:
    apply_suggestions(session, session.find(task.id))
    session.mark_shown(session.find(task.id))
    return False


def _approve(session: Session, task: Task) -> bool:
    workspace = session.workspace
    reviewer = services.reviewing.comments.current_reviewer(workspace)
    _, *rivals = services.reviewing.review.approve(workspace, [session.find(task.id)], reviewer)
    session.say(f"approved {task.id}")
    for rival in rivals:
        session.say(f"{rival.id}  {rival.state}: {safe(rival.full_reason)}")
    return True


def _revise(session: Session, task: Task) -> bool:
    workspace, current = session.workspace, session.find(task.id)
    comments = [] if current.comments else _comments(session, task)
    revised = services.reviewing.review.revise(
        workspace, current, services.reviewing.comments.current_reviewer(workspace), comments
    )
    session.say(sent_words(revised))
    return True


def _reject(session: Session, task: Task) -> bool:
    workspace = session.workspace
    services.reviewing.review.reject(
        workspace, session.find(task.id), services.reviewing.comments.current_reviewer(workspace)
    )
    session.say(f"rejected {task.id}; its branch is kept, and `orchestrate undo` takes the verdict back")
    return True


def _comments(session: Session, task: Task) -> list[Comment]:
    """Return the comment that the reviewer writes in an editor, if any."""
    text, reviewer = read_message(session), services.reviewing.comments.current_reviewer(session.workspace)
    return [with_severity(Comment(text=text, author=reviewer, attempt=task.attempts))] if text else []


_ACTIONS: dict[str, Callable[[Session, Task], bool]] = {
    "d": _diff,
    "v": _viewer,
    "i": _since_review,
    "c": _comment,
    "e": _edit,
    "t": _checks,
    "l": _log,
    "m": _resolution,
    "o": _open,
    "s": _summary,
    "y": _apply,
    "a": _approve,
    "r": _revise,
    "x": _reject,
}
