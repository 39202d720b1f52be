"""`comment`, `approve`, `revise`, `reject`."""

from __future__ import annotations

import re

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import APPROVABLE_TASK, JUDGED_TASK, STARTED_TASK
from gitorch.cli.commands.text_editor import edit_text
from gitorch.cli.session import UNDO_HINT, Session, pass_session
from gitorch.cli.terminal.sanitize import safe
from gitorch.model.review.severity import with_severity
from gitorch.model.task import Comment, State, Task

_EDITOR_HINT = "Write what should change."
_IGNORED = "Lines that start with # are ignored."


def sent_words(task: Task) -> str:
    """Return what `revise` has come to: sent back, asked only, or its own question answered."""
    if task.before_questions is not None:
        return f"{task.id} is asked {views.quantities.plural(len(task.comments), 'question')} in the next run"
    return f"answered {task.id}" if task.answer else f"sent {task.id} back"


def read_message(session: Session, hint: str = _EDITOR_HINT) -> str:
    """Return the message that the reviewer writes in an editor; it shows a hint."""
    lines = "".join(f"# {line}\n" for line in [*hint.splitlines(), _IGNORED])
    text = edit_text(session, f"\n{lines}") or ""
    return "\n".join(line for line in text.splitlines() if not line.startswith("#")).strip()


@click.command("comment")
@click.argument("name", type=STARTED_TASK, metavar="TASK")
@click.argument("position", required=False, metavar="[FILE[:LINE[-END]]]")
@click.option("-m", "--message", default="", help="The comment (default: write it in your editor).")
@click.option(
    "--severity",
    type=click.Choice(["must", "should", "note"]),
    help="How much it weighs; `must: ...` as the comment says the same.",
)
@click.option("--old", is_flag=True, help="LINE is one of the base, which the branch removes.")
@pass_session
def comment_command(
    session: Session, name: str, position: str | None, message: str, severity: str | None, old: bool
) -> None:
    """Comment on a task, a file, or lines of a file. The place must exist.

    FILE is a path from the top of the repository, or from the folder you are in. The comments are sent by `revise`.
    """
    task, workspace = session.find(name), session.workspace
    text = message or (read_message(session) if session.interactive else "")
    typed, line, end = _parse_position(position or "")
    file = services.input_checks.typed_file(workspace.repository, task, typed, session.start)
    reviewer = services.reviewing.comments.current_reviewer(workspace)
    comment = Comment(
        text=text,
        file=file,
        line=line,
        end=end,
        is_old=old,
        severity=severity or "",
        author=reviewer,
        attempt=task.attempts,
    )
    commented = services.reviewing.comments.add_comment(workspace, task, comment)
    answer = schema.review.CommentAnswer(task=schema.task.TaskJson.of(commented))
    session.answer(f"{task.id}: {views.quantities.plural(len(commented.comments), 'comment')}", answer)
    session.say(f"next: orchestrate revise {task.id}")
    if commented.comments[-1].suggestion is not None:
        session.say(f"or, to apply the suggestion yourself: orchestrate apply {task.id}")


def _parse_position(position: str) -> tuple[str, int, int]:
    """Split `FILE[:LINE[-END]]`; line 0 means the whole file, end 0 the one line."""
    file, _, lines = position.rpartition(":")
    if file and (match := re.fullmatch(r"([1-9]\d*)(?:-([1-9]\d*))?", lines)):
        return file, int(match[1]), int(match[2] or 0)
    return position, 0, 0


@click.command("approve")
@click.argument("names", nargs=-1, type=APPROVABLE_TASK, metavar="[TASKS]...")
@click.option(
    "--all",
    "approve_all",
    is_flag=True,
    help="Approve every finished task whose checks pass, unless it adds credentials or has changed since you saw it.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Approve even if checks fail, or credentials are added or not searched for to the end.",
)
@click.option("--pick", type=click.IntRange(1), metavar="N", help="Pick rival N of one task, not the proposed one.")
@click.option("-m", "--message", default="", help="A comment for the notes.")
@pass_session
def approve_command(
    session: Session, names: tuple[str, ...], approve_all: bool, force: bool, pick: int | None, message: str
) -> None:
    """Approve tasks for merging.

    Of rival attempts, `approve TASK` picks the proposed one. `--pick N`, or the name of a rival, picks another. This
    rejects the others; their commits stay under refs/gitorch/attempts/.
    """
    if pick is not None and (approve_all or len(names) != 1):
        raise click.UsageError("--pick needs one task")
    workspace = session.workspace
    held: list[tuple[Task, str]] = []
    if approve_all:
        tasks, held = services.reviewing.review.approvable(workspace, force=force)
        for task, reason in held:
            session.screen.warn(f"{task.id} {reason} and is not approved; see: orchestrate review {task.id}")
    else:
        tasks = [services.reviewing.rivals.chosen(workspace, task, pick) for task in session.find_all(names)]
    reviewer = services.reviewing.comments.current_reviewer(workspace)
    changed = services.reviewing.review.approve(workspace, tasks, reviewer, force=force, comment=message)
    approved = [task for task in changed if task.state in (State.APPROVED, State.MERGED)]
    rivals = [task for task in changed if task.state in (State.REJECTED, State.CANCELLED)]
    lines = [f"{task.id}  {task.state}" for task in approved]
    lines += [f"{task.id}  {task.state}: {safe(task.full_reason)}" for task in rivals]
    none_approved = "no task was approved" if held else "no task is waiting for approval"
    session.answer("\n".join(lines) or none_approved, schema.review.ApproveAnswer.of(approved, rivals, held))
    if approved:
        session.say(UNDO_HINT)
        session.say("next: orchestrate merge --dry-run")


@click.command("revise")
@click.argument("name", required=False, type=JUDGED_TASK, metavar="[TASK]")
@click.option("-m", "--message", default="", help="What should change (default: write it in your editor).")
@pass_session
def revise_command(session: Session, name: str | None, message: str) -> None:
    """Send a task back to the agent with your comments.

    The next attempt continues on the task's branch.
    """
    task, workspace = session.find(name), session.workspace
    text = message or (read_message(session) if session.interactive and not task.comments else "")
    reviewer = services.reviewing.comments.current_reviewer(workspace)
    comments = [with_severity(Comment(text=text, author=reviewer, attempt=task.attempts))] if text else []
    revised = services.reviewing.review.revise(workspace, task, reviewer, comments)
    session.refresh()
    answer = schema.review.ReviseAnswer(task=schema.task.TaskJson.of(revised))
    session.answer(f"{revised.id}  {revised.state}", answer)
    session.say(UNDO_HINT)
    session.say("next: orchestrate run")


@click.command("reject")
@click.argument("name", required=False, type=JUDGED_TASK, metavar="[TASK]")
@click.option("-m", "--message", default="", help="A comment for the notes.")
@pass_session
def reject_command(session: Session, name: str | None, message: str) -> None:
    """Reject a task. Its branch is kept."""
    workspace = session.workspace
    reviewer = services.reviewing.comments.current_reviewer(workspace)
    rejected = services.reviewing.review.reject(workspace, session.find(name), reviewer, message)
    session.refresh()
    answer = schema.review.RejectAnswer(task=schema.task.TaskJson.of(rejected))
    session.answer(f"{rejected.id}  {rejected.state}", answer)
    session.say(UNDO_HINT)
