"""Find the task with which another one fails that passes by itself, if that went in with an earlier merge."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from gitorch.flow.merge.blame.failing_set import FailingSetSearch
from gitorch.flow.merge.blame.position_odds import PositionOdds
from gitorch.flow.merge.check_runner import TaskUnion
from gitorch.flow.merge.planning.planner import MergePlanner
from gitorch.flow.merge.values import Progress
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task, commit_range
from gitorch.replay import CommitRange, Replayed

_MOST = 1_024
"""How many earlier tasks are searched: ten trees."""


def earlier_partner(
    search: FailingSetSearch, planner: MergePlanner, task: Task
) -> Generator[Progress, None, TaskId | None]:
    """Return the task that was merged first of those with which this one fails; None if it fails without any.

    The task is put on each state of the integration branch since its base, which is divided until the first is found
    on which it fails. None as well if it builds on a task that is not merged yet.
    """
    if task.passed is False:
        return None
    waits = any(name in planner.tasks and planner.tasks[name].state is not State.MERGED for name in task.spec.after)
    merged = [] if waits else _merged_since(planner, task)
    if not merged:
        return None

    def union_at(end: int) -> TaskUnion | None:
        replayed = planner.replayer.replay(CommitRange(*commit_range(task), planner.merged), merged[end - 1][1])
        return TaskUnion(replayed.tip, (task.id,)) if isinstance(replayed, Replayed) else None

    last = union_at(len(merged))
    if last is None:
        return None
    own = TaskUnion(commit_range(task)[1], (task.id,))
    doing = f"find what {task.id} fails with"
    is_green_alone, is_green_with_all = yield from search.runner.run([own, last], doing)
    if not is_green_alone or is_green_with_all:
        return None
    end = yield from search.bisect(union_at, len(merged), PositionOdds([1.0] * len(merged), 1))
    return merged[end - 1][0]


def _merged_since(planner: MergePlanner, task: Task) -> Sequence[tuple[TaskId, Oid]]:
    """Return the tasks that were merged since the base of a task, each with its tip, in this order."""
    merged = {other.merged_as: other.id for other in planner.tasks.values() if other.merged_as}
    if not merged:
        return []
    newest_first = planner.replayer.upstream(commit_range(task)[0], planner.onto)
    partners = [(merged[commit.oid], commit.oid) for commit in newest_first if commit.oid in merged]
    return partners[:_MOST][::-1]
