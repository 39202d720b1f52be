"""Work through the queue, and stop what runs."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING

import msgspec

from gitorch.errors import GitorchError, InvalidInput, Refused
from gitorch.model import graph
from gitorch.model.forecast import Candidate, Conflict, Judgement
from gitorch.model.naming import TaskId, branch_ref
from gitorch.model.task import ALIVE, State, Task, change, change_spec
from gitorch.services.agent_choice import Choosing
from gitorch.services.conflicts import Conflicts
from gitorch.services.forecast import Forecasting, unchecked
from gitorch.services.submit import Queueing
from gitorch.storage import locks, trust
from gitorch.storage.operations import words
from gitorch.storage.shared_notes import SharedNotes

if TYPE_CHECKING:
    from gitorch.flow.scheduling.scheduler import Limits, Schedule, Stopped, Work
    from gitorch.rooms.environment import Means
    from gitorch.services.background import Beside


_PAUSE_SECONDS = 0.05
_REFUSALS = 5
"""So often a run must be found at work before it is said to be."""
_TRIES = 200
"""So often others may be asking; one that was stopped while it asked keeps nobody for ever."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a run leaves behind: the tasks that it changed, and why it left others (None when nothing kept it).

    `moved` names what changed meanwhile in the user's own checkout, refs and configuration, by whomever. `conflicts`
    and `candidate` are what is known of the morning's merge, `troubles` what kept gitorch from knowing more.
    """

    changed: tuple[TaskId, ...]
    stopped: Stopped | None = None
    interrupted: bool = False
    started: datetime
    seconds: float = 0.0
    spent: float = 0.0
    moved: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    candidate: Candidate | None = None
    troubles: tuple[str, ...] = ()


class Night(Queueing, Choosing, Conflicts, Forecasting):
    """The night: running, and stopping."""

    def run(self, limits: Limits, stop: threading.Event) -> Generator[list[Task], None, RunSummary]:
        """Work through the queue, yielding tasks as they change (none at first: it has begun); return a summary.

        One run at a time in a repository: raises `Refused` when another one holds it. Raises before
        anything is made: `SetupNeeded` when an agent that is needed is missing or not logged in, `NotFound` when there
        is no commit to start on.
        """
        from gitorch.flow.scheduling.scheduler import Schedule
        from gitorch.git import fence

        trust.require_person("run the queue")
        begun = datetime.now(UTC)
        with self._run_lock(), self._after_orphans():
            self.recover()
            self.repository.require_git()
            self._require_base()
            self.require_trust()
            means = self.means()
            self.queue_conflicted(means)
            self._preflight(means)
            schedule = Schedule(self._work(means, stop), limits, stop)
            changed: dict[TaskId, None] = {}
            untouched = fence.fingerprint(self.repository, ours=self._own_refs())
            yield []
            with self._beside() as beside:
                for tasks in schedule.run():
                    changed.update(dict.fromkeys(task.id for task in tasks))
                    self.store.save([*tasks, *self.as_before(tasks)])
                    self.store.snapshot_if_due()
                    beside.keeper.tell()
                    yield tasks
                beside.keeper.settle(stop)
                if merged := beside.published():
                    changed.update(dict.fromkeys(task.id for task in merged))
                    yield merged
            self.store.snapshot()
            # a run that leaves attempts unfinished goes on with the next one, and so do its notes
            if not any(task.attempts and task.state in ALIVE for task in self.tasks.values()):
                SharedNotes(self.folder / "context").close()
            moved = fence.differences(untouched, fence.fingerprint(self.repository, ours=self._own_refs()))
            summary = self._summary(schedule, changed, stop, begun, moved)
            return msgspec.structs.replace(
                summary, conflicts=self.conflicts(), candidate=self.candidate(), troubles=beside.troubles()
            )

    @contextmanager
    def _beside(self) -> Iterator[Beside]:
        """Keep the forecast and the candidate current beside a run."""
        from gitorch.services.background import Beside

        beside = Beside(self)
        beside.keeper.start()
        try:
            yield beside
        finally:
            beside.close()

    def _own_refs(self) -> tuple[str, ...]:
        branches = [branch_ref(task.branch) for task in self.tasks.values() if task.branch]
        under = [f"refs/heads/{self.config.prefix}"] if self.config.prefix.endswith("/") else branches
        return (*under, branch_ref(self.config.integration), branch_ref(self.config.candidate))

    def _summary(
        self,
        schedule: Schedule,
        changed: Iterable[TaskId],
        stop: threading.Event,
        begun: datetime,
        moved: tuple[str, ...],
    ) -> RunSummary:
        if schedule.crashes:
            raise schedule.crashes[0]
        return RunSummary(
            changed=tuple(changed),
            stopped=schedule.why_left(),
            interrupted=stop.is_set(),
            started=begun,
            seconds=(datetime.now(UTC) - begun).total_seconds(),
            spent=schedule.spent,
            moved=moved,
        )

    def _work(self, means: Means, stop: threading.Event) -> Work:
        from gitorch.flow import attempt
        from gitorch.flow.scheduling.scheduler import Work

        def carry(task: Task) -> Iterator[Task]:
            before = tuple(graph.nearest_first(task, self.tasks))
            checks = self.checks_for(task)
            if stop.is_set():  # asked for while this task was being started
                attempt.ask_to_stop(means, task, attempt.INTERRUPTED)
            yield from attempt.attempt(means, task, checks, before, self._opponents(task))

        return Work(
            tasks=lambda: self.tasks,
            start=lambda task: self._start(means, task),
            carry=carry,
            failed=lambda task, error: attempt.failed_by(means, task, error),
            agent=lambda task: self._able.get(self._named(task), task.spec.agent),
            disk=self.repository.common_dir,
        )

    def _start(self, means: Means, task: Task) -> Task:
        """Return a queued task as running on its base; or as it is, with the reason why it cannot start now."""
        from gitorch.flow import attempt
        from gitorch.flow.scheduling import base

        found = base.choose_base(self.repository, self.config, task, self.tasks)
        if isinstance(found, base.BaseConflict):
            names, paths = " and ".join(found.tasks), ", ".join(found.paths)
            return change(task, reason=f"waits: {names} conflict in {paths}")
        started = attempt.begin(means, change_spec(task, agent=self._agent(means, self._named(task))), found.commit)
        self.checks_for(started)  # refuse what is not trusted before anything is made
        return started

    def _require_base(self) -> None:
        """Raise `NotFound` when there is no commit that a queued task could start on."""
        from gitorch.flow.scheduling import base

        if any(task.state is State.QUEUED and not task.spec.base_ref for task in self.tasks.values()):
            base.named(self.repository, self.config)

    @contextmanager
    def _run_lock(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "run.lock").open("a+") as file:
            if not _locked_soon(file):
                file.seek(0)
                raise Refused(
                    "run-held",
                    "another run is at work in this repository",
                    why=f"process {file.read().strip()}",
                    fix=("orchestrate watch",),
                )
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    @contextmanager
    def _after_orphans(self) -> Iterator[None]:
        """Wait for the git processes that a killed run has left behind, and have those of this run waited for."""
        with locks.turn(self.folder / "git.lock") as file, self.repository.lending(file):
            yield

    def candidate(self) -> Candidate | None:
        """Return the night's candidate as it was last made; None before the first."""
        found = super().candidate()
        if found is None or found.judgement is not Judgement.CHECKING or self.is_running():
            return found
        found = super().candidate()  # the run may have finished its check, and ended, since
        return unchecked(found) if found and found.judgement is Judgement.CHECKING else found

    def is_running(self) -> bool:
        """Tell whether a run is at work in this repository."""
        try:
            with (self.folder / "run.lock").open("a+") as file:
                return not locks.take(file, shared=True)
        except FileNotFoundError:
            return False

    def kill(self, tasks: Sequence[Task], reason: str, *, now: bool = False) -> list[Task]:
        """Stop tasks, from any process. Their committed and uncommitted work is kept on their branches.

        Where no run is at work, the attempts are brought to their end here.
        """
        from gitorch.flow import attempt

        means = self.means()
        idle = [task for task in tasks if task.state is not State.RUNNING]
        if idle:
            cancelled = [(task, change(task, state=State.CANCELLED, reason=reason)) for task in idle]
            self._change("kill", cancelled, words("kill", idle))
        for task in tasks:
            if task.state is State.RUNNING:
                attempt.ask_to_stop(means, task, reason, now=now)
        if not self.is_running():
            with self._run_lock(), self._after_orphans():
                for task in tasks:
                    if self.tasks[task.id].state is State.RUNNING:
                        self._settle(means, self.tasks[task.id])
        return [self.tasks[task.id] for task in tasks]

    def _settle(self, means: Means, task: Task) -> None:
        from gitorch.flow import attempt

        try:
            for changed in attempt.attempt(means, task, self.checks_for(task)):
                self.store.save([changed])
        except GitorchError as error:
            self.store.save([attempt.failed_by(means, self.tasks[task.id], error)])

    def interrupt(self, *, now: bool = False) -> None:
        """Ask every running attempt to stop, so that it can go on with the next run."""
        from gitorch.flow import attempt

        means = self.means()
        for task in list(self.tasks.values()):
            if task.state is State.RUNNING:
                attempt.ask_to_stop(means, task, attempt.INTERRUPTED, now=now)


def _locked_soon(file: IO[str]) -> bool:
    """Take a lock that others hold for a whole run, or for the moment in which they ask whether there is one."""
    refused = 0
    for _ in range(_TRIES):
        if locks.take(file):
            return True
        # who asks shares it, and may be slow to give it back; a run does not share
        refused += not _is_shared(file)
        if refused == _REFUSALS:
            break
        threading.Event().wait(_PAUSE_SECONDS)
    return False


def _is_shared(file: IO[str]) -> bool:
    shared = locks.take(file, shared=True)
    if shared:
        fcntl.flock(file, fcntl.LOCK_UN)
    return shared


def at_clock(text: str) -> datetime | None:
    """Read `07:00` as the next time that a clock shows it; empty text is no time."""
    if not text:
        return None
    try:
        wanted = datetime.strptime(text, "%H:%M").time()
    except ValueError:
        raise InvalidInput("time", f"{text!r} is not a time", fix=("write it as 07:00",)) from None
    now = datetime.now().astimezone()
    then = now.replace(hour=wanted.hour, minute=wanted.minute, second=0, microsecond=0)
    return (then if then > now else then + timedelta(days=1)).astimezone(UTC)
