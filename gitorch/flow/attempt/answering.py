"""An attempt that only answers questions: what its agent changed is put aside, and its branch stays as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gitorch.flow.attempt.opened_attempt import OpenedAttempt, room_spec
from gitorch.git.worktrees import rescue_points
from gitorch.model.naming import rescue_ref
from gitorch.model.review import answers
from gitorch.model.task import Comment, Task, base_of, current_attempt
from gitorch.rooms.context import RunContext
from gitorch.rooms.protocol import Collected, CollectResult, NoChanges


def put_aside(context: RunContext, task: Task, opened: OpenedAttempt, collected: CollectResult) -> bool:
    """Bring the branch back to where the attempt started; return whether the agent had changed anything.

    Its commits are kept in a rescue point, files that could not be collected in another one. It can be repeated.
    """
    start = current_attempt(task).start or base_of(task)
    is_same = isinstance(collected, Collected) and collected.tip == start
    if is_same or isinstance(collected, NoChanges):
        return False
    if isinstance(collected, Collected):
        message = f"what the agent of {task.id} changed although it was only asked"
        rescue_points.save_commits(context.repository, rescue_ref(task.id), collected.tip, message)
    context.rooms.give_up(room_spec(context, task), start)
    opened.room.follow_branch()
    return True


def answered_questions(comments: Sequence[Comment], message: str, *, is_only: bool) -> tuple[Comment, ...]:
    """Return the questions of a review that an agent's last message answers, each with its answer.

    A message without numbers answers all of them, if nothing else was asked.
    """
    texts: Mapping[int, str] = answers.read_question_answers(message)
    numbers = [number for number, comment in enumerate(comments, start=1) if comment.is_question]
    if is_only and not texts and (message_text := answers.whole_answer(message)):
        texts = dict.fromkeys(numbers, message_text)
    return tuple(
        msgspec.structs.replace(comments[number - 1], answer=texts[number]) for number in numbers if number in texts
    )


def unanswered(comments: Sequence[Comment], answered: Sequence[Comment]) -> tuple[Comment, ...]:
    """Return the questions among the comments of a review that have no answer."""
    answered_questions_only = {msgspec.structs.replace(comment, answer="") for comment in answered}
    return tuple(comment for comment in comments if comment.is_question and comment not in answered_questions_only)
