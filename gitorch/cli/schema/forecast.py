"""The forecast of a merge: conflicts between branches, and the merge candidate."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gitorch.cli.schema.answer import Absent, ObjectId, Timestamp, present, timestamp
from gitorch.cli.schema.resolution import ResolutionJson, resolutions_json
from gitorch.cli.schema.task import CheckJson
from gitorch.model.forecasts.conflict_forecast import Candidate, CheckStatus, Conflict, RemovedName


class ConflictJson(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks whose branches git cannot combine."""

    tasks: list[str]
    """Two task ids; a single one conflicts with what is already merged."""
    paths: list[str]
    integration: str | Absent = msgspec.field(default=msgspec.UNSET, name="with")
    """The integration branch, for a task that conflicts with what is already merged; otherwise absent."""

    @classmethod
    def of(cls, conflict: Conflict, integration: str) -> ConflictJson:
        """Return a predicted conflict; `integration` is the name of the integration branch."""
        return cls(
            tasks=list(conflict.tasks),
            paths=list(conflict.paths),
            integration=integration if len(conflict.tasks) == 1 else msgspec.UNSET,
        )


class RemovedNameJson(msgspec.Struct, frozen=True, kw_only=True):
    """A public name that one branch removes or renames and another one newly uses, with the file of each."""

    name: str
    removed_by: str
    removed_in: str
    used_by: str
    used_in: str

    @classmethod
    def of(cls, entry: RemovedName) -> RemovedNameJson:
        """Return one name."""
        return cls(**msgspec.structs.asdict(entry))


class LeftOutJson(msgspec.Struct, frozen=True, kw_only=True):
    """A finished task that is not in the candidate."""

    id: str
    reason: str
    partners: list[str] = msgspec.field(name="with")
    """Ids of the tasks that it conflicts with."""
    paths: list[str]


class RedJson(msgspec.Struct, frozen=True, kw_only=True):
    """A task that makes a check of the candidate fail."""

    id: str
    check: str
    partners: list[str] = msgspec.field(name="with")
    """Ids of the tasks together with which the check fails."""
    alone: bool | None
    """Whether the check passes without these; null when not known."""


class CandidateChecksJson(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks say about the candidate."""

    judgement: CheckStatus
    results: list[CheckJson]


class CandidateJson(msgspec.Struct, frozen=True, kw_only=True):
    """The merge candidate: all finished work on one branch, rebuilt as tasks finish."""

    branch: str
    tip: ObjectId
    tree: ObjectId
    onto: ObjectId
    """The commit that the work was rebased onto."""
    time: Timestamp = msgspec.field(name="when")
    tasks: list[str]
    """Ids of the tasks in it, in merge order."""
    left_out: list[LeftOutJson]
    checks: CandidateChecksJson
    red: list[RedJson]
    held: str | None
    """Why the branch could not be moved."""
    reason: str | None
    """Why there are no check results, or that the integration branch fails without any task."""
    resolutions: list[ResolutionJson] | Absent = msgspec.UNSET
    """The resolutions of what conflicts; the proven ones are in the candidate."""

    @classmethod
    def of(cls, candidate: Candidate) -> CandidateJson:
        """Return a candidate."""
        results = [CheckJson.of(result) for result in candidate.results]
        return cls(
            branch=candidate.branch,
            tip=candidate.tip,
            tree=candidate.tree,
            onto=candidate.onto,
            time=timestamp(candidate.created),
            tasks=list(candidate.tasks),
            left_out=[
                LeftOutJson(id=task.task, reason=task.reason, partners=list(task.partners), paths=list(task.paths))
                for task in candidate.left_out
            ],
            checks=CandidateChecksJson(judgement=candidate.status, results=results),
            red=[
                RedJson(id=task.task, check=task.check, partners=list(task.partners), alone=task.alone)
                for task in candidate.red
            ],
            held=candidate.not_updated or None,
            reason=candidate.reason or None,
            resolutions=present(resolutions_json(candidate.resolutions)),
        )


def conflicts_json(conflicts: Iterable[Conflict], integration: str) -> list[ConflictJson]:
    """Return predicted conflicts; `integration` is the name of the integration branch."""
    return [ConflictJson.of(conflict, integration) for conflict in conflicts]


def candidate_json(candidate: Candidate | None) -> CandidateJson | None:
    """Return the candidate, if any."""
    return CandidateJson.of(candidate) if candidate else None
