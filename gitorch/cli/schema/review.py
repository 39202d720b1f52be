"""The answers of `review`, `diff`, `check`, `comment`, `approve`, `revise` and `reject`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, ObjectId, present
from gitorch.cli.schema.resolution import ResolutionJson, resolution_json
from gitorch.cli.schema.resolution_diff import ShownResolutionJson, shown_resolutions_json
from gitorch.cli.schema.second_look import HunkJson, SinceReviewJson
from gitorch.cli.schema.task import CheckJson, CommentJson, HeldJson, LaterCommitJson, TaskJson, later_json, tasks_json
from gitorch.flow.review import ReviewCard
from gitorch.model import rivals
from gitorch.model.review.lessons import RepeatedComment
from gitorch.model.task import Task

if TYPE_CHECKING:
    from gitorch.flow.review.second_look import SecondLook
    from gitorch.services.check import CheckedTask
    from gitorch.services.merging.resolution_diff import ShownResolution
    from gitorch.services.reviewing.second_look import BranchHunks
    from gitorch.services.reviewing.suggestions import AppliedSuggestions


class SignalJson(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a branch that deserves a second look."""

    weight: int
    """From 1 (low) to 3 (high)."""
    text: str
    path: str | Absent = msgspec.UNSET
    line: int | Absent = msgspec.UNSET
    """In the tip, or where removed lines were."""
    kind: str | Absent = msgspec.UNSET
    """Its name in the table of docs/signals.md."""


