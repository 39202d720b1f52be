"""Tasks by what they need, and what they cost together."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from gitorch.cli.views import labels, quantities
from gitorch.cli.views.labels import Bucket
from gitorch.model.outcome import Usage
from gitorch.model.task import Task, urgency


def grouped(tasks: Iterable[Task]) -> dict[Bucket, list[Task]]:
    """Sort tasks into buckets; empty buckets are left out."""
    groups: dict[Bucket, list[Task]] = {bucket: [] for bucket in Bucket}
    for task in tasks:
        groups[labels.bucket(task)].append(task)
    for bucket, group in groups.items():
        key = urgency if bucket is Bucket.QUEUED else attrgetter("number")
        group.sort(key=key, reverse=bucket in labels.DONE_BUCKETS)
    return {bucket: group for bucket, group in groups.items() if group}


def total_cost(tasks: Iterable[Task]) -> str:
    """Return what the last attempts of tasks cost together: dollars where the price is known, else tokens."""
    usages = [task.usage for task in tasks if task.usage]
    priced = [usage.usd for usage in usages if usage.usd is not None]
    unpriced = sum((usage for usage in usages if usage.usd is None), start=Usage())
    parts = [quantities.dollars(sum(priced))] if priced else []
    if tokens := labels.cost(unpriced):
        parts.append(f"{tokens} (no price)")
    return " + ".join(parts)
