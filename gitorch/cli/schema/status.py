"""The answer of `status`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, ObjectId, present
from gitorch.cli.schema.forecast import CandidateJson, ConflictJson, RemovedNameJson, candidate_json, conflicts_json
from gitorch.cli.schema.task import LaterCommitJson, MovedJson, TaskJson, later_json, moved_json
from gitorch.model.branch_state import LaterCommit
from gitorch.model.forecasts.conflict_forecast import Candidate, Conflict, RemovedName
from gitorch.model.naming import TaskId
from gitorch.model.task import Task
from gitorch.storage.foreign_changes import ForeignChange


class IntegrationJson(msgspec.Struct, frozen=True, kw_only=True):
    """The integration branch: approved work is merged there."""

    branch: str
    oid: ObjectId | None
    """Its tip; null when nothing has been merged yet."""


class DiffSizeJson(msgspec.Struct, frozen=True, kw_only=True):
    """The lines that a branch adds and removes."""

    added: int
    removed: int


class StatusTaskJson(TaskJson, frozen=True, kw_only=True):
    """A task with its branch as it is, and what was added to it by hand."""

    later: list[LaterCommitJson] | Absent = msgspec.UNSET
    """Commits added by hand since the last attempt, oldest first; absent when there are none."""
    diff: DiffSizeJson | Absent = msgspec.UNSET
    """The size of its branch's diff; absent when it has no commits."""

    @classmethod
    def of_branch(cls, task: Task, later: Sequence[LaterCommit], size: tuple[int, int] | None) -> StatusTaskJson:
        """Return a task, what was added to its branch, and the size of its diff."""
        diff = DiffSizeJson(added=size[0], removed=size[1]) if size else msgspec.UNSET
        return cls(**msgspec.structs.asdict(TaskJson.of(task)), later=later_json(later), diff=diff)


class SandboxJson(msgspec.Struct, frozen=True, kw_only=True):
    """What confines the agents of the active run, or of the next one."""

    mode: str
    """`bwrap`, `landlock`, `private` or `off`."""
    network: str
    """`on` (allowed hosts), `open` or `off`; without a sandbox it is not enforced."""
    keys: str
    """Where the API keys of agents are: `outside` of the sandbox, `inside` their environment, or `none`."""
    warnings: list[str]
    """What is not protected, and why nothing stronger is in force."""


class DiskJson(msgspec.Struct, frozen=True, kw_only=True):
    """The space for worktrees, in bytes."""

    free: int
    """Rounded down to whole gigabytes."""
    floor: int
    """A run starts nothing with less (`run.min_free_disk`)."""


class StatusAnswer(JsonAnswer, tag="gitorch/status/1", frozen=True, kw_only=True):
    """All tasks of a repository, with the forecast and the candidate of the next merge."""

    repository: str
    """The work tree, or the git directory of a bare repository."""
    integration: IntegrationJson
    tasks: list[StatusTaskJson]
    conflicts: list[ConflictJson]
    """Conflicts predicted among the branches in flight."""
    removed_names: list[RemovedNameJson] | Absent = msgspec.UNSET
    """Names that one branch in flight removes and another one newly uses."""
    candidate: CandidateJson | None
    """Null when there is no candidate yet."""
    moved: list[MovedJson]
    """What changed during runs and not by gitorch, until it is acknowledged."""
    sandbox: SandboxJson | None = None
    disk: DiskJson | None = None

    @classmethod
    def of(
        cls,
        tasks: Iterable[Task],
        *,
        repository: str | PathLike[str],
        integration: str,
        tip: str | None,
        conflicts: Iterable[Conflict] = (),
        removed_names: Iterable[RemovedName] = (),
        candidate: Candidate | None = None,
        moved: Iterable[ForeignChange] = (),
        later: Mapping[TaskId, Sequence[LaterCommit]] | None = None,
        sizes: Mapping[TaskId, tuple[int, int]] | None = None,
        sandbox: SandboxJson | None = None,
        disk: DiskJson | None = None,
    ) -> StatusAnswer:
        """Return the status of `tasks`; `integration` is the integration branch, `tip` its commit."""
        return cls(
            repository=str(repository),
            integration=IntegrationJson(branch=integration, oid=tip),
            tasks=[
                StatusTaskJson.of_branch(task, (later or {}).get(task.id, ()), (sizes or {}).get(task.id))
                for task in tasks
            ],
            conflicts=conflicts_json(conflicts, integration),
            removed_names=present([RemovedNameJson.of(entry) for entry in removed_names]),
            candidate=candidate_json(candidate),
            moved=moved_json(moved),
            sandbox=sandbox,
            disk=disk,
        )
