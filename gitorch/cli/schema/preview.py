"""The answers of `preview` and `cd`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, ObjectId
from gitorch.cli.schema.merge import MergeConflictJson
from gitorch.cli.schema.task import HeldJson

if TYPE_CHECKING:
    from gitorch.model.naming import TaskId
    from gitorch.replay.hunks import Hunk
    from gitorch.services.merging.preview import Preview


class PreviewAnswer(JsonAnswer, tag="gitorch/preview/1", frozen=True, kw_only=True):
    """The union of tasks in a worktree, or, with `--remove`, that there is none any more."""

    worktree: str | None
    """Where it is checked out; null once it is removed."""
    commit: ObjectId | Absent = msgspec.UNSET
    tree: ObjectId | Absent = msgspec.UNSET
    """The tree that a merge of the same tasks would publish."""
    tasks: list[str]
    """The tasks that are in it, in merge order."""
    conflicted: list[MergeConflictJson]
    held: list[HeldJson]

    @classmethod
    def of(cls, preview: Preview, hunks: Mapping[TaskId, Sequence[Hunk]]) -> PreviewAnswer:
        """Return a preview; `hunks` are the places of each conflict."""
        plan = preview.plan
        return cls(
            worktree=str(preview.worktree),
            commit=plan.tip,
            tree=preview.tree,
            tasks=[step.task.id for step in plan.steps],
            conflicted=[MergeConflictJson.of(conflict, hunks.get(conflict.task.id, ())) for conflict in plan.conflicts],
            held=[HeldJson(id=entry.task.id, reason=entry.reason) for entry in plan.blocked],
        )

    @classmethod
    def removed(cls) -> PreviewAnswer:
        """Return that there is no preview any more."""
        return cls(worktree=None, tasks=[], conflicted=[], held=[])


class CdAnswer(JsonAnswer, tag="gitorch/cd/1", frozen=True, kw_only=True):
    """The folder of a task."""

    path: str
