"""The comments of a review as an agent gets them: numbered, with place, severity, code, words and suggestion."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gitorch.model.markdown_fences import closed, fenced
from gitorch.model.review import answers
from gitorch.model.task import Comment

_SEVERITIES = {
    "must": "must: it is not accepted without this",
    "should": "should: do it, or say why not",
    "note": "note: for your information, nothing has to change",
}


def review_section(comments: Sequence[Comment], attempts: int) -> list[str]:
    """Return the part of a brief with the comments of a review; none without any."""
    if not comments:
        return []
    intro = (
        f"A reviewer read your branch (attempt {_reviewed(comments, attempts)}) and sent it back. "
        "Address each point with a change.\n"
    )
    asked = [f"\n{answers.ASKED_TO_ANSWER}"] if any(comment.is_question for comment in comments) else []
    return ["\n# Comments of the review\n", intro, *_numbered(comments), answers.ASKED, *asked]


def questions_section(comments: Sequence[Comment], attempts: int) -> list[str]:
    """Return the part of a brief with the questions of a reviewer, who wants answers and no change."""
    intro = (
        f"A reviewer read your branch (attempt {_reviewed(comments, attempts)}) and has questions. Only answer them: "
        "change no file and make no commit. What you change now is put aside.\n"
    )
    return [
        "# Questions of the reviewer\n",
        intro,
        *_numbered(comments),
        f"End with a message. {answers.ASKED_TO_ANSWER}",
    ]


def _reviewed(comments: Sequence[Comment], attempts: int) -> int:
    return max((comment.attempt for comment in comments), default=0) or attempts


def _numbered(comments: Sequence[Comment]) -> list[str]:
    return [_comment(number, comment) for number, comment in enumerate(comments, start=1)]


def _comment(number: int, comment: Comment) -> str:
    """Return a comment as its own paragraph: in a list, its later lines would be indented."""
    line_end = re.search(r"\r\n|\r|\n", comment.text)
    first_end = line_end.end() if line_end else len(comment.text)
    kind = "Question" if comment.is_question else "Comment"
    text = f"{kind} {number}. {_location(comment)}{comment.text[:first_end]}{closed(comment.text[first_end:])}\n"
    if comment.is_question:
        text += "\n(a question: answer it, and change nothing for it)\n"
    elif comment.severity in _SEVERITIES:
        text += f"\n({_SEVERITIES[comment.severity]})\n"
    if comment.code:
        text += f"\nThe code that the reviewer saw there:\n\n{fenced(comment.code)}\n"
    if comment.suggestion is not None:
        text += f"\nThe reviewer suggests to replace these lines with:\n\n{fenced(comment.suggestion)}\n"
    return text


def _location(comment: Comment) -> str:
    side = f" ({comment.side}, which the branch removes)" if comment.side else ""
    return f"`{comment.place}`{side}: " if comment.file else ""
