"""`review`, `diff`, `comment`, `approve`, `revise`, `reject`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import TASK, WAY_BACK, Session, pass_session
from gitorch.errors import GitorchError, InvalidInput, Refused
from gitorch.executors.foreground import run_on_terminal
from gitorch.model.task import Comment, State, Task

if TYPE_CHECKING:
    from gitorch.flow.review import Card


@click.command("review")
@click.argument("task", required=False, type=TASK)
@click.option("--list", "only_list", is_flag=True, help="List what waits, and ask nothing.")
@pass_session
def review_command(session: Session, task: str | None, only_list: bool) -> None:
    """Go through finished work, the riskiest first; with TASK, one task.

    On a terminal each task is shown with the keys for a verdict.
    """
    from gitorch.cli.views import review as review_view
    from gitorch.flow import review

    workspace = session.workspace
    if task:
        cards = [services.review.review_card(workspace, session.find(task))]
    else:
        waiting = [one for one in workspace.tasks.values() if one.state is State.FINISHED and one.tip]
        cards = review.by_risk([services.review.review_card(workspace, one) for one in waiting])
    asking = session.interactive and not only_list
    if not asking:
        text = review_view.card(cards[0]) if task else review_view.review_list(cards)
        session.answer(text, schema.review.ReviewAnswer.of(cards))
        return
    if not task:
        session.answer(review_view.review_list(cards))
    for at, one in enumerate(cards, start=1):
        if not _ask_verdict(session, one, f"{at} of {len(cards)}"):
            break
    session.refresh()


_KEYS = "[d]iff  [a]pprove  [r]evise  [x] reject  [c]omment  [l]og  [n]ext  [q]uit"


def _ask_verdict(session: Session, card: Card, place: str) -> bool:
    """Show one task and carry out the reviewer's keys; return whether to go on with the next."""
    from gitorch.cli.views import review as review_view

    session.answer(review_view.card(card))
    while True:
        click.echo(f"{place}  {_KEYS} ", nl=False, err=True)
        key = click.getchar()
        click.echo(key if key.isprintable() else "", err=True)
        if key in ("n", "q", "\x03", "\x04"):
            return key == "n"
        try:
            if _key(session, card.task, key):
                return True
        except GitorchError as error:
            session.fail(error)


def _key(session: Session, task: Task, key: str) -> bool:
    """Carry out one key; return whether the task has its verdict."""
    workspace, who = session.workspace, _who(session)
    if key == "d":
        _show_diff(session, task, ())
    elif key == "l":
        run_on_terminal([sys.executable, "-m", "gitorch", "-C", str(session.start), "log", task.id])
    elif key == "c":
        if words := _words(""):
            services.review.comment(
                workspace,
                services.lookup.find_task(workspace, task.id),
                Comment(text=words, who=who, attempt=task.attempts),
            )
    elif key == "a":
        services.review.approve(workspace, [services.lookup.find_task(workspace, task.id)], who)
        session.say(f"approved {task.id}")
        return True
    elif key == "r":
        now = services.lookup.find_task(workspace, task.id)
        words = _words("")
        said = [Comment(text=words, who=who, attempt=task.attempts)] if words else []
        services.review.revise(workspace, now, who, said)
        session.say(f"sent {task.id} back")
        return True
    elif key == "x":
        services.review.reject(workspace, services.lookup.find_task(workspace, task.id), who)
        session.say(f"rejected {task.id}; its branch is kept")
        return True
    return False


def _who(session: Session) -> str:
    return session.workspace.repository.committer().rpartition(">")[0] + ">"


def _words(given: str) -> str:
    """Return the reviewer's words: given on the command line, or written in an editor."""
    if given:
        return given
    text = click.edit("\n# Say what should be different. Lines that start with # are left out.\n") or ""
    return "\n".join(line for line in text.splitlines() if not line.startswith("#")).strip()


@click.command("diff", context_settings={"ignore_unknown_options": True})
@click.argument("task", required=False, type=TASK)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("--stat", is_flag=True, help="Only which files, and how much.")
@pass_session
def diff_command(session: Session, task: str | None, options: tuple[str, ...], stat: bool) -> None:
    """Show what a task's branch changes, through your own pager. Further OPTIONS are git diff's."""
    found = session.find(task)
    if session.json:
        session.answer("", schema.review.DiffAnswer.of(services.review.review_card(session.workspace, found)))
        return
    sys.exit(_show_diff(session, found, ("--stat", *options) if stat else options))


