"""The answer of `merge`: what went in, what did not, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, ObjectId, present
from gitorch.cli.schema.forecast import ConflictJson, RemovedNameJson, conflicts_json
from gitorch.cli.schema.resolution import ResolutionJson, resolutions_json
from gitorch.cli.schema.task import CheckJson, HeldJson
from gitorch.flow.merge import Failure, MergeConflict, MergePlan, MergeStep, MergeTarget, NotRebased, Rebased
from gitorch.model.forecasts.conflict_forecast import Conflict, RemovedName
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import commit_range
from gitorch.replay import Conflicted, Stage
from gitorch.replay.hunks import Hunk


class BranchMoveJson(msgspec.Struct, frozen=True, kw_only=True):
    """A branch before and after the merge."""

    branch: str
    before: ObjectId | None
    """Null when the branch did not exist."""
    after: ObjectId | None


class CommitPairJson(msgspec.Struct, frozen=True, kw_only=True):
    """A commit and the one that it became."""

    old: ObjectId
    new: ObjectId


class MergedJson(msgspec.Struct, frozen=True, kw_only=True):
    """A task that was merged, or would be."""

    id: str
    old_tip: ObjectId
    new_tip: ObjectId
    commits: list[CommitPairJson]

    @classmethod
    def of(cls, step: MergeStep) -> MergedJson:
        """Return one step of a merge."""
        _, tip = commit_range(step.task)
        return cls(
            id=step.task.id,
            old_tip=tip,
            new_tip=step.replayed.tip,
            commits=commit_pairs(step.replayed.pairs),
        )


class StageJson(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a conflict, as git's index has it."""

    path: str
    stage: int
    """1 is the merge base, 2 the branch, 3 the commit that is replayed."""
    mode: str
    oid: ObjectId

    @classmethod
    def of(cls, stage: Stage) -> StageJson:
        """Return one stage."""
        return cls(path=stage.path, stage=stage.number, mode=stage.mode, oid=stage.blob)


class HunkJson(msgspec.Struct, frozen=True, kw_only=True):
    """One place in a file where both sides differ."""

    path: str
    line: int
    """The first line in our version of the file."""
    ours: list[str]
    theirs: list[str]

    @classmethod
    def of(cls, hunk: Hunk) -> HunkJson:
        """Return one hunk."""
        return cls(path=hunk.path, line=hunk.line, ours=list(hunk.ours), theirs=list(hunk.theirs))


class MergeConflictJson(msgspec.Struct, frozen=True, kw_only=True):
    """A task that was not merged because it conflicts."""

    id: str
    paths: list[str]
    partners: list[str] = msgspec.field(name="with")
    """Ids of the tasks that it conflicts with; empty when it is what was merged earlier."""
    commit: ObjectId | Absent = msgspec.UNSET
    """The commit that cannot be replayed."""
    stages: list[StageJson] | Absent = msgspec.UNSET
    hunks: list[HunkJson] | Absent = msgspec.UNSET

    @classmethod
    def of(cls, clash: MergeConflict, hunks: Sequence[Hunk] = ()) -> MergeConflictJson:
        """Return a conflict; `hunks` are its places in the files."""
        conflict = clash.conflict
        if conflict is None:
            return cls(id=clash.task.id, paths=list(clash.paths), partners=list(clash.partners))
        return cls(
            id=clash.task.id,
            paths=list(clash.paths),
            partners=list(clash.partners),
            commit=conflict.commit,
            stages=[StageJson.of(stage) for stage in conflict.stages],
            hunks=[HunkJson.of(hunk) for hunk in hunks],
        )


class CheckFailureJson(msgspec.Struct, frozen=True, kw_only=True):
    """A task that was not merged because a check fails with it."""

    id: str
    check: str
    partners: list[str] = msgspec.field(name="with")
    """Ids of the tasks together with which the check fails."""
    alone: bool | None
    """Whether the check passes without these; null when not known."""
    output: str | None
    """The file that holds what the check printed."""

    @classmethod
    def of(cls, failure: Failure) -> CheckFailureJson:
        """Return a failure."""
        return cls(
            id=failure.task.id,
            check=failure.check,
            partners=list(failure.partners),
            alone=failure.alone,
            output=failure.output or None,
        )


class ResolvedJson(msgspec.Struct, frozen=True, kw_only=True):
    """A conflict that was resolved during the merge."""

    id: str
    paths: list[str]
    by: str
    """What resolved it: memory, rerere, regenerate, structure, both, renamed."""


class BaseConflictJson(msgspec.Struct, frozen=True, kw_only=True):
    """A commit of the integration branch that conflicts with the base branch."""

    commit: ObjectId
    paths: list[str]


