"""Tasks by what they need, and what they cost together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from operator import attrgetter

from gitorch.cli.views import labels, quantities
from gitorch.cli.views.labels import Bucket
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage
from gitorch.model.task import Task, urgency


def grouped(tasks: Iterable[Task], unlocks: Mapping[TaskId, int] | None = None) -> dict[Bucket, list[Task]]:
    """Sort tasks into buckets; empty buckets are left out.

    With the number of tasks that each verdict `unlocks`, those that need one are sorted by it, then by risk.
    """
    groups: dict[Bucket, list[Task]] = {bucket: [] for bucket in Bucket}
    for task in tasks:
        groups[labels.bucket(task)].append(task)
    for bucket, group in groups.items():
        key = urgency if bucket is Bucket.QUEUED else attrgetter("number")
        group.sort(key=key, reverse=bucket in labels.DONE_BUCKETS)
        if unlocks is not None and bucket is Bucket.REVIEW:
            group.sort(key=partial(_review_rank, unlocks))
    return {bucket: group for bucket, group in groups.items() if group}


def _review_rank(unlocks: Mapping[TaskId, int], task: Task) -> tuple[int, int]:
    """Return the place of a task among those that need a verdict: what it unlocks, then whether its checks fail."""
    risk = {False: 0, None: 1, True: 2}[task.passed]
    return -unlocks.get(task.id, 0), risk


def total_cost(tasks: Iterable[Task]) -> str:
    """Return what all attempts of tasks cost together: dollars where the price is known, else tokens."""
    usages = [usage for task in tasks for usage in task.usages]
    priced = [usage.usd for usage in usages if usage.usd is not None]
    unpriced = sum((usage for usage in usages if usage.usd is None), start=Usage())
    parts = [quantities.dollars(sum(priced))] if priced else []
    if tokens := labels.cost(unpriced):
        parts.append(f"{tokens} (no price)")
    return " + ".join(parts)
