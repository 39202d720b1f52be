"""What the background threads of a run compute: values in, values out.

Neither the task store nor the operation log is used here, and no branch moves. Commits are stored without a ref, and
uncommitted work is saved in rescue points.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from gitorch.config import LoadedConfig
from gitorch.errors import GitorchError, Refused
from gitorch.flow import merge
from gitorch.flow.forecast.background_worker import Cancellation, Superseded
from gitorch.flow.forecast.pairs import MergeCache
from gitorch.flow.merge import MergePlan, MergeReplayer
from gitorch.flow.merge.checks import verify_plan
from gitorch.flow.merge.planning import candidate
from gitorch.flow.merge.planning.candidate import MergeBase
from gitorch.flow.merge.resolution.regenerate import Regenerator
from gitorch.model.forecasts.conflict_forecast import Candidate, CheckStatus, Forecast
from gitorch.model.generators import drain
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult, Task
from gitorch.replay import MemoryReplayer, Replayer
from gitorch.rooms.context import RunContext
from gitorch.rooms.trees import TreeChecker
from gitorch.services.configured_checks import checks_at
from gitorch.services.merging.candidate import RebuiltCandidate, rebuild_candidate
from gitorch.services.merging.forecast import in_flight_refs, inputs_fingerprint, make_forecast, save_uncommitted
from gitorch.services.merging.merge import plan_for
from gitorch.services.merging.merge_base import MergeInputs, read_inputs
from gitorch.services.merging.resolving import ResolveJob, is_resolvable, resolve, resolve_known
from gitorch.services.merging.tree_judges import open_judge

Tasks = Mapping[TaskId, Task]

_CANDIDATE = "candidate"
"""The name of the worktree in which trees are checked during a run."""


class UpdateForecast(msgspec.Struct, frozen=True, kw_only=True):
    """Rebuild forecast and candidate if something has changed since `fingerprint`.

    `unsaved` are running tasks whose uncommitted work must be saved, `clean` those without any when last examined.
    `saved` is the published candidate, `in_progress` the one that is being checked.
    """

    tasks: Tasks
    unsaved: tuple[Task, ...]
    clean: frozenset[TaskId]
    fingerprint: object
    saved: Candidate | None
    in_progress: Candidate | None


class UpdateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The forecast (None: nothing has changed) and the candidate (None: it is up to date), not published.

    `merge_base` is what a merge would go onto; `save_seconds` is how long it took to save each task's work.
    """

    fingerprint: object
    merge_base: MergeBase
    clean: frozenset[TaskId]
    save_seconds: Mapping[TaskId, float]
    seconds: float
    forecast: Forecast | None = None
    rebuilt: RebuiltCandidate | None = None


class CheckCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """Check the union of a candidate, and find which tasks fail together."""

    tasks: Tasks
    plan: MergePlan
    candidate: Candidate


class MergeTasks(msgspec.Struct, frozen=True, kw_only=True):
    """Plan a merge of `selected`, check it, and store its commits."""

    tasks: Tasks
    selected: tuple[Task, ...]


class CheckedPlan(msgspec.Struct, frozen=True):
    """A plan reduced to the steps that pass the checks, and notices for the user."""

    plan: MergePlan
    notices: tuple[str, ...] = ()


class CheckedCandidate(msgspec.Struct, frozen=True):
    """A candidate with the results of its checks, its plan with the proven resolutions, and the tree of that."""

    judged: Candidate
    plan: MergePlan
    tree: Oid


class Forecaster:
    """Runs `UpdateForecast`. Its merges are cached from one job to the next."""

    def __init__(self, context: RunContext, loaded: LoadedConfig) -> None:
        self.context = context
        self.loaded = loaded
        self._cache = MergeCache()
        self._last: Forecast | None = None

    def run(self, job: UpdateForecast, cancellation: Cancellation) -> UpdateResult:  # noqa: ARG002
        """Save uncommitted work, then rebuild forecast and candidate."""
        started = time.monotonic()
        repository, folder = self.context.repository, self.context.folder
        clean, save_seconds = self._save(job)
        inputs = read_inputs(repository, self.loaded.config, folder, job.tasks)
        refs = in_flight_refs(inputs)
        fingerprint = inputs_fingerprint(inputs, refs)
        forecast, rebuilt = None, None
        if fingerprint != job.fingerprint:
            with MemoryReplayer(repository) as replayer:
                forecast = self._last = make_forecast(inputs, replayer, self._cache, clean, refs, self._last)
                rebuilt = rebuild_candidate(
                    inputs,
                    self.loaded,
                    replayer,
                    job.saved,
                    checked=True,
                    in_progress=job.in_progress,
                    resolve=lambda merger, plan: self._resolved(job.tasks, merger, plan),
                )
        return UpdateResult(
            fingerprint=fingerprint,
            merge_base=inputs.merge_base,
            clean=clean,
            save_seconds=save_seconds,
            seconds=time.monotonic() - started,
            forecast=forecast,
            rebuilt=rebuilt,
        )

    def _resolved(self, tasks: Tasks, replayer: MergeReplayer, plan: MergePlan) -> MergePlan:
        """Return a plan with the resolutions that are known to be proven."""
        repository, loaded = self.context.repository, self.loaded
        job = ResolveJob(repository=repository, loaded=loaded, tasks=tasks, reorder=True, may_run=False)
        return resolve_known(job, replayer, plan, lambda: open_judge(self.context, loaded, plan, name=_CANDIDATE))

    def _save(self, job: UpdateForecast) -> tuple[frozenset[TaskId], dict[TaskId, float]]:
        """Save the uncommitted work of running tasks; return the tasks without any, and the seconds for each task."""
        clean, seconds = job.clean, {}
        for task in job.unsaved:
            started = time.monotonic()
            try:
                saved = save_uncommitted(self.context.repository, task)
            except GitorchError:
                saved = None  # its worktree is being changed or removed right now: the next job sees it
            clean = clean - {task.id} if saved else clean | {task.id}
            seconds[task.id] = time.monotonic() - started
        return clean, seconds


