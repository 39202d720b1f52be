"""Parts of the answers of `diff` and `review`: hunks, and what changed since the last verdict."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gitorch.cli.schema.answer import Absent, ObjectId, Timestamp, present
from gitorch.cli.terminal.hunk_text import patch_text
from gitorch.flow.review.guided_order import group
from gitorch.flow.review.second_look import AnsweredComment, SecondLook
from gitorch.git.diff.hunk_ids import HunkPatch
from gitorch.model.credentials.redaction import redacted
from gitorch.model.review.answers import CommentAnswer


class HunkJson(msgspec.Struct, frozen=True, kw_only=True):
    """A hunk of a branch, and whether the reviewer has viewed it."""

    place: str
    """`FILE:LINE` of its first changed line, as `review --viewed` and `comment` take it; without a line for a mode or
    a rename."""
    path: str
    line: int | Absent = msgspec.UNSET
    header: str
    """Git's `@@` line; empty for what has no lines."""
    viewed: bool
    ids: list[str]
    """Patch ids of its runs of changed lines."""
    group: str
    """code, test, document, generated or renamed: what the file is for a reader, and the order of the groups."""
    commits: list[str] | Absent = msgspec.UNSET
    """Abbreviated ids and subjects of the commits that change the file, oldest first."""

    @classmethod
    def of(cls, hunk: HunkPatch, *, viewed: bool, commits: Sequence[str] = ()) -> HunkJson:
        """Return a hunk."""
        header = redacted(hunk.hunk.header) if hunk.hunk else ""
        line = present(hunk.line)
        return cls(
            place=hunk.place,
            path=hunk.file.path,
            line=line,
            header=header,
            viewed=viewed,
            ids=list(hunk.ids),
            group=group(hunk.file),
            commits=present(list(commits)),
        )


class CommentAnswerJson(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent answered to a comment; nothing of it is verified."""

    kind: str
    """done, kept or refuted; answered for a question."""
    commit: str | Absent = msgspec.UNSET
    text: str | Absent = msgspec.UNSET

    @classmethod
    def of(cls, answer: CommentAnswer) -> CommentAnswerJson:
        """Return an answer."""
        return cls(kind=answer.kind, commit=present(answer.commit), text=present(answer.text))


class AnsweredCommentJson(msgspec.Struct, frozen=True, kw_only=True):
    """A comment of the last review."""

    number: int
    text: str
    file: str | Absent = msgspec.UNSET
    line: int | Absent = msgspec.UNSET
    answer: CommentAnswerJson | None
    """Null: the agent did not answer it."""

    @classmethod
    def of(cls, entry: AnsweredComment) -> AnsweredCommentJson:
        """Return a comment with its answer."""
        comment = entry.comment
        return cls(
            number=entry.number,
            text=comment.text,
            file=present(comment.file),
            line=present(comment.line),
            answer=CommentAnswerJson.of(entry.answer) if entry.answer else None,
        )


class SinceReviewJson(msgspec.Struct, frozen=True, kw_only=True):
    """What changed on the branch of a task since the last verdict."""

    verdict: str
    """approve, revise or reject; ask if there were only questions so far."""
    tip: ObjectId | None
    """The commit that the verdict was about."""
    attempt: int
    time: Timestamp | None = msgspec.field(name="when")
    hunks: list[HunkJson]
    """Those that the verdict was not about, as they are now; `viewed` is false."""
    patch: str
    """What is new in these hunks: the difference to what the verdict was about, without the changes of others."""
    gone: int
    """How many changes that it was about are no longer there."""
    comments: list[AnsweredCommentJson]
    commits: list[str]
    """As `git range-diff` pairs them."""

    @classmethod
    def of(cls, comparison: SecondLook) -> SinceReviewJson:
        """Return a second look."""
        marks = comparison.marks
        return cls(
            verdict=marks.verdict,
            tip=marks.tip,
            attempt=marks.attempt,
            time=marks.time or None,
            hunks=[HunkJson.of(hunk, viewed=False) for hunk in comparison.hunks],
            patch=patch_text(comparison.changes),
            gone=comparison.gone,
            comments=[AnsweredCommentJson.of(entry) for entry in comparison.comments],
            commits=list(comparison.commits),
        )
