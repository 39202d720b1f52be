"""Resolve what conflicts in a merge, and prove it (`merge.resolve`)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import cached_property

import msgspec

from gitorch import services
from gitorch.config import LoadedConfig
from gitorch.flow.merge import MergePlan, MergeReplayer, Progress
from gitorch.flow.merge.planning.planner import MergePlanner
from gitorch.flow.merge.resolution.judge import DeferredJudge, Judge, StoppableJudge
from gitorch.flow.merge.resolution.proposed_replay import ProposalReplayer
from gitorch.flow.merge.resolution.prover import Prover
from gitorch.flow.merge.resolution.resolved_plan import resolved_plan
from gitorch.flow.merge.resolution.search import ResolutionSearch
from gitorch.flow.merge.resolution.syntax_resolver import SyntaxResolver
from gitorch.git.diff.file_changes import line_counts
from gitorch.git.diff.path_changes import changed_paths
from gitorch.git.repository import Repository
from gitorch.model.generators import drain
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task, commit_range
from gitorch.replay import Replayer
from gitorch.services.change_watch.outside_runs import watched_commands
from gitorch.services.workspace import Workspace

_RUNS_PER_CONFLICT = 3
"""How many trees are checked by default: most right proposals are the first or the second."""

ResolveProgress = Generator[Progress, None, MergePlan]


class ResolveJob(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan is resolved with. With `reorder` tasks that share paths may go in another order than by text.

    Without `may_run` no check runs: only what earlier commands proved is proven.
    """

    repository: Repository
    loaded: LoadedConfig
    tasks: Mapping[TaskId, Task]
    reorder: bool
    may_run: bool = True


def resolve_merge(
    workspace: Workspace, replayer: Replayer, plan: MergePlan, *, reorder: bool, recheck: bool = False
) -> ResolveProgress:
    """Return the plan that also publishes the proven resolutions of what conflicts in it.

    Its `resolutions` are all that were found. The plan is returned as it is if `merge.resolve` is off.
    """
    job = _job(workspace, reorder=reorder)
    if not is_resolvable(job, replayer, plan):
        return plan
    with watched_commands(workspace) as watch:
        judged = DeferredJudge(
            lambda: services.merging.tree_judges.judge_of(workspace, plan, watch.start, recheck=recheck)
        )
        with judged as judge:
            return (yield from resolve(job, replayer, plan, judge))


def known(workspace: Workspace, replayer: MergeReplayer, plan: MergePlan) -> MergePlan:
    """Return a plan with the resolutions that earlier commands proved; runs no check."""
    job = _job(workspace, reorder=True, may_run=False)
    return resolve_known(job, replayer, plan, lambda: services.merging.tree_judges.judge_of(workspace, plan))


def resolve_known(
    job: ResolveJob, replayer: MergeReplayer, plan: MergePlan, make_judge: Callable[[], StoppableJudge]
) -> MergePlan:
    """Return a plan with the resolutions that a job proves without a check."""
    if not is_resolvable(job, replayer, plan):
        return plan
    with DeferredJudge(make_judge) as judge:
        return drain(resolve(job, replayer, plan, judge), lambda _: None)


def _job(workspace: Workspace, *, reorder: bool, may_run: bool = True) -> ResolveJob:
    return ResolveJob(
        repository=workspace.repository,
        loaded=workspace.loaded,
        tasks=dict(workspace.tasks),
        reorder=reorder,
        may_run=may_run,
    )


def is_resolvable(job: ResolveJob, replayer: Replayer, plan: MergePlan) -> bool:
    """Return whether there is something to resolve, and it is wanted."""
    is_wanted = job.loaded.config.merge.resolve != "off" and isinstance(replayer, MergeReplayer)
    return is_wanted and bool(plan.conflicts) and not plan.is_base_conflict


def resolve(job: ResolveJob, replayer: Replayer, plan: MergePlan, judge: Judge) -> ResolveProgress:
    """Search for resolutions that the judge proves; return the plan that publishes them."""
    assert isinstance(replayer, MergeReplayer)
    planner = MergePlanner(replayer, job.tasks, plan.before, plan.onto)
    planner.reuse_replays(plan)
    if missing := [task for task in plan.order if task.id not in planner.paths]:
        planner.read(missing)
    resolver = SyntaxResolver(replayer.blob, replayer.add_blob)
    proposals = ProposalReplayer(replayer, resolver)
    max_runs = job.loaded.config.merge.max_checks or _RUNS_PER_CONFLICT * len(plan.conflicts)
    prover = Prover(judge, max_runs if job.may_run else 0)
    merged = MergedTasks(replayer.repository, job.tasks.values())
    sizes = _sizes(replayer.repository, plan.order)
    search = ResolutionSearch(planner, replayer, proposals, prover, sizes, merged)
    landing = yield from search.resolve(plan, reorder=job.reorder)
    # what is not proven is shown, too
    replayer.keep(landing.tip, *(resolution.tip for resolution in search.open.values()))
    return resolved_plan(planner, plan, landing, search.open)


class MergedTasks:
    """The tasks that were merged earlier, and are still known, by the paths that they touch."""

    def __init__(self, repository: Repository, tasks: Iterable[Task]) -> None:
        self._repository = repository
        self._tasks = [task for task in tasks if task.state is State.MERGED and task.base and task.tip]

    def touching(self, paths: Iterable[str]) -> Sequence[Task]:
        """Return the tasks that touch any of these paths."""
        wanted = set(paths)
        return [task for task in self._tasks if not wanted.isdisjoint(self._paths.get(commit_range(task), ()))]

    @cached_property
    def _paths(self) -> Mapping[tuple[Oid, Oid], frozenset[str]]:
        changes = changed_paths(self._repository, [commit_range(task) for task in self._tasks])
        return {span: change.paths for span, change in changes.items()}


def _sizes(repository: Repository, tasks: Sequence[Task]) -> dict[TaskId, int]:
    """Return how many lines each task adds and removes."""
    ranges = {task.id: commit_range(task) for task in tasks if task.tip}
    counts = line_counts(repository, ranges.values())
    return {name: sum(counts.get(pair, (0, 0))) for name, pair in ranges.items()}
