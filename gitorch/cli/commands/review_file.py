"""`review --edit` and `review --file`: the review of a task as one text."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gitorch import services
from gitorch.cli import views
from gitorch.cli.commands.text_editor import edit_text
from gitorch.cli.session import Session
from gitorch.errors import InvalidInput, Refused
from gitorch.model.task import Comment, Task

_COMMENTS_LEFT = 10
"""The exit code when comments wait to be sent."""


def edit_review(session: Session, task: Task, *, flat: bool = False) -> Task:
    """Open the review file of a task in the user's editor, and do what it says; return the task."""
    branch = services.reviewing.second_look.branch_hunks(session.workspace, task, flat=flat)
    quoted = views.reviewing.review_file.quoted_lines(branch.hunks)
    title = f"Review of {task.id}, attempt {task.attempts}: {session.screen.out.clean(task.title)}"
    before = views.reviewing.review_file.render(title, quoted, task.comments)
    text = edit_text(session, before, extension=".diff")
    if text is None or text == before or not text.strip():  # as git gives up an empty commit message
        session.say(f"{task.id}: the review is as it was")
        return task
    try:
        return _carry_out(session, task, text, quoted)
    except InvalidInput:
        folder = session.workspace.folder / "reviews"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{task.id}.diff").write_text(text, "utf-8")
        session.say(f"your text is in {folder / f'{task.id}.diff'}; correct it, and pass it with --file")
        raise


def read_review(session: Session, task: Task, text: str) -> Task:
    """Do what the text of a review file says; return the task.

    An empty one is what a broken pipe leaves, not a review that wants every comment gone.
    """
    if not text.strip():
        raise InvalidInput("no-comment", f"the review of {task.id} is empty", fix=(f"orchestrate review {task.id} -e",))
    branch = services.reviewing.second_look.branch_hunks(session.workspace, task)
    return _carry_out(session, task, text, views.reviewing.review_file.quoted_lines(branch.hunks))


def leave_comments(session: Session, tasks: list[Task]) -> None:
    """End with the exit code for comments that wait to be sent, if there are any."""
    if commented := [task for task in tasks if task.comments]:
        for task in commented:
            session.say(
                f"{views.quantities.plural(len(task.comments), 'comment')} to send: orchestrate revise {task.id}"
            )
        session.print_notices()
        raise SystemExit(_COMMENTS_LEFT)


def _carry_out(session: Session, task: Task, text: str, quoted: list[views.reviewing.review_file.QuotedLine]) -> Task:
    """Keep the comments of a review file, and give its verdict."""
    workspace = session.workspace
    review, reviewer = (
        views.reviewing.review_file.parse(text, quoted),
        services.reviewing.comments.current_reviewer(workspace),
    )
    comments = [msgspec.structs.replace(comment, author=reviewer, attempt=task.attempts) for comment in review.comments]
    if review.verdict == "approve" and comments:
        raise Refused(
            "comments-left",
            f"{task.id} has comments that no agent would get",
            fix=("write revise or comment as the verdict, or remove the comments",),
        )
    session.mark_shown(services.branches.branch_tips.branch_state(workspace, task).task)
    pending = task.comments
    if comments or task.comments:
        task = services.reviewing.comments.replace_comments(workspace, task, comments)
    if review.verdict == "revise":
        task = services.reviewing.review.revise(workspace, task, reviewer, [])
    elif review.verdict == "approve":
        task, *_ = services.reviewing.review.approve(workspace, [task], reviewer)  # its rivals follow
    elif review.verdict == "reject":
        task = services.reviewing.review.reject(workspace, task, reviewer)
    words = views.quantities.plural(len(task.comments), "comment") if review.verdict == "comment" else str(task.state)
    session.say(f"{task.id}: {words}{_removed(pending, comments)}")
    return task


def _removed(before: Sequence[Comment], after: Sequence[Comment]) -> str:
    """Return how many comments were removed, in words: who writes a file from scratch may not know of them."""
    places = [comment.place for comment in after]
    gone = sum(comment.place not in places for comment in before)
    return f", {views.quantities.plural(gone, 'earlier comment')} removed" if gone else ""