def _show_diff(session: Session, task: Task, options: Sequence[str]) -> int:
    """Run `git diff` on the terminal, with the user's configuration: pager, colours, external diff."""
    if task.tip is None or task.base is None:
        raise Refused("no-commits", f"{task.id} has no commits yet", why=task.reason)
    common = session.workspace.repository.common_dir
    sys.stdout.flush()
    # --text: an agent's .gitattributes must not be able to hide a change as binary
    command = ["git", f"--git-dir={common}", "diff", "--text", *options, task.base, task.tip, "--"]
    return run_on_terminal(command, cwd=common)


@click.command("comment")
@click.argument("task", type=TASK)
@click.argument("place", required=False, metavar="[FILE[:LINE]]")
@click.option("-m", "--message", default="", help="The words; without it your editor opens.")
@pass_session
def comment_command(session: Session, task: str, place: str | None, message: str) -> None:
    """Say something about a line, a file or the whole task; `revise` sends it."""
    found = session.find(task)
    words = message or (_words("") if session.interactive else "")
    if not words:
        raise InvalidInput("no-comment", "the comment is empty", fix=(f'orchestrate comment {found.id} -m "..."',))
    file, _, line = (
        (place or "").rpartition(":") if (place or "").rpartition(":")[2].isdigit() else (place or "", "", "")
    )
    comment = Comment(text=words, file=file, line=int(line or 0), who=_who(session), attempt=found.attempts)
    commented = services.review.comment(session.workspace, found, comment)
    answer = schema.review.CommentAnswer(task=schema.task.TaskJson.of(commented))
    session.answer(f"{found.id}: {len(commented.comments)} comments", answer)
    session.say(f"next: orchestrate revise {found.id}")


@click.command("approve")
@click.argument("tasks", nargs=-1, type=TASK)
@click.option("--all", "every", is_flag=True, help="All finished tasks whose checks pass.")
@click.option("--force", is_flag=True, help="Although checks fail.")
@click.option("-m", "--message", default="", help="A word on why.")
@pass_session
def approve_command(session: Session, tasks: tuple[str, ...], every: bool, force: bool, message: str) -> None:
    """Accept tasks for merging."""
    workspace = session.workspace
    if every:
        finished = (task for task in workspace.tasks.values() if task.state is State.FINISHED)
        chosen = [task for task in finished if force or task.passed is not False]
    elif tasks:
        chosen = [services.lookup.find_task(workspace, name) for name in tasks]
    else:
        raise InvalidInput("which-task", "which task? Name one, or pass --all")
    approved = services.review.approve(workspace, chosen, _who(session), force=force, comment=message)
    session.answer(
        "\n".join(f"{task.id}  {task.state}" for task in approved) or "nothing waits for approval",
        schema.review.ApproveAnswer(tasks=schema.task.tasks_json(approved)),
    )
    if approved:
        session.say(WAY_BACK)
        session.say("next: orchestrate merge --dry-run")


@click.command("revise")
@click.argument("task", required=False, type=TASK)
@click.option("-m", "--message", default="", help="What should be different; without it your editor opens.")
@pass_session
def revise_command(session: Session, task: str | None, message: str) -> None:
    """Send a task back: its next attempt goes on with the branch and gets your comments."""
    found = session.find(task)
    words = message or (_words("") if session.interactive and not found.comments else "")
    said = [Comment(text=words, who=_who(session), attempt=found.attempts)] if words else []
    revised = services.review.revise(session.workspace, found, _who(session), said)
    session.refresh()
    answer = schema.review.ReviseAnswer(task=schema.task.TaskJson.of(revised))
    session.answer(f"{revised.id}  {revised.state}", answer)
    session.say(WAY_BACK)
    session.say("next: orchestrate run")


@click.command("reject")
@click.argument("task", required=False, type=TASK)
@click.option("-m", "--message", default="", help="A word on why.")
@pass_session
def reject_command(session: Session, task: str | None, message: str) -> None:
    """Drop a task. Its branch is kept."""
    rejected = services.review.reject(session.workspace, session.find(task), _who(session), message)
    session.refresh()
    answer = schema.review.RejectAnswer(task=schema.task.TaskJson.of(rejected))
    session.answer(f"{rejected.id}  {rejected.state}", answer)
    session.say(WAY_BACK)