class Checker:
    """Runs `CheckCandidate` and `MergeTasks`, one tree at a time, to leave the processors to the agents."""

    def __init__(self, context: RunContext, loaded: LoadedConfig) -> None:
        self.context = context
        self.loaded = loaded

    def run(self, job: CheckCandidate | MergeTasks, cancellation: Cancellation) -> CheckedPlan | CheckedCandidate:
        """Return the steps that pass the checks. Raises `Superseded` if the job is cancelled."""
        if isinstance(job, MergeTasks):
            return self._merge(job, cancellation)
        with MemoryReplayer(self.context.repository) as engine:
            replayer = merge.merge_replayer(engine)
            verified = self._verified(replayer, job.tasks, job.plan, "batch", cancellation)
            resolved = self._resolved(replayer, job.tasks, verified, cancellation)
            judged = candidate.with_results(job.candidate, job.plan, verified)
            # resolutions go on top of a green union only
            shown = resolved if judged.status is CheckStatus.GREEN else job.plan
            plan = msgspec.structs.replace(shown, results=shown.results or judged.results)
            plan = msgspec.structs.replace(plan, resolutions=resolved.resolutions)
            return CheckedCandidate(judged, plan, replayer.tree(plan.tip))

    def _merge(self, job: MergeTasks, cancellation: Cancellation) -> CheckedPlan:
        config = self.loaded.config
        self.context.repository.forget_settings()
        regenerator = Regenerator(self.context)
        with MemoryReplayer(self.context.repository) as engine:
            replayer = merge.merge_replayer(engine, config.merge.regenerate, regenerator.regenerate)
            plan = plan_for(self._inputs(job.tasks), replayer, job.selected)
            if plan.is_base_conflict and plan.blocked:
                raise Refused("base-conflict", plan.blocked[0].reason, fix=("orchestrate merge --dry-run",))
            verified = self._verified(replayer, job.tasks, plan, config.merge.verify, cancellation)
            if config.merge.resolve == "auto":
                verified = self._resolved(replayer, job.tasks, verified, cancellation)
            replayer.keep(verified.tip)
        return CheckedPlan(verified, tuple(regenerator.failures))

    def _inputs(self, tasks: Tasks) -> MergeInputs:
        return read_inputs(self.context.repository, self.loaded.config, self.context.folder, tasks)

    def _verified(
        self, replayer: Replayer, tasks: Tasks, plan: MergePlan, verify: str, cancellation: Cancellation
    ) -> MergePlan:
        checks = checks_at(self.context.repository, self.loaded, plan.onto)
        with TreeChecker(self.context, checks, name=_CANDIDATE) as checker, cancellation.stopping(checker.stop):
            check = _until_cancelled(checker, cancellation)
            return drain(verify_plan(replayer, tasks, plan, check, verify, 1), lambda _: None)

    def _resolved(
        self, replayer: MergeReplayer, tasks: Tasks, plan: MergePlan, cancellation: Cancellation
    ) -> MergePlan:
        """Return a plan with the proven resolutions of what conflicts in it."""
        job = ResolveJob(repository=self.context.repository, loaded=self.loaded, tasks=tasks, reorder=True)
        if not is_resolvable(job, replayer, plan):
            return plan
        with open_judge(self.context, self.loaded, plan, name=_CANDIDATE) as judge, cancellation.stopping(judge.stop):
            resolved = drain(resolve(job, replayer, plan, judge), lambda _: None)
        if cancellation.is_set:
            raise Superseded  # an interrupted check has no result
        return resolved


def _until_cancelled(checker: TreeChecker, cancellation: Cancellation) -> merge.TreeCheck:
    """Return a check that raises `Superseded` when it is cancelled: an interrupted check has no result."""

    def check(
        commit: Oid, *, retry: bool = False, on_check: Callable[[str], None] = lambda _: None
    ) -> tuple[CheckResult, ...]:
        results = () if cancellation.is_set else checker.check(commit, retry=retry, on_check=on_check)
        if cancellation.is_set:
            raise Superseded
        return results

    return check
