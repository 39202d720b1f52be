"""What changed since a review: the hunks that it did not see, by patch id, and its comments with their answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gitorch.git.diff.hunk_ids import HunkPatch
from gitorch.git.diff.patch_lines import LineKind
from gitorch.model.naming import Oid
from gitorch.model.note import ViewedNote
from gitorch.model.review.answers import CommentAnswer, read_answers
from gitorch.model.task import Comment

ASK = "ask"
"""What a note calls a review that had only questions."""


class ReviewMarks(msgspec.Struct, frozen=True, kw_only=True):
    """What a reviewer has viewed of a task, and the last verdict with all patches that it was about.

    `tip`, `base` and `attempt` are those of the verdict; without one, `verdict` is empty.
    """

    viewed: Counter[str] = msgspec.field(default_factory=Counter)
    verdict: str = ""
    judged: Counter[str] = msgspec.field(default_factory=Counter)
    base: Oid | None = None
    tip: Oid | None = None
    attempt: int = 0
    reviewer: str = ""
    time: str = ""


class AnsweredComment(msgspec.Struct, frozen=True):
    """A comment of the last review with its number, and the agent's answer (None: there is none)."""

    number: int
    comment: Comment
    answer: CommentAnswer | None = None


class SecondLook(msgspec.Struct, frozen=True, kw_only=True):
    """What a reviewer has not seen at the last verdict: new hunks, and how many of the old changes are gone.

    `changes` show the hunks as far as they are new, `commits` compares the commits of both as `git range-diff` does.
    """

    marks: ReviewMarks
    hunks: tuple[HunkPatch, ...] = ()
    changes: tuple[HunkPatch, ...] = ()
    gone: int = 0
    comments: tuple[AnsweredComment, ...] = ()
    commits: tuple[str, ...] = ()

    @property
    def answered(self) -> int:
        """The number of comments that the agent answered."""
        return sum(entry.answer is not None for entry in self.comments)


def read_marks(notes: Iterable[ViewedNote]) -> ReviewMarks:
    """Return what the notes of one task say together; they are applied in the order of their time."""
    viewed: Counter[str] = Counter()
    last: ViewedNote | None = None
    for note in sorted(notes, key=lambda note: note.time):
        if note.verdict:
            # a question is no verdict on the hunks, as long as there is another one
            if note.verdict != ASK or last is None or last.verdict == ASK:
                last = note
            continue
        for patch_id in note.unmarked or ():
            del viewed[patch_id]
        viewed |= Counter(note.patch_ids)
    if last is None:
        return ReviewMarks(viewed=viewed)
    return ReviewMarks(
        viewed=viewed,
        verdict=last.verdict or "",
        judged=Counter(last.patch_ids),
        base=last.base or None,
        tip=last.tip or None,
        attempt=last.attempt or 0,
        reviewer=last.reviewer,
        time=last.time,
    )


def unseen(hunks: Sequence[HunkPatch], seen: Counter[str]) -> list[HunkPatch]:
    """Return the hunks with a change that is not among the patch ids that were seen; each id counts as often as it is
    there.
    """
    available = seen.copy()
    new: list[HunkPatch] = []
    for hunk in hunks:
        needed = Counter(hunk.ids)
        if needed <= available:
            available -= needed
        else:
            new.append(hunk)
    return new


def changes_since(
    hunks: Sequence[HunkPatch], interdiff: Sequence[HunkPatch], *, is_same_base: bool
) -> tuple[HunkPatch, ...]:
    """Return of the new hunks of a branch what is new in them, file by file.

    `interdiff` compares the branch with what it was at the verdict. A file has its new hunks whole if nothing in them
    was there before. On another base, the interdiff also has what others changed; that is left out.
    """
    changed: dict[str, list[HunkPatch]] = {hunk.file.path: [] for hunk in hunks}
    for change in interdiff:
        new = [hunk for hunk in hunks if hunk.file.path == change.file.path]
        if is_same_base or any(_overlap(hunk.lines, change.lines) for hunk in new):
            changed.setdefault(change.file.path, []).append(change)
    whole = {path: [hunk for hunk in hunks if hunk.file.path == path] for path in changed}
    return tuple(
        hunk
        for path, changes in changed.items()
        for hunk in (changes if not whole[path] or 0 < _size(changes) < _size(whole[path]) else whole[path])
    )


def _overlap(first: range, second: range) -> bool:
    return max(first.start, second.start) < min(first.stop, second.stop)


def _size(hunks: Iterable[HunkPatch]) -> int:
    """Return how many lines hunks add; those that replace others count once."""
    kinds = [line.kind for hunk in hunks if hunk.hunk for line in hunk.hunk.lines]
    return max(kinds.count(LineKind.ADDED), kinds.count(LineKind.REMOVED))


def second_look(
    hunks: Sequence[HunkPatch],
    marks: ReviewMarks,
    comments: Sequence[Comment],
    summary: str,
    answered: Sequence[Comment] = (),
) -> SecondLook:
    """Compare the hunks of a branch with those of the last verdict.

    `summary` is the agent's last message about its work, `answered` are the questions that it answered since.
    """
    texts = {(comment.place, comment.text): comment.answer for comment in answered}
    gone = marks.judged - Counter(patch_id for hunk in hunks for patch_id in hunk.ids)
    answers = read_answers(summary)
    new = tuple(unseen(hunks, marks.judged))
    return SecondLook(
        marks=marks,
        hunks=new,
        changes=new,
        gone=gone.total(),
        comments=tuple(
            AnsweredComment(number, comment, _answer(number, comment, answers, texts))
            for number, comment in enumerate(comments, start=1)
        ),
    )


def _answer(
    number: int, comment: Comment, answers: Mapping[int, CommentAnswer], texts: Mapping[tuple[str, str], str]
) -> CommentAnswer | None:
    if not comment.is_question:
        return answers.get(number)
    text = texts.get((comment.place, comment.text), "")
    return CommentAnswer(number, "answered", text=text) if text else None
