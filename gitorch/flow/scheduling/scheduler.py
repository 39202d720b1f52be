"""Run the queue: choose the task that starts next, and stop at a limit."""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from gitorch.errors import GitorchError
from gitorch.flow.scheduling.budget import RunBudget, SpentBy
from gitorch.flow.scheduling.deadline import Deadline
from gitorch.flow.scheduling.held_agents import HeldAgents, is_limited
from gitorch.flow.scheduling.run_limits import RunLimits, StopCause, StopReason
from gitorch.model import graph
from gitorch.model.naming import TaskId
from gitorch.model.outcome import ExitReason, Usage
from gitorch.model.task import ALIVE, State, Task, change, change_attempt, change_spec, urgency

POLL_SECONDS = 1.0
"""The longest time until a run notices a change by another command."""


class SchedulerHooks(msgspec.Struct, frozen=True, kw_only=True):
    """The functions that connect the scheduler to git and the task store; `disk` is the file system that it watches.

    - `tasks`: return the current tasks.
    - `start`: return a queued task as running, or (if it cannot start now) unchanged but with the reason.
    - `attempt`: yield the changes of a running task. A separate thread iterates them; the thread that iterates the run
      calls all other functions.
    - `failed`: return a task as failed by an error.
    - `agent`: return the agent of a task.
    - `is_ready`: return whether an agent is installed and logged in.
    - `unplaced`: return why no machine takes tasks of an agent, or an empty text.
    - `other_agent`: return an agent that can take over from one, is ready and none of these, or an empty text.
    - `slots`: return how many attempts the machines of the executor take at once; None means no limit.
    - `patience`: how many seconds a run waits when there are no more machines.
    - `now`: return the time, in UTC.
    - `in_flight`: return what the running attempts of tasks have used so far.
    - `interrupt`: let the attempt of a running task end soon, for a reason; the next run continues it.
    - `needs`: return the seconds that a task will very likely take at most, or None if nothing is known.
    - `worktree_size`: return how many bytes of disk one more worktree takes.
    """

    tasks: Callable[[], Mapping[TaskId, Task]]
    start: Callable[[Task], Task]
    attempt: Callable[[Task], Iterator[Task]]
    failed: Callable[[Task, GitorchError], Task]
    agent: Callable[[Task], str]
    is_ready: Callable[[str], bool]
    other_agent: Callable[[str, Collection[str]], str]
    slots: Callable[[], int | None]
    disk: Path
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    in_flight: SpentBy = lambda _: Usage()
    interrupt: Callable[[Task, str], None] = lambda _task, _reason: None
    needs: Callable[[Task], float | None] = lambda _: None
    worktree_size: Callable[[], int] = lambda: 0
    unplaced: Callable[[str], str] = lambda _: ""
    patience: float = 0.0


