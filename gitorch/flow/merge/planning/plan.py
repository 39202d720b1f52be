"""Plan a merge: choose the tasks, replay them in memory, and find the best order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from gitorch.flow.merge.planning.order import best_plan
from gitorch.flow.merge.planning.planner import CommitReplayer, MergePlanner
from gitorch.flow.merge.values import MERGEABLE, MergePlan, Progress, ReportProgress, ignore_progress
from gitorch.model import graph
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import Task


def choose(tasks: Mapping[TaskId, Task], names: Iterable[TaskId] | None, skip: Collection[TaskId]) -> list[Task]:
    """Return the tasks to merge, in merge order: the named ones with their dependencies, or all approved ones.

    A dependency that is not approved is omitted: `plan` then reports the task as blocked by it.
    """
    mergeable = {task.id: task for task in tasks.values() if task.state in MERGEABLE}
    selected = {*names} | graph.closure(names, mergeable) if names is not None else {*mergeable}
    return graph.merge_order(tasks[name] for name in selected if name not in skip)


def plan(
    replayer: CommitReplayer,
    tasks: Mapping[TaskId, Task],
    selected: Sequence[Task],
    before: Oid | None,
    onto: Oid,
    report: ReportProgress = ignore_progress,
) -> MergePlan:
    """Replay the tasks on top of each other in memory, and return which go in, conflict, or wait.

    The order is the merge order, unless swapping tasks in conflict lets more tasks in.
    """
    planner = MergePlanner(replayer, tasks, before, onto, report)
    report(Progress("read the branches", 0, 1))
    planner.read(selected)
    return best_plan(planner, selected)
