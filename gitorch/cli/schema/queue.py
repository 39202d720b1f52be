"""The answers of the commands that queue or import tasks: `submit`, `edit`, `move`, `adopt`, `resume`, `retry`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, present
from gitorch.cli.schema.task import TaskJson, tasks_json
from gitorch.model.naming import TaskId
from gitorch.model.task import Task

if TYPE_CHECKING:
    from gitorch.services.adopt import Adoption


class SubmitAnswer(JsonAnswer, tag="gitorch/submit/1", frozen=True, kw_only=True):
    """The tasks that were queued, or with `dry_run` would be."""

    tasks: list[TaskJson]
    dry_run: bool
    plan: str | Absent = msgspec.UNSET
    """With `--decompose`: the id of the plan that the tasks come from."""

    @classmethod
    def of(cls, tasks: Iterable[Task], plan: str = "", *, dry_run: bool) -> SubmitAnswer:
        """Return the answer for these tasks; `plan` is the id of the plan that they come from."""
        return cls(tasks=tasks_json(tasks), dry_run=dry_run, plan=present(plan))


class SkippedBranchJson(msgspec.Struct, frozen=True, kw_only=True):
    """A branch that was not adopted."""

    branch: str
    reason: str


class UnsavedJson(msgspec.Struct, frozen=True, kw_only=True):
    """A worktree with uncommitted files, which do not become part of the task."""

    branch: str
    worktree: str


class AdoptAnswer(JsonAnswer, tag="gitorch/adopt/1", frozen=True, kw_only=True):
    """The tasks that were made from existing branches, or with `dry_run` would be."""

    tasks: list[TaskJson]
    checked: list[TaskJson] = msgspec.field(name="judged")
    """Tasks that existed already, and whose checks ran now."""
    sources: dict[TaskId, str]
    """The branch of each task, by task id."""
    skipped: list[SkippedBranchJson] = msgspec.field(name="left")
    """Branches that matched and were not adopted."""
    unsaved: list[UnsavedJson]
    dry_run: bool

    @classmethod
    def of(cls, adoption: Adoption, *, dry_run: bool) -> AdoptAnswer:
        """Return the answer for an adoption."""
        return cls(
            tasks=tasks_json(adoption.tasks),
            checked=tasks_json(adoption.checked_tasks),
            sources=dict(adoption.sources),
            skipped=[SkippedBranchJson(branch=skip.branch.name, reason=skip.reason) for skip in adoption.skipped],
            unsaved=[UnsavedJson(branch=branch, worktree=str(folder)) for branch, folder in adoption.unsaved],
            dry_run=dry_run,
        )


class ResumeAnswer(JsonAnswer, tag="gitorch/resume/1", frozen=True, kw_only=True):
    """The task that was queued again, in the same session."""

    task: TaskJson


class RetryAnswer(JsonAnswer, tag="gitorch/retry/1", frozen=True, kw_only=True):
    """The tasks that were queued again."""

    tasks: list[TaskJson]


class EditAnswer(JsonAnswer, tag="gitorch/edit/1", frozen=True, kw_only=True):
    """The task after the change of its request."""

    task: TaskJson
    meaning: str | Absent = msgspec.UNSET
    """What the change means for a task that has been worked on."""

    @classmethod
    def of(cls, task: Task, meaning: str) -> EditAnswer:
        """Return the answer for a task; `meaning` says what the change means for it."""
        return cls(task=TaskJson.of(task), meaning=present(meaning))


class MoveAnswer(JsonAnswer, tag="gitorch/move/1", frozen=True, kw_only=True):
    """The tasks that were moved, and the queue as it is now."""

    tasks: list[TaskJson]
    queue: list[TaskId]
    """The tasks that wait, in the order in which they start as far as their dependencies allow."""

    @classmethod
    def of(cls, tasks: Iterable[Task], queue: Iterable[Task]) -> MoveAnswer:
        """Return the answer for these tasks."""
        return cls(tasks=tasks_json(tasks), queue=[task.id for task in queue])
