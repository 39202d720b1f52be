"""What running agents have used so far, counted while they run."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage


class Spending:
    """The usage of running attempts by task, written by the threads that watch them and read by the scheduler."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._usages: dict[TaskId, Usage] = {}

    def record(self, task: TaskId, usage: Usage) -> None:
        """Replace what the attempt of a task has used so far."""
        with self._lock:
            self._usages[task] = usage

    def forget(self, task: TaskId) -> None:
        """Forget the last attempt of a task."""
        with self._lock:
            self._usages.pop(task, None)

    def total(self, tasks: Iterable[TaskId]) -> Usage:
        """Return what the running attempts of these tasks have used together."""
        with self._lock:
            return sum((self._usages[name] for name in tasks if name in self._usages), start=Usage())