class BaseUpdateJson(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to the integration branch because its base branch moved."""

    branch: str
    ahead: int
    """How many commits the base branch moved by."""
    replayed: list[CommitPairJson] | None
    """The commits of the integration branch on the new base; null when they were not replayed."""
    removed: list[str] | Absent = msgspec.UNSET
    """The commits that the base branch had before and has no more: they are left out of the integration branch."""
    reason: str | Absent = msgspec.UNSET
    """Why the integration branch stays where it is."""
    conflict: BaseConflictJson | Absent = msgspec.UNSET
    """What kept the integration branch from being replayed."""

    @classmethod
    def of(cls, update: Rebased | NotRebased) -> BaseUpdateJson:
        """Return the update: replayed, in conflict, or not done."""
        if isinstance(update, NotRebased):
            return cls(branch=update.branch, ahead=update.ahead, replayed=None, reason=update.reason)
        replayed = update.replayed
        if isinstance(replayed, Conflicted):
            conflict = BaseConflictJson(commit=replayed.commit, paths=list(replayed.paths))
            return cls(branch=update.branch, ahead=update.ahead, replayed=None, conflict=conflict)
        pairs, removed = commit_pairs(replayed.pairs), present([*map(str, update.removed)])
        return cls(branch=update.branch, ahead=update.ahead, replayed=pairs, removed=removed)


class PullRequestJson(msgspec.Struct, frozen=True, kw_only=True):
    """A draft pull request of a task's branch."""

    id: str
    """The task."""
    branch: str
    base: str
    """The branch that it is stacked on."""
    tip: ObjectId
    url: str | None
    """Null with `dry_run`."""
    created: bool
    """Whether this command opened it; else it was there, and its branch was pushed."""


class PullRequestsAnswer(JsonAnswer, tag="gitorch/merge/1", frozen=True, kw_only=True):
    """The answer of `merge --pr`."""

    pull_requests: list[PullRequestJson]
    """Those that others are stacked on first."""
    dry_run: bool


class MergeAnswer(JsonAnswer, tag="gitorch/merge/1", frozen=True, kw_only=True):
    """What a merge did, or with `dry_run` would do."""

    integration: BranchMoveJson
    merged: list[MergedJson]
    """In merge order."""
    conflicted: list[MergeConflictJson]
    failed: list[CheckFailureJson]
    held: list[HeldJson]
    checks: list[CheckJson]
    """The checks of the merged tree."""
    flakes: list[CheckJson] | Absent = msgspec.UNSET
    """Checks that both failed and passed on one tree."""
    resolved: list[ResolvedJson]
    resolutions: list[ResolutionJson] | Absent = msgspec.UNSET
    """Resolutions that no person has seen: those of merged tasks, those that wait, and those that are not proven."""
    base: BaseUpdateJson | Absent = msgspec.UNSET
    """Present when the base branch moved."""
    into: BranchMoveJson | Absent = msgspec.UNSET
    """The branch of `--into`."""
    red_base: str | Absent = msgspec.UNSET
    """The checks that fail without any of the tasks."""
    conflicts: list[ConflictJson] | Absent = msgspec.UNSET
    """With `dry_run`: conflicts predicted among the branches in flight."""
    removed_names: list[RemovedNameJson] | Absent = msgspec.UNSET
    """With `dry_run`: names that one branch in flight removes and another one newly uses."""
    dry_run: bool

    @classmethod
    def of(
        cls,
        plan: MergePlan,
        integration: str,
        hunks: Mapping[TaskId, Sequence[Hunk]] | None = None,
        *,
        conflicts: Iterable[Conflict] | None = None,
        removed_names: Iterable[RemovedName] = (),
        dry_run: bool = False,
    ) -> MergeAnswer:
        """Return what a merge did; `integration` is the branch, `hunks` are the places of each conflict.

        `conflicts` are those predicted among the branches in flight (None: they were not asked for).
        """
        hunks = hunks or {}
        after = integrated_tip(plan)
        return cls(
            integration=BranchMoveJson(branch=integration, before=plan.before, after=after),
            merged=[MergedJson.of(step) for step in plan.steps],
            conflicted=[MergeConflictJson.of(clash, hunks.get(clash.task.id, ())) for clash in plan.conflicts],
            failed=[CheckFailureJson.of(failure) for failure in plan.failures],
            held=[HeldJson(id=task.task.id, reason=task.reason) for task in plan.blocked],
            checks=[CheckJson.of(result) for result in plan.results],
            flakes=present([CheckJson.of(result) for result in plan.flakes]),
            resolved=[
                ResolvedJson(id=step.task.id, paths=list(conflict.paths), by=conflict.by)
                for step in plan.steps
                for conflict in step.replayed.resolved
            ],
            resolutions=present(resolutions_json(plan.resolutions)),
            base=BaseUpdateJson.of(plan.rebased) if plan.rebased else msgspec.UNSET,
            into=target_move(plan.target, after) if plan.target else msgspec.UNSET,
            red_base=present(plan.red_base),
            conflicts=msgspec.UNSET if conflicts is None else conflicts_json(conflicts, integration),
            removed_names=present([RemovedNameJson.of(entry) for entry in removed_names]),
            dry_run=dry_run,
        )


def integrated_tip(plan: MergePlan) -> Oid | None:
    """Return where the integration branch is after the merge."""
    moves = plan.steps or (plan.target is not None and plan.before is not None and not plan.is_base_conflict)
    return plan.tip if moves else plan.before


def target_move(target: MergeTarget, tip: Oid | None) -> BranchMoveJson:
    """Return the branch of `--into`, which follows the integration branch to `tip`."""
    return BranchMoveJson(branch=target.branch, before=target.before, after=tip or target.before)


def commit_pairs(pairs: Iterable[tuple[Oid, Oid]]) -> list[CommitPairJson]:
    """Return pairs of old and new commits."""
    return [CommitPairJson(old=old, new=new) for old, new in pairs]
