"""The answer of `status`."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike

import msgspec

from gitorch.cli.schema.answer import JsonAnswer, ObjectId
from gitorch.cli.schema.forecast import CandidateJson, ConflictJson, candidate_json, conflicts_json
from gitorch.cli.schema.task import MovedJson, TaskJson, moved_json, tasks_json
from gitorch.model.forecast import Candidate, Conflict
from gitorch.model.task import Task
from gitorch.storage.foreign_changes import ForeignChange


class IntegrationJson(msgspec.Struct, frozen=True, kw_only=True):
    """The integration branch: approved work is merged there."""

    branch: str
    oid: ObjectId | None
    """Its tip; null when nothing has been merged yet."""


class StatusAnswer(JsonAnswer, tag="gitorch/status/1", frozen=True, kw_only=True):
    """All tasks of a repository, with the forecast and the candidate of the next merge."""

    repository: str
    """The work tree, or the git directory of a bare repository."""
    integration: IntegrationJson
    tasks: list[TaskJson]
    conflicts: list[ConflictJson]
    """Conflicts predicted among the branches in flight."""
    candidate: CandidateJson | None
    """Null when there is no candidate yet."""
    moved: list[MovedJson]
    """What changed during runs and not by gitorch, until it is acknowledged."""

    @classmethod
    def of(
        cls,
        tasks: Iterable[Task],
        *,
        repository: str | PathLike[str],
        integration: str,
        tip: str | None,
        conflicts: Iterable[Conflict] = (),
        candidate: Candidate | None = None,
        moved: Iterable[ForeignChange] = (),
    ) -> StatusAnswer:
        """Return the status of `tasks`; `integration` is the integration branch, `tip` its commit."""
        return cls(
            repository=str(repository),
            integration=IntegrationJson(branch=integration, oid=tip),
            tasks=tasks_json(tasks),
            conflicts=conflicts_json(conflicts, integration),
            candidate=candidate_json(candidate),
            moved=moved_json(moved),
        )