class Scheduler:
    """One run of the queue."""

    def __init__(self, hooks: SchedulerHooks, limits: RunLimits, stop: threading.Event) -> None:
        self.hooks = hooks
        self.limits = limits
        self.stop = stop
        self.stopped: StopReason | None = None
        self.crashes: list[BaseException] = []
        self.budget = RunBudget(limits.budget, limits.token_budget, hooks.in_flight)
        self._interrupted: set[TaskId] = set()
        self._inbox: queue.Queue[tuple[Task, threading.Event] | Future[None] | None] = queue.Queue()
        self._running: dict[TaskId, Future[None]] = {}
        self._names: dict[Future[None], TaskId] = {}
        self._held = HeldAgents(self._may_start, hooks.now)
        self._machines_until: float | None = None
        """Until when it counts that there were machines; None if there were none yet."""

        self._lacks_machines = False
        self._last_start_keys: dict[TaskId, tuple[object, ...]] = {}
        self._deadline = Deadline(limits.until, hooks.now, hooks.needs)

    def run(self) -> Iterator[list[Task]]:
        """Work through the queue and yield changed tasks; the run continues once they are durable.

        Yields at least every `POLL_SECONDS`, and after `wake`: no tasks if none has changed. Running tasks of an
        earlier orchestrator are resumed first.
        """
        pool = ThreadPoolExecutor(max_workers=1_000, thread_name_prefix="attempt")
        try:
            for task in sorted(self.hooks.tasks().values(), key=urgency):
                if task.state is State.RUNNING:
                    self._launch(pool, task)
            while True:
                yield from self._start_ready(pool)
                if not self._running and not self._has_wake_time():
                    break
                yield from self._receive()
                self._enforce_budget()
        except BaseException:
            pool.shutdown(wait=False)  # its threads wait for agents, or for acknowledgements that never come
            raise
        pool.shutdown()

    def wake(self) -> None:
        """Make `run` yield soon. May be called from any thread."""
        self._inbox.put(None)

    def _start_ready(self, pool: ThreadPoolExecutor) -> Iterator[list[Task]]:
        self._lacks_machines = False
        while len(self._running) < self.limits.max_agents and not self.stop.is_set():
            task = None if self._is_early() else self._next()
            if late := self._deadline.newly_late(self.hooks.tasks()):
                yield late
            if task is None or self._must_stop() or not self._has_free_slot() or self._is_held_by_running():
                return
            if reason := self.hooks.unplaced(agent := self.hooks.agent(task)):
                self._held.hold(agent, reason, by_probe=True)
                yield self._told_why(agent, reason)
                continue
            started = self._start(task)
            if started != task:
                yield [started]
            if started.state is State.RUNNING:
                self._launch(pool, started)

    def _told_why(self, agent: str, reason: str) -> list[Task]:
        """Return the queued tasks of an agent that no machine takes, with the reason."""
        queued = [task for task in self.hooks.tasks().values() if task.state is State.QUEUED]
        return [change(task, reason=f"waits: {reason}") for task in queued if self.hooks.agent(task) == agent]

    def _may_start(self, agent: str) -> bool:
        return self.hooks.is_ready(agent) and not self.hooks.unplaced(agent)

    def _has_free_slot(self) -> bool:
        slots = self.hooks.slots()
        self._lacks_machines = slots == 0
        if not self._lacks_machines:
            self._machines_until = time.monotonic() + self.hooks.patience
        elif not self._running and self.stopped is None and not self._waits_for_machines():
            self.stopped = StopReason(StopCause.LIMIT, "no machine takes attempts now")
        return slots is None or len(self._running) < slots

    def _waits_for_machines(self) -> bool:
        """Return whether the last machine has just gone: a worker that starts again is no reason to end a night."""
        return self._machines_until is not None and time.monotonic() < self._machines_until

    @property
    def held(self) -> Mapping[str, str]:
        """The agents that start nothing because of a fault of their setup, each with the reason."""
        return self._held.agents

    def _is_held_by_running(self) -> bool:
        """Return whether what runs would reach a limit together with one more task: it may start when they have ended.

        Each running task will need a review, and fills its worktree.
        """
        running, limits = len(self._running), self.limits
        if not running:
            return False
        if limits.max_unreviewed and self._count_unreviewed() + running >= limits.max_unreviewed:
            return True
        needed = limits.min_free_disk + (running + 1) * self.hooks.worktree_size() if limits.min_free_disk else 0
        return shutil.disk_usage(self.hooks.disk).free < needed

    def _count_unreviewed(self) -> int:
        return sum(task.state is State.FINISHED for task in self.hooks.tasks().values())

    def _enforce_budget(self) -> None:
        """Let all attempts end soon once the budget is used up: each goes past it by one turn at most."""
        if not self._running or not (reason := self.budget.problem()):
            return
        self.stopped = self.stopped or StopReason(StopCause.LIMIT, reason)
        tasks = self.hooks.tasks()
        for name in self._running.keys() - self._interrupted:
            self._interrupted.add(name)
            self.hooks.interrupt(tasks[name], reason)

    def _next(self) -> Task | None:
        """Return the task that starts next; one whose agent is limited may come with another agent."""
        tasks = self.hooks.tasks()
        self._held.probe()
        limited = self._held.limited(tasks.values(), self.hooks.agent)
        unusable = {*limited, *self._held.agents}
        others = {name: self.hooks.other_agent(name, unusable) for name in limited} if self._may_switch() else {}
        awake = [
            task
            for task in tasks.values()
            if self._is_awake(task) or (others.get(self.hooks.agent(task)) and is_limited(task, self.hooks.now()))
        ]
        ready = graph.ready(tasks, approved_only=self.limits.approved_only)
        for task in sorted([*awake, *ready], key=urgency):
            if task.id in self._running or not self._is_untried(task, tasks):
                continue
            agent = self.hooks.agent(task)
            if agent in self._held.agents:
                continue
            if not self._deadline.fits(task):
                continue
            if agent not in limited:
                return task
            if other := others.get(agent):
                # the task that goes on with another agent no longer mentions the limit
                self._held.limit(agent, limited[agent])
                return change_spec(task, agent=other)
        return None

    def _may_switch(self) -> bool:
        return self.limits.switch_on_limit and not self.stop.is_set()

    def _is_untried(self, task: Task, tasks: Mapping[TaskId, Task]) -> bool:
        """Return whether a task has not been tried with these attempts and dependency tips."""
        return self._last_start_keys.get(task.id) != _start_key(task, tasks)

    def _start(self, task: Task) -> Task:
        tasks = self.hooks.tasks()
        self._last_start_keys[task.id] = _start_key(task, tasks)
        asked_for = tasks.get(task.id, task)
        try:
            started = self.hooks.start(task)
        except GitorchError as error:
            return change(asked_for, reason=f"{error.what}{': ' + error.why if error.why else ''}")
        if task.spec.agent == asked_for.spec.agent:
            return started
        if started.state is State.RUNNING:
            return change_attempt(started, instead_of=self.hooks.agent(asked_for))
        return change_spec(started, agent=asked_for.spec.agent)

    def _launch(self, pool: ThreadPoolExecutor, task: Task) -> None:
        self.budget.start(task.id)
        future = pool.submit(self._run_attempt, task, self._changes(task))
        self._running[task.id] = future
        self._names[future] = task.id
        future.add_done_callback(self._inbox.put)

    def _changes(self, task: Task) -> Iterator[Task]:
        try:
            return self.hooks.attempt(task)
        except GitorchError as error:
            return iter([self.hooks.failed(task, error)])

    def _run_attempt(self, task: Task, changes: Iterator[Task]) -> None:
        """Run one attempt, in a separate thread; each change waits until it is durable."""
        latest = task
        try:
            for latest in changes:
                self._deliver(latest)
        except GitorchError as error:
            self._deliver(self.hooks.failed(latest, error))

    def _deliver(self, task: Task) -> None:
        durable = threading.Event()
        self._inbox.put((task, durable))
        durable.wait()

    def _receive(self) -> Iterator[list[Task]]:
        """Wait for changes, yield them together, and let their attempts continue."""
        changed: dict[TaskId, Task] = {}
        acknowledge: list[threading.Event] = []
        for message in self._messages():
            if isinstance(message, Future):
                self._forget(message)
            elif message is not None:
                task, durable = message
                changed[task.id] = task
                acknowledge.append(durable)
                self._record_end(task)
        yield list(changed.values())
        for durable in acknowledge:
            durable.set()

    def _messages(self) -> Iterator[tuple[Task, threading.Event] | Future[None] | None]:
        try:
            yield self._inbox.get(timeout=POLL_SECONDS)
            while True:
                yield self._inbox.get_nowait()
        except queue.Empty:
            return

    def _forget(self, future: Future[None]) -> None:
        name = self._names.pop(future)
        self._running.pop(name, None)
        if error := future.exception():
            self.crashes.append(error)
            self.stopped = StopReason(StopCause.CRASH, f"{name}: unexpected error: {error!r}")

    def _record_end(self, task: Task) -> None:
        """Update cost, agents and stop reason after an attempt has ended."""
        last = task.attempt
        if task.state in (State.RUNNING, State.CANCELLED) or last is None:
            return
        self.budget.end(task.id, last.usage)
        if task.state is State.QUEUED and last.ending in (ExitReason.UNAUTHENTICATED, ExitReason.SETUP):
            self._held.hold(task.spec.agent, task.reason)
        if task.wake is not None and is_limited(task, self.hooks.now()):
            self._held.limit(task.spec.agent, task.wake)
        if last.ending == ExitReason.LIMITED and self.limits.stop_on_limit:
            self.stopped = StopReason(StopCause.LIMIT, f"{task.spec.agent} has reached its limit")
        # a task still in conflict failed to resolve it
        failed = task.state in (State.FAILED, State.CONFLICTED) or task.passed is False
        if failed and self.limits.stop_on_failure:
            self.stopped = StopReason(StopCause.FAILURE, f"{task.id} failed, and the run stops at the first failure")

    def _must_stop(self) -> bool:
        """Return whether a limit has been reached, and record which one."""
        if self.stopped is None and (reason := self._limit_message()):
            self.stopped = StopReason(StopCause.LIMIT, reason)
        return self.stopped is not None

    def stop_reason(self) -> StopReason | None:
        """Return why this run left tasks; None if it left none, or nothing prevented it from starting them."""
        tasks = self.hooks.tasks().values()
        if self.stopped:
            return self.stopped if any(task.is_pending for task in tasks) else None
        # what waits for an answer does not wait for its agent
        agents = [self.hooks.agent(task) for task in tasks if task.is_pending and task.state is not State.RUNNING]
        for agent, reason in self._held.agents.items():
            return StopReason(StopCause.LOGIN, reason + _waiting(agents.count(agent)))
        for agent, wake in self._held.limited(tasks, self.hooks.agent).items():
            if count := agents.count(agent):
                time = f"{wake.astimezone():%Y-%m-%d %H:%M}"
                is_down = any(self.hooks.agent(task) == agent and _met_outage(task) for task in tasks)
                text = (
                    f"the service of {agent} failed: it goes on at"
                    if is_down
                    else f"{agent} has reached its limit until"
                )
                return StopReason(StopCause.LIMIT, f"{text} {time}{_waiting(count)}")
        if late := self._deadline.problem(tasks):
            return StopReason(StopCause.LIMIT, late)
        return None

    def _limit_message(self) -> str:
        limits = self.limits
        if self._deadline.has_passed():
            return f"it is {self._deadline.time}"
        if used_up := self.budget.problem():
            return used_up
        if limits.min_free_disk and shutil.disk_usage(self.hooks.disk).free < limits.min_free_disk:
            return f"less than {limits.min_free_disk / 1e9:.1f} GB of disk space is free"
        unreviewed = self._count_unreviewed()
        if limits.max_unreviewed and unreviewed >= limits.max_unreviewed:
            return f"{unreviewed} tasks wait for a review"
        return ""

    def _is_awake(self, task: Task) -> bool:
        return task.state is State.WAITING and task.wake is not None and task.wake <= self.hooks.now()

    def _is_early(self) -> bool:
        return self.limits.start_at is not None and self.hooks.now() < self.limits.start_at

    def _has_wake_time(self) -> bool:
        """Return whether a task wakes up during this run, or the run has yet to start."""
        if self.stop.is_set() or self.stopped:
            return False
        if self._is_early() or self._lacks_machines:
            return True
        if self.limits.until and not self._deadline.has_passed() and self._held.may_come_back():
            return True
        horizon = self.limits.until or self.hooks.now() + timedelta(days=8)
        waiting = [task for task in self.hooks.tasks().values() if task.state is State.WAITING]
        return any(
            task.wake is not None and task.wake < horizon and self._deadline.fits(task, task.wake) for task in waiting
        )


def _met_outage(task: Task) -> bool:
    return task.state is State.WAITING and task.attempt is not None and task.attempt.ending == ExitReason.TRANSIENT


def _waiting(count: int) -> str:
    return f"; {count} task{'s wait' if count > 1 else ' waits'} for it" if count else ""


def _start_key(task: Task, tasks: Mapping[TaskId, Task]) -> tuple[object, ...]:
    """Return what must change before a task that could not start is tried again."""
    return (task.attempts, *(tasks[name].tip for name in task.spec.after if name in tasks))


def unfinished(tasks: Mapping[TaskId, Task]) -> list[Task]:
    """Return the tasks that a run has not finished."""
    return [task for task in tasks.values() if task.state in ALIVE]
