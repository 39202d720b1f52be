"""The time at which a run ends, and the tasks that would not be done by then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from gitorch.model.naming import TaskId
from gitorch.model.task import State, Task, change

_OPEN = (State.QUEUED, State.WAITING)


class Deadline:
    """The end of a run; `needs` returns the seconds that a task will very likely take at most, None if unknown."""

    def __init__(
        self, until: datetime | None, now: Callable[[], datetime], needs: Callable[[Task], float | None]
    ) -> None:
        self.until = until
        self._now = now
        self._needs = needs
        self._late: set[TaskId] = set()

    def has_passed(self) -> bool:
        """Return whether the run is over."""
        return self.until is not None and self._now() >= self.until

    def fits(self, task: Task, start: datetime | None = None) -> bool:
        """Return whether a task that starts at a time (now, by default) will be done by the end, as far as known."""
        if self.until is None or (seconds := self._needs(task)) is None:
            return True
        fits = (start or self._now()) + timedelta(seconds=seconds) <= self.until
        (self._late.discard if fits else self._late.add)(task.id)
        return fits

    def newly_late(self, tasks: Mapping[TaskId, Task]) -> list[Task]:
        """Return the queued tasks that turned out to need more time than there is, with that as their reason."""
        reason = f"not started: would very likely not be done by {self.time}"
        late = [tasks[name] for name in self._late if name in tasks]
        return [change(task, reason=reason) for task in late if task.state is State.QUEUED and task.reason != reason]

    def problem(self, tasks: Iterable[Task]) -> str:
        """Return that tasks were not started because of the time; "" if there are none."""
        late = sum(task.id in self._late and task.state in _OPEN for task in tasks)
        subject = "1 task was" if late == 1 else f"{late} tasks were"
        return f"{subject} not started that would very likely not be done by {self.time}" if late else ""

    @property
    def time(self) -> str:
        """The time of day, here."""
        return f"{self.until.astimezone():%H:%M}" if self.until else ""