class FileJson(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a branch changes."""

    path: str
    status: str
    """Git's letter: A (added), D (deleted), M (modified), R (renamed), T (type changed)."""
    old_path: str | Absent = msgspec.UNSET
    """The name of a renamed file at the base."""
    added: int | None
    """Lines; null for a binary file."""
    removed: int | None
    """Lines; null for a binary file."""
    old_size: int | Absent = msgspec.UNSET
    """Bytes of a binary file at the base; absent for others."""
    size: int | Absent = msgspec.UNSET
    """Bytes of a binary file at the tip; absent for others."""


class CardJson(msgspec.Struct, frozen=True, kw_only=True):
    """What a reviewer sees of a task before its diff."""

    task: TaskJson
    risk: str
    """low, medium or high: the heaviest signal."""
    signals: list[SignalJson]
    commits: list[str]
    """Abbreviated ids and subjects, oldest first."""
    added: int
    removed: int
    files: list[FileJson]
    later: list[LaterCommitJson] | Absent = msgspec.UNSET
    """Commits added by hand since the last attempt, oldest first; absent when there are none."""
    unlocks: list[str] | Absent = msgspec.UNSET
    """Tasks that go on once this one has its verdict; absent when there are none."""
    hunks: list[HunkJson] | Absent = msgspec.UNSET
    """All hunks of the branch in the order to read them; with `diff`, and with `review --viewed`."""
    resolution: ResolutionJson | Absent = msgspec.UNSET
    """How its conflict with other tasks would be resolved; absent when it has none."""
    proposed: str | Absent | None = msgspec.UNSET
    """The rival attempt that is proposed (null: none yet); absent for a task without rivals."""

    @classmethod
    def of(cls, card: ReviewCard) -> CardJson:
        """Return a review card."""
        return cls(**card_fields(card))


class RepeatedJson(msgspec.Struct, frozen=True, kw_only=True):
    """A comment that was made on several tasks."""

    text: str
    tasks: list[str]
    line: str
    """The comment as a line of a list, for a file of conventions."""

    @classmethod
    def of(cls, entry: RepeatedComment) -> RepeatedJson:
        """Return a repeated comment."""
        return cls(text=entry.text, tasks=list(entry.tasks), line=entry.line)


class ReviewAnswer(JsonAnswer, tag="gitorch/review/1", frozen=True, kw_only=True):
    """The tasks to review: first those that others wait for, then the riskiest."""

    tasks: list[CardJson]
    repeated: list[RepeatedJson] | Absent = msgspec.UNSET
    """With `--repeated`: comments that were made on two or more tasks."""

    @classmethod
    def of(
        cls,
        cards: Iterable[ReviewCard],
        branch: BranchHunks | None = None,
        repeated: Iterable[RepeatedComment] | None = None,
    ) -> ReviewAnswer:
        """Return the answer for these review cards; for a single one, with the hunks of its branch."""
        hunks = hunks_json(branch) if branch else msgspec.UNSET
        comments = msgspec.UNSET if repeated is None else [RepeatedJson.of(entry) for entry in repeated]
        return cls(tasks=[CardJson(**card_fields(card), hunks=hunks) for card in cards], repeated=comments)


class DiffAnswer(CardJson, JsonAnswer, tag="gitorch/diff/1", frozen=True, kw_only=True):
    """What the branch of one task changes."""

    since_review: SinceReviewJson | Absent = msgspec.UNSET
    """With `--since-review`: what changed since the last verdict."""
    resolutions: list[ShownResolutionJson] | Absent = msgspec.UNSET
    """With `--resolution`: what the resolutions of its conflicts changed; for a merged task those of its commits."""

    @classmethod
    def of(cls, card: ReviewCard) -> DiffAnswer:
        """Return the answer for a review card."""
        return cls(**card_fields(card))

    @classmethod
    def of_resolutions(cls, card: ReviewCard, resolutions: Iterable[ShownResolution]) -> DiffAnswer:
        """Return the answer for a review card, and what resolutions changed."""
        return cls(**card_fields(card), resolutions=shown_resolutions_json(resolutions))

    @classmethod
    def of_branch(cls, card: ReviewCard, branch: BranchHunks, look: SecondLook | None = None) -> DiffAnswer:
        """Return the answer for a review card, the hunks of the branch, and what changed since the last verdict."""
        since_review = SinceReviewJson.of(look) if look else msgspec.UNSET
        return cls(**card_fields(card), hunks=hunks_json(branch), since_review=since_review)


def hunks_json(branch: BranchHunks) -> list[HunkJson]:
    """Return all hunks of a branch."""
    return [
        HunkJson.of(hunk, viewed=hunk not in branch.unviewed, commits=branch.commits.get(hunk.file.path, ()))
        for hunk in branch.hunks
    ]


class CheckedTaskJson(msgspec.Struct, frozen=True, kw_only=True):
    """A task whose checks ran again."""

    task: TaskJson
    tip: ObjectId
    """The commit that was checked."""
    passed: bool
    results: list[CheckJson]
    later: list[LaterCommitJson] | Absent = msgspec.UNSET
    """Commits added by hand since the last attempt, oldest first; absent when there are none."""
    uncommitted: bool
    """Whether its worktree has files that are not committed, which no check has seen."""

    @classmethod
    def of(cls, checked: CheckedTask) -> CheckedTaskJson:
        """Return a checked task."""
        return cls(
            task=TaskJson.of(checked.task),
            tip=checked.tip,
            passed=checked.passed,
            results=[CheckJson.of(result) for result in checked.results],
            later=later_json(checked.branch.later),
            uncommitted=checked.uncommitted,
        )


class CheckAnswer(JsonAnswer, tag="gitorch/check/1", frozen=True, kw_only=True):
    """The tasks whose checks ran again."""

    tasks: list[CheckedTaskJson]

    @classmethod
    def of(cls, checked: Iterable[CheckedTask]) -> CheckAnswer:
        """Return the answer for these tasks."""
        return cls(tasks=[CheckedTaskJson.of(outcome) for outcome in checked])


class CommentAnswer(JsonAnswer, tag="gitorch/comment/1", frozen=True, kw_only=True):
    """The task with the new comment."""

    task: TaskJson


class ApplyAnswer(JsonAnswer, tag="gitorch/apply/1", frozen=True, kw_only=True):
    """The suggestions that became a commit."""

    task: TaskJson
    commit: ObjectId
    applied: list[CommentJson]
    """The comments whose suggestions are in the commit; they no longer wait."""
    passed: bool | None
    """Null when there are no checks."""

    @classmethod
    def of(cls, applied: AppliedSuggestions) -> ApplyAnswer:
        """Return the answer for applied suggestions."""
        return cls(
            task=TaskJson.of(applied.task),
            commit=applied.commit,
            applied=[CommentJson.of(comment) for comment in applied.comments],
            passed=applied.task.passed,
        )


class ApproveAnswer(JsonAnswer, tag="gitorch/approve/1", frozen=True, kw_only=True):
    """The tasks that were approved."""

    tasks: list[TaskJson]
    rivals: list[TaskJson] | Absent = msgspec.UNSET
    """The rivals of a picked task, which were rejected or cancelled; absent when there are none."""
    held: list[HeldJson] | Absent = msgspec.UNSET
    """The finished tasks that `--all` did not approve; absent when there are none."""

    @classmethod
    def of(
        cls, approved: Iterable[Task], rivals: Iterable[Task], held: Iterable[tuple[Task, str]] = ()
    ) -> ApproveAnswer:
        """Return the answer for approved tasks, the rivals that were dropped, and the tasks that were held."""
        return cls(
            tasks=tasks_json(approved),
            rivals=present(tasks_json(rivals)),
            held=present([HeldJson(id=task.id, reason=reason) for task, reason in held]),
        )


class ReviseAnswer(JsonAnswer, tag="gitorch/revise/1", frozen=True, kw_only=True):
    """The task that was sent back."""

    task: TaskJson


class RejectAnswer(JsonAnswer, tag="gitorch/reject/1", frozen=True, kw_only=True):
    """The task that was rejected."""

    task: TaskJson


def card_fields(card: ReviewCard) -> dict[str, Any]:
    """Return the fields of a card, for the answers that hold them."""
    return {
        "task": TaskJson.of(card.task),
        "risk": card.risk,
        "signals": [
            SignalJson(
                weight=signal.weight,
                text=signal.text,
                path=present(signal.path),
                line=present(signal.line),
                kind=present(signal.kind),
            )
            for signal in card.signals
        ],
        "commits": list(card.commits),
        "added": card.added,
        "removed": card.removed,
        "files": [
            FileJson(
                path=file.path,
                status=file.status,
                old_path=present(file.old_path),
                added=file.added,
                removed=file.removed,
                old_size=msgspec.UNSET if file.old_size is None else file.old_size,
                size=msgspec.UNSET if file.size is None else file.size,
            )
            for file in card.changes
        ],
        "later": later_json(card.later),
        "unlocks": present(list(card.unlocks)),
        "resolution": resolution_json(card.resolutions),
        "proposed": _proposed(card),
    }


def _proposed(card: ReviewCard) -> str | Absent | None:
    if not card.rivals:
        return msgspec.UNSET
    proposed = rivals.proposal(card.rivals)
    return proposed.id if proposed else None
