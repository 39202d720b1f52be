"""The comments of a review that wait to be sent: added one by one, by another program, or as an edited review."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from gitorch.errors import InvalidInput, Refused
from gitorch.model.review import suggestions
from gitorch.model.review.severity import with_severity
from gitorch.model.task import Comment, State, Task, change
from gitorch.services import people_only
from gitorch.services.branches.stale import mark_dependents_stale
from gitorch.services.changes import change_tasks
from gitorch.services.reviewing.comment_places import placed
from gitorch.services.workspace import Workspace
from gitorch.storage.tasks import Pair

SENT_BACK = "sent back"
"""The reason of a queued task whose reviewer wants changes."""


def current_reviewer(workspace: Workspace) -> str:
    """Return the current reviewer: the name and mail of the git identity, and the program that speaks for it."""
    client = f" (through {os.environ[people_only.PROGRAM_VARIABLE]})" if people_only.is_program() else ""
    return workspace.repository.committer().rpartition(">")[0] + ">" + client


def add_comment(workspace: Workspace, task: Task, comment: Comment) -> Task:
    """Add a reviewer's comment to a task; `revise` sends it."""
    return add_comments(workspace, task, [comment])


def add_comments(workspace: Workspace, task: Task, comments: Sequence[Comment]) -> Task:
    """Add comments to a task, all or none; raise `InvalidInput` if one is empty, or if its place does not exist."""
    if task.state is State.RUNNING:
        raise Refused("running", f"{task.id} is still running")
    if any(not comment.text.strip() and comment.suggestion is None for comment in comments):
        raise InvalidInput("no-comment", "the comment is empty", fix=(f'orchestrate comment {task.id} -m "..."',))
    added = [placed(workspace, task, _with_suggestion(with_severity(comment))) for comment in comments]
    pairs = _with_comments(workspace, task, (*task.comments, *added))
    return change_tasks(workspace, "comment", pairs, f"comment on {task.id}")[0]


def _with_suggestion(comment: Comment) -> Comment:
    """Return a comment with the suggestion block that its words hold, as on forges."""
    words, suggestion = suggestions.split(comment.text)
    if suggestion is None or comment.suggestion is not None:
        return comment
    return msgspec.structs.replace(comment, text=words, suggestion=suggestion)


def _with_comments(workspace: Workspace, task: Task, comments: tuple[Comment, ...]) -> list[Pair]:
    """Return the change of a task's comments; a queued task with more than questions is one that was sent back."""
    commented = change(task, comments=comments)
    if task.before_questions is None or all(comment.is_question for comment in comments):
        return [(task, commented)]
    sent_back = change(commented, before_questions=None, reason=SENT_BACK)
    return [(task, sent_back), *mark_dependents_stale(workspace, task)]


def keep_comments(workspace: Workspace, task: Task, comments: Sequence[Comment]) -> Task:
    """Add the comments of another program to a task: one whose place does not exist is about the task, and names it."""
    reviewer = current_reviewer(workspace)
    signed = [
        with_severity(msgspec.structs.replace(comment, author=reviewer, attempt=task.attempts)) for comment in comments
    ]
    return add_comments(workspace, task, [_placed_or_not(workspace, task, comment) for comment in signed])


def _placed_or_not(workspace: Workspace, task: Task, comment: Comment) -> Comment:
    try:
        return placed(workspace, task, comment)
    except InvalidInput:
        words = f"{comment.place}: {comment.text}"
        return msgspec.structs.replace(comment, text=words, file="", line=0, end=0, is_old=False)


def replace_comments(workspace: Workspace, task: Task, comments: Sequence[Comment]) -> Task:
    """Replace the pending comments of a task by those of an edited review; the old ones keep the code they had."""
    if task.state is State.RUNNING:
        raise Refused("running", f"{task.id} is still running")
    earlier = {(old.place, old.is_old, old.text): old for old in task.comments}
    edited = []
    for new in comments:
        old = earlier.get((new.place, new.is_old, new.text))
        fields = {name: getattr(old, name) for name in ("author", "attempt", "code", "blob")} if old else {}
        edited.append(placed(workspace, task, msgspec.structs.replace(new, **fields)))
    pairs = _with_comments(workspace, task, tuple(edited))
    return change_tasks(workspace, "comment", pairs, f"edit the review of {task.id}")[0]
