"""Run the queue until nothing is left to do or a limit is reached."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec

from gitorch.config import Config, seconds, size
from gitorch.errors import NotFound
from gitorch.executors.protocol import total_slots
from gitorch.flow import attempt
from gitorch.flow.scheduling import base_choice
from gitorch.flow.scheduling.run_limits import RunLimits, StopReason
from gitorch.flow.scheduling.scheduler import Scheduler, SchedulerHooks
from gitorch.git.tree_size import files_size
from gitorch.model import graph, notification
from gitorch.model.forecasts.conflict_forecast import Candidate, Conflict
from gitorch.model.naming import TaskId
from gitorch.model.notification import NotificationKind
from gitorch.model.outcome import Usage
from gitorch.model.task import ALIVE, State, Task, change, change_spec
from gitorch.model.visible import first_names, readable_list
from gitorch.model.wall_clock import next_time
from gitorch.rooms.context import RunContext
from gitorch.rooms.paths import require_outside
from gitorch.services import inside_credentials, people_only, protection, remote
from gitorch.services.agents import ReadyAgents, agent_name, agents_needed, run_context
from gitorch.services.branches.stale import unstale_dependents
from gitorch.services.change_watch.during_run import ChangeWatch
from gitorch.services.configured_checks import checks_for, require_trust
from gitorch.services.executor import keep_orphans
from gitorch.services.maintenance import empty_trash
from gitorch.services.merging.background_merger import BackgroundMerger, background_merger
from gitorch.services.merging.conflict_messages import ConflictMessages
from gitorch.services.merging.conflict_tasks import conflicting_tasks, queue_conflicted
from gitorch.services.merging.forecast_record import saved_candidate, saved_conflicts
from gitorch.services.merging.rechecks import Rechecks, rechecks
from gitorch.services.notifications import Notifier, notifier_of
from gitorch.services.past import past_runs
from gitorch.services.past.run_forecast import RemainingTime
from gitorch.services.recovery.operations import recover
from gitorch.services.recovery.relocation import follow_worktrees
from gitorch.services.restack import follow
from gitorch.services.run_lock import git_lock, run_lock
from gitorch.services.sandbox import require_sandbox
from gitorch.services.workspace import Workspace
from gitorch.storage.foreign_changes import ForeignChange
from gitorch.storage.run_records import RunRecord
from gitorch.storage.shared_notes import SharedNotes


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run: the tasks that it `changed`, and why it started no more (`stopped`; None: no such reason).

    - `foreign_changes`: what changed outside of the tasks' worktrees and branches, and not by gitorch
    - `conflicts`, `candidate`: the forecast of the next merge; `troubles`: the errors of the background work
    - `usage`: the sum of all attempts that ended in this run
    """

    changed: tuple[TaskId, ...]
    stopped: StopReason | None = None
    interrupted: bool = False
    started: datetime
    seconds: float = 0.0
    usage: Usage = Usage()
    foreign_changes: tuple[ForeignChange, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    candidate: Candidate | None = None
    troubles: tuple[str, ...] = ()


def run(
    workspace: Workspace, limits: RunLimits, stop: threading.Event, agents: ReadyAgents | None = None
) -> Generator[list[Task], None, RunSummary]:
    """Work through the queue, yielding tasks as they change (none at first: the run has started); return a summary.

    `agents` are those that a preflight has found ready.
    Raises `Refused` if another run is active in the repository, `SetupNeeded` if a required agent is missing or not
    logged in, and `NotFound` if there is no base commit; all before anything is changed.
    """
    people_only.require_person("run the queue")
    # with --at, it only waits until then
    started = max(datetime.now(UTC), limits.start_at or datetime.min.replace(tzinfo=UTC))
    with run_lock(workspace), git_lock(workspace):
        workspace.repository.hurry_when(stop)
        context = _prepare(workspace)
        agents = agents or ReadyAgents(context)
        for name in agents_needed(workspace):
            agents.require(name)
        scheduler = Scheduler(_hooks(workspace, context, agents, stop), limits, stop)
        changed: dict[TaskId, None] = {}
        watch, notifier = ChangeWatch(workspace), notifier_of(workspace)
        messages = ConflictMessages(workspace, context)
        past_runs.begin(workspace, started, limits)
        yield []
        with (
            background_merger(workspace, context, scheduler.wake, watch.owns_state) as background,
            rechecks(workspace, context, scheduler.wake) as rechecking,
        ):
            for tasks in _with_merges(workspace, scheduler, background, rechecking, messages, stop):
                changed.update(dict.fromkeys(task.id for task in tasks))
                watch.observe(tasks)
                notifier.observe(tasks, scheduler.held, watch.changes)
                yield tasks
        _tidy(workspace)
        summary = _summary(workspace, scheduler, changed, stop, started, watch.finish())
        _record_end(workspace, summary)
        _notify_end(workspace, notifier, scheduler, summary)
        troubles = (*background.troubles(), *notifier.troubles, *watch.troubles(), *_stranded(workspace.tasks))
        return msgspec.structs.replace(summary, troubles=troubles)


def _stranded(tasks: Mapping[TaskId, Task]) -> Iterator[str]:
    """Yield which queued tasks no run can start, because of a task that has no result."""
    for name, waiting in graph.stranded(tasks).items():
        yield f"{first_names(waiting)} cannot start: {name} is {tasks[name].state} (orchestrate retry {name})"


def _prepare(workspace: Workspace) -> RunContext:
    """Take up what an earlier run left, and refuse what would make every attempt fail."""
    recover(workspace)
    follow_worktrees(workspace)
    workspace.repository.require_git()
    _require_base(workspace)
    require_outside(workspace.repository, workspace.config)
    require_trust(workspace)
    keep_orphans()
    require_sandbox(workspace)
    protection.record(workspace, inside_credentials.of_run(workspace))
    context = run_context(workspace)
    if remote.is_on(workspace):
        remote.engine_of(workspace).attend()
    queue_conflicted(workspace, context)
    return context


def _tidy(workspace: Workspace) -> None:
    """Save the state of the queue with its notes, and remove what has been in the trash for long enough."""
    workspace.store.snapshot()
    _close_shared_notes(workspace)
    workspace.store.notices.extend(empty_trash(workspace))


def _with_merges(
    workspace: Workspace,
    scheduler: Scheduler,
    background: BackgroundMerger,
    rechecking: Rechecks,
    messages: ConflictMessages,
    stop: threading.Event,
) -> Iterator[list[Task]]:
    """Yield tasks that attempts, restacks or automatic merges have changed, once the changes are durable."""
    yield from _restacked(workspace, [task.id for task in workspace.tasks.values() if task.stale])
    for tasks in scheduler.run():
        if tasks:
            workspace.store.save([*tasks, *unstale_dependents(workspace, tasks)])
            workspace.store.snapshot_if_due()
            yield tasks
            yield from _restacked(workspace, [task.id for task in tasks if task.state is State.FINISHED])
        if checked := rechecking.step():
            yield checked
        if tasks or checked:
            background.notify_changed()
        if merged := background.step():
            yield merged
        messages.send(background.forecast)
    yield from rechecking.drain(stop)
    background.notify_changed()
    yield from background.drain(stop)


def _restacked(workspace: Workspace, names: Sequence[TaskId]) -> Iterator[list[Task]]:
    """Rebase what builds on these tasks; yield what changed."""
    if names and (changed := follow(workspace, names, in_run=True).tasks):
        yield changed


def run_limits(
    config: Config,
    *,
    max_agents: int | None = None,
    start_at: str = "",
    until: str | None = None,
    budget: float | None = None,
    token_budget: int | None = None,
    max_unreviewed: int | None = None,
    stop_on_failure: bool = False,
) -> RunLimits:
    """Return the limits of a run: the arguments, or the configured values for those that are None.

    `start_at` and `until` are times of day (`07:00`), `until` the first one after the start; `budget` is in dollars.
    """
    configured = config.run
    now = datetime.now(UTC)
    start = next_time(start_at, now) if start_at else None
    end = configured.until if until is None else until
    return RunLimits(
        max_agents=configured.max_agents if max_agents is None else max_agents,
        approved_only=configured.start_after == "approved",
        start_at=start,
        until=next_time(end, start or now) if end else None,
        budget=configured.budget if budget is None else budget,
        token_budget=configured.token_budget if token_budget is None else token_budget,
        max_unreviewed=configured.max_unreviewed if max_unreviewed is None else max_unreviewed,
        min_free_disk=size(configured.min_free_disk),
        stop_on_failure=stop_on_failure,
        stop_on_limit=configured.rate_limits == "stop",
        switch_on_limit=configured.rate_limits == "switch",
    )


def _require_base(workspace: Workspace) -> None:
    """Raise `NotFound` if there is no commit on which a queued task could start.

    A task with a base of its own, that is not there, waits and says so.
    """
    specs = [task.spec for task in workspace.tasks.values() if task.state is State.QUEUED]
    if specs and not any(base_choice.has_own(spec) for spec in specs):
        base_choice.start_commit(workspace.repository, workspace.config)


def _hooks(workspace: Workspace, context: RunContext, agents: ReadyAgents, stop: threading.Event) -> SchedulerHooks:
    def run_attempt(task: Task) -> Iterator[Task]:
        # read now, by the thread that owns the store; the attempt runs in another thread
        dependencies = tuple(graph.nearest_first(task, workspace.tasks))
        context.spending.forget(task.id)
        checks, opponents = checks_for(workspace, task), conflicting_tasks(workspace, task)
        if stop.is_set():  # requested while this task was being started
            attempt.request_stop(context, task, attempt.INTERRUPTED)
        return attempt.run(context, task, checks, dependencies, opponents)

    return SchedulerHooks(
        tasks=lambda: workspace.tasks,
        start=lambda task: start_task(workspace, context, agents, task),
        attempt=run_attempt,
        failed=lambda task, error: attempt.fail(context, task, error),
        agent=lambda task: agents.get(agent_name(workspace, task), task.spec.agent),
        is_ready=agents.is_ready,
        other_agent=agents.other,
        slots=lambda: total_slots(context.executor.capacity()),
        unplaced=lambda agent: remote.unplaced(workspace, agent, context.executor.capacity()),
        patience=seconds(workspace.config.remote.lost_after),
        disk=workspace.repository.common_dir,
        in_flight=context.spending.total,
        interrupt=lambda task, reason: attempt.request_stop(context, task, f"{attempt.INTERRUPTED}: {reason}"),
        needs=RemainingTime(workspace, agents).seconds,
        worktree_size=_worktree_size(workspace),
    )


def _worktree_size(workspace: Workspace) -> Callable[[], int]:
    """Return how to measure the files of a base once: without what `prepare` adds."""

    @cache
    def measured() -> int:
        try:
            return files_size(workspace.repository, base_choice.start_commit(workspace.repository, workspace.config))
        except NotFound:
            return 0

    return measured


def start_task(workspace: Workspace, context: RunContext, agents: ReadyAgents, task: Task) -> Task:
    """Return a queued task as running on its base, or still queued with the reason why it cannot start now."""
    start = base_choice.choose_base(workspace.repository, workspace.config, task, workspace.tasks)
    if isinstance(start, base_choice.BaseConflict):
        names = " and ".join(start.tasks)
        return change(task, reason=f"waits: {names} conflict in {readable_list(start.paths)}")
    agent = agents.require(agent_name(workspace, task))
    started = attempt.start(context, change_spec(task, agent=agent), start.commit)
    checks_for(workspace, started)  # refuse untrusted commands before anything is created
    return started


def _notify_end(workspace: Workspace, notifier: Notifier, scheduler: Scheduler, summary: RunSummary) -> None:
    """Tell a person about the end of a run, unless a person has ended it."""
    notifier.observe((), scheduler.held, summary.foreign_changes)
    if summary.stopped and summary.stopped.reason == scheduler.budget.problem():
        notifier.post(notification.notification(NotificationKind.BUDGET, summary.stopped.reason))
    if not summary.interrupted:
        tasks = [workspace.tasks[name] for name in summary.changed if name in workspace.tasks]
        reason = summary.stopped.reason if summary.stopped else ""
        notifier.post(notification.of_end(tasks, reason, summary.usage.usd))
    notifier.close()


def _record_end(workspace: Workspace, summary: RunSummary) -> None:
    record = RunRecord(
        started=summary.started,
        ended=summary.started + timedelta(seconds=summary.seconds),
        stopped=summary.stopped.reason if summary.stopped else "",
        interrupted=summary.interrupted,
        usage=summary.usage,
    )
    past_runs.end(workspace, record, [workspace.tasks[name] for name in summary.changed if name in workspace.tasks])


def _close_shared_notes(workspace: Workspace) -> None:
    """Close the shared notes, unless unfinished attempts continue in the next run."""
    if not any(task.attempts and task.state in ALIVE for task in workspace.tasks.values()):
        SharedNotes(workspace.folder / "context").close()


def _summary(
    workspace: Workspace,
    scheduler: Scheduler,
    changed: Iterable[TaskId],
    stop: threading.Event,
    started: datetime,
    foreign_changes: tuple[ForeignChange, ...],
) -> RunSummary:
    if scheduler.crashes:
        raise scheduler.crashes[0]
    return RunSummary(
        changed=tuple(changed),
        stopped=scheduler.stop_reason(),
        interrupted=stop.is_set(),
        started=started,
        seconds=max(0.0, (datetime.now(UTC) - started).total_seconds()),
        usage=scheduler.budget.ended,
        foreign_changes=foreign_changes,
        conflicts=saved_conflicts(workspace),
        candidate=saved_candidate(workspace),
    )
