"""The scheduler: who starts when, and what stops it. Work is plain functions; no git, no processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from gitorch.errors import GitorchError, Refused
from gitorch.flow.scheduling import held_agents, scheduler
from gitorch.flow.scheduling.run_limits import RunLimits, StopCause
from gitorch.flow.scheduling.scheduler import Scheduler, SchedulerHooks
from gitorch.model.naming import Oid, TaskId
from gitorch.model.outcome import ExitReason, Usage
from gitorch.model.task import Attempt, Commits, Priority, State, Task, change, change_attempt, change_spec
from tests.support.tasks import make_task

Carry = Callable[[Task], Iterator[Task]]


def task(number: int, name: str = "", **fields: object) -> Task:
    return make_task(id=TaskId(name or f"t{number}"), number=number, title="", prompt="x", agent="a", **fields)


def finish(one: Task) -> Iterator[Task]:
    yield change(one, state=State.FINISHED, commits=Commits(Oid("base"), Oid(f"tip-{one.id}")))


class Night:
    """A run over tasks in memory: records who started, in which order, and how many ran at once."""

    def __init__(
        self,
        *tasks: Task,
        carry: Carry = finish,
        slots: Callable[[], int | None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        needs: Callable[[Task], float | None] = lambda _: None,
        **limits: object,
    ) -> None:
        self.tasks = {one.id: one for one in tasks}
        self.started: list[str] = []
        self.instead_of: list[tuple[str, str, str]] = []
        self.most = 0
        self._live = 0
        self._carry = carry
        self._count = threading.Lock()
        self.refuse: dict[str, GitorchError] = {}
        self.unready: set[str] = set()
        work = SchedulerHooks(
            tasks=lambda: self.tasks,
            start=self._start,
            attempt=self._counted,
            failed=self._failed,
            agent=lambda one: one.spec.agent,
            is_ready=lambda name: name not in self.unready,
            other_agent=lambda _limited, unusable: next((name for name in ("b", "c") if name not in unusable), ""),
            slots=slots,
            disk=Path.cwd(),
            now=now,
            needs=needs,
        )
        self.stop = threading.Event()
        self.schedule = Scheduler(work, msgspec.convert(limits, RunLimits), self.stop)

    def _start(self, one: Task) -> Task:
        if one.id in self.refuse:
            raise self.refuse[one.id]
        self.started.append(one.id)
        attempt = Attempt(number=one.attempts + 1, agent=one.spec.agent)
        return change(one, state=State.RUNNING, attempts=one.attempts + 1, attempt=attempt, wake=None)

    def _counted(self, one: Task) -> Iterator[Task]:
        with self._count:
            if one.attempt:
                self.instead_of.append((one.id, one.attempt.agent, one.attempt.instead_of))
            self._live += 1
            self.most = max(self.most, self._live)
        yield from self._carry(one)
        with self._count:
            self._live -= 1

    @staticmethod
    def _failed(one: Task, error: GitorchError) -> Task:
        return change(one, state=State.FAILED, reason=error.what)

    def run(self) -> Night:
        for changed in self.schedule.run():
            self.tasks |= {one.id: one for one in changed}
        return self

    def states(self) -> dict[str, str]:
        return {name: str(one.state) for name, one in self.tasks.items()}


def test_priority_goes_before_age_across_agents() -> None:
    """The seed went by agent first, so that a LOW task ran before two HIGH ones."""
    low = task(1, priority=Priority.LOW)
    high = change_spec(task(2, priority=Priority.HIGH), agent="other")
    normal = task(3)
    assert Night(low, high, normal, task(4), max_agents=1).run().started == ["t2", "t3", "t4", "t1"]


def test_a_dependent_starts_after_what_it_waits_for() -> None:
    """Edges are kept although the dependent is more urgent and there is a free slot."""
    night = Night(task(1, after=(TaskId("t2"),), priority=Priority.HIGH), task(2), max_agents=5).run()
    assert night.started == ["t2", "t1"]
    assert set(night.states().values()) == {"finished"}


def test_no_more_run_at_once_than_allowed() -> None:
    """`max_agents` holds at every moment, and is made use of."""
    gate = threading.Barrier(3, timeout=300)

    def together(one: Task) -> Iterator[Task]:
        gate.wait()
        yield from finish(one)

    assert Night(*map(task, range(1, 10)), carry=together, max_agents=3).run().most == 3


def test_no_more_run_at_once_than_the_machines_take() -> None:
    """The executor's slots hold where they are fewer than `max_agents`."""
    gate = threading.Barrier(2, timeout=300)

    def together(one: Task) -> Iterator[Task]:
        gate.wait()
        yield from finish(one)

    night = Night(*map(task, range(1, 9)), carry=together, slots=lambda: 2, max_agents=5).run()
    assert (night.most, set(night.states().values())) == (2, {"finished"})


def test_without_a_machine_the_run_ends_and_says_so() -> None:
    """A worker that leaves in the middle lets the attempts end; what waits stays queued."""
    slots = iter([1])
    night = Night(task(1), task(2), slots=lambda: next(slots, 0)).run()
    assert night.states() == {"t1": "finished", "t2": "queued"}
    stopped = night.schedule.stop_reason()
    assert stopped is not None
    assert (stopped.cause, stopped.reason) == (StopCause.LIMIT, "no machine takes attempts now")


def test_a_failed_dependency_leaves_its_dependent_in_the_queue() -> None:
    """Nobody builds on work that is not there, and the run ends all the same."""

    def fail(one: Task) -> Iterator[Task]:
        yield change(one, state=State.FAILED, reason="no")

    night = Night(task(1), task(2, after=(TaskId("t1"),)), carry=fail).run()
    assert night.states() == {"t1": "failed", "t2": "queued"}


def test_an_error_in_one_attempt_fails_that_task_alone() -> None:
    """A worktree that is in the way is that task's trouble."""

    def carry(one: Task) -> Iterator[Task]:
        if one.id == "t1":
            raise Refused("x", "in the way")
        yield from finish(one)

    night = Night(task(1), task(2), carry=carry).run()
    assert night.states() == {"t1": "failed", "t2": "finished"}
    assert night.tasks[TaskId("t1")].reason == "in the way"


def test_a_task_that_cannot_start_says_why_and_is_not_tried_for_ever() -> None:
    """The seed tried a failed start again every two seconds."""
    night = Night(task(1), task(2))
    night.refuse["t1"] = Refused("x", "its base is gone")
    night.run()
    assert night.states() == {"t1": "queued", "t2": "finished"}
    assert night.tasks[TaskId("t1")].reason == "its base is gone"


def test_a_lost_login_holds_that_agent_and_no_other() -> None:
    """Nights are not lost to a login: what another agent can do goes on."""

    def carry(one: Task) -> Iterator[Task]:
        if one.spec.agent == "a":
            yield change(change_attempt(one, ending=ExitReason.UNAUTHENTICATED), state=State.QUEUED, reason="no login")
        else:
            yield from finish(one)

    other = change_spec(task(9), agent="b")
    night = Night(task(1), task(2), other, carry=carry, max_agents=1).run()
    assert night.started == ["t1", "t9"]
    assert night.states() == {"t1": "queued", "t2": "queued", "t9": "finished"}
    left = night.schedule.stop_reason()
    assert left is not None
    assert left.cause is StopCause.LOGIN
    assert left.reason.endswith("; 2 tasks wait for it")


def test_what_waits_for_an_answer_does_not_wait_for_its_agent() -> None:
    """A question is not counted among the tasks that a lost login holds."""

    def carry(one: Task) -> Iterator[Task]:
        if one.id == "t1":
            yield change(change_attempt(one, ending=ExitReason.COMPLETED), state=State.WAITING, reason="asked: Which?")
        else:
            yield change(change_attempt(one, ending=ExitReason.UNAUTHENTICATED), state=State.QUEUED, reason="no login")

    left = Night(task(1), task(2), carry=carry, max_agents=1).run().schedule.stop_reason()
    assert left is not None
    assert left.reason.endswith("; 1 task waits for it")


def limited(one: Task, seconds: float) -> Task:
    """Return a task after an attempt that reached a limit."""
    wake = datetime.now(UTC) + timedelta(seconds=seconds)
    return change(change_attempt(one, ending=ExitReason.LIMITED), state=State.WAITING, wake=wake)


def test_a_limit_holds_all_tasks_of_its_agent() -> None:
    """Nothing is started into a limit that one task has met, and the run ends with the time when it is over."""

    def carry(one: Task) -> Iterator[Task]:
        yield from [limited(one, 7_200)] if one.spec.agent == "a" else finish(one)

    other = change_spec(task(9), agent="b")
    until = datetime.now(UTC) + timedelta(hours=1)
    asked = change(change(task(10), state=State.RUNNING), state=State.WAITING, reason="asked: which?")  # of a person
    night = Night(*map(task, range(1, 9)), other, asked, carry=carry, max_agents=1, until=until).run()
    assert night.started == ["t1", "t9"]
    left = night.schedule.stop_reason()
    assert left is not None
    assert left.cause is StopCause.LIMIT
    assert left.reason.startswith("a has reached its limit until ")
    assert left.reason.endswith("; 8 tasks wait for it")
    # the next run knows it from the tasks
    again = Night(*night.tasks.values(), until=until).run()
    assert again.started == []


def test_a_limit_can_move_tasks_to_another_agent() -> None:
    """The task that met the limit and those behind it go to the next agent that is ready and has no limit."""

    def carry(one: Task) -> Iterator[Task]:
        yield from [limited(one, 7_200)] if one.spec.agent in ("a", "b") else finish(one)

    night = Night(*map(task, range(1, 4)), carry=carry, max_agents=1, switch_on_limit=True).run()
    assert night.started == ["t1", "t1", "t1", "t2", "t3"]
    assert set(night.states().values()) == {"finished"}
    assert {one.spec.agent for one in night.tasks.values()} == {"c"}
    # each attempt knows whose work it does
    assert night.instead_of == [("t1", "a", ""), ("t1", "b", "a"), ("t1", "c", "b"), ("t2", "c", "a"), ("t3", "c", "a")]


def test_a_limit_of_an_earlier_run_is_not_forgotten_when_its_task_goes_to_another_agent() -> None:
    """Nothing is started into it when the other agent meets a limit, too."""

    def carry(one: Task) -> Iterator[Task]:
        yield from [limited(one, 7_200)] if one.spec.agent == "b" else finish(one)

    until = datetime.now(UTC) + timedelta(hours=1)
    night = Night(limited(change(task(1), state=State.RUNNING, attempt=Attempt(number=1, agent="a")), 7_200), task(2))
    night = Night(*night.tasks.values(), carry=carry, max_agents=1, switch_on_limit=True, until=until).run()
    assert {agent for _, agent, _ in night.instead_of} == {"b", "c"}


def test_a_task_that_cannot_start_with_another_agent_keeps_its_own() -> None:
    """What was asked for is not forgotten because another agent was tried."""

    def carry(one: Task) -> Iterator[Task]:
        yield from [limited(one, 7_200)]

    until = datetime.now(UTC) + timedelta(hours=1)
    night = Night(task(1), task(2), carry=carry, max_agents=1, switch_on_limit=True, until=until)
    night.refuse = {"t2": Refused("no", "it cannot start")}
    night.run()
    assert night.tasks[TaskId("t2")].spec.agent == "a"


@pytest.mark.parametrize("ending", [ExitReason.UNAUTHENTICATED, ExitReason.SETUP])
def test_an_agent_is_released_when_a_failed_probe_succeeds(ending: ExitReason, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody logs in, or the program is back: what was held goes on, and nothing was tried meanwhile."""
    monkeypatch.setattr(held_agents, "PROBE_SECONDS", 0.05)

    def carry(one: Task) -> Iterator[Task]:
        if one.attempts == 1 and one.id == "t1":
            night.unready.add("a")
            yield change(change_attempt(one, ending=ending), state=State.QUEUED, reason="no login")
            threading.Timer(0.3, night.unready.clear).start()
        else:
            yield from finish(one)

    until = datetime.now(UTC) + timedelta(hours=1)
    night = Night(task(1), task(2), carry=carry, max_agents=1, until=until)
    night.run()
    assert night.started == ["t1", "t1", "t2"]
    assert set(night.states().values()) == {"finished"}


def test_a_task_that_waits_for_a_limit_goes_on_when_it_resets() -> None:
    """A limit is waited for to the moment, and counted once."""

    def carry(one: Task) -> Iterator[Task]:
        if one.attempts == 1:
            wake = datetime.now(UTC) + timedelta(seconds=0.2)
            yield change(change_attempt(one, ending=ExitReason.LIMITED), state=State.WAITING, wake=wake)
        else:
            yield from finish(one)

    night = Night(task(1), carry=carry).run()
    assert night.started == ["t1", "t1"]
    assert night.states() == {"t1": "finished"}


class Clock:
    """A clock that moves on ten minutes whenever nothing happens, and to the time of `jumps` when a task starts.

    While an attempt runs it stands still: how often the schedule looks at a slow thread must not count.
    """

    def __init__(self, start: datetime, jumps: dict[str, datetime]) -> None:
        self.time = start
        self.jumps = jumps

    def __call__(self) -> datetime:
        return self.time

    def run(self, night: Night) -> list[tuple[str, datetime]]:
        """Run a night; return when each task started."""
        log: list[tuple[str, datetime]] = []
        for changed in night.schedule.run():
            started = [one.id for one in changed if one.state is State.RUNNING]
            log += [(name, self.time) for name in started]
            night.tasks |= {one.id: one for one in changed}
            self.time = next((self.jumps[name] for name in started if name in self.jumps), self.time)
            # an attempt's thread also takes a moment after its last change
            self.time += timedelta(minutes=0 if changed or night.schedule._running else 10)
        return log


def test_a_night_with_two_limit_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing starts before `--at`, into a limit, or after `--until`; what waits for a limit goes on when it ends."""
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 0.001)
    evening = datetime(2026, 11, 29, 18, tzinfo=UTC)
    start, first, second, end = (evening + timedelta(hours=hours) for hours in (5, 7, 10, 13))
    clock = Clock(evening, {"t5": end})
    windows = {"t1": first, "t3": second}

    def carry(one: Task) -> Iterator[Task]:
        if wake := windows.pop(one.id, None):
            yield change(change_attempt(one, ending=ExitReason.LIMITED), state=State.WAITING, wake=wake)
        else:
            yield from finish(one)

    night = Night(*map(task, range(1, 7)), carry=carry, now=clock, max_agents=1, start_at=start, until=end)
    log = clock.run(night)
    assert [name for name, _ in log] == ["t1", "t1", "t2", "t3", "t3", "t4", "t5"]
    times = [time for _, time in log]
    assert times == sorted(times)
    assert times[0] == start
    assert first <= times[1] <= times[3] < second <= times[4] <= times[6] < end
    assert night.states()["t6"] == "queued"
    left = night.schedule.stop_reason()
    assert left is not None
    assert left.reason.startswith("it is ")


def test_nothing_is_started_that_would_not_be_done_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two limits, an end at seven: what fits runs, in the order of the queue; nothing waits for a limit in vain."""
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 0.001)
    evening = datetime(2026, 11, 29, 23, tzinfo=UTC)
    first, second, end = (evening + timedelta(hours=hours) for hours in (2, 7, 8))
    hours = {"t1": 1.0, "t2": 1.5, "t3": 1.5, "t4": 9.0, "t5": 0.5, "t6": 2.5}
    clock = Clock(evening, {})
    windows = {"t1": first, "t5": second}

    def carry(one: Task) -> Iterator[Task]:
        if wake := windows.pop(one.id, None):
            yield change(change_attempt(one, ending=ExitReason.LIMITED), state=State.WAITING, wake=wake)
        else:
            clock.time += timedelta(hours=hours.get(one.id, 0.1))
            yield from finish(one)

    def needs(one: Task) -> float | None:
        return hours[one.id] * 3600 if one.id in hours else None

    names = ("t1", "t2", "t3", "t4", "t5", "t7", "t6")
    tasks = [task(number, name) for number, name in enumerate(names, 1)]
    night = Night(*tasks, carry=carry, now=clock, needs=needs, max_agents=1, until=end)
    log = clock.run(night)
    # t4 never fits; when the second limit ends, it is too late for t6, and not for t5 and t7
    assert [name for name, _ in log] == ["t1", "t1", "t2", "t3", "t5", "t5", "t7"]
    assert [time for name, time in log if name == "t5"][1] >= second
    assert clock.time <= end
    assert {name for name, state in night.states().items() if state != "finished"} == {"t4", "t6"}
    assert night.tasks[TaskId("t4")].reason.startswith("not started: would very likely not be done by ")
    left = night.schedule.stop_reason()
    assert left is not None
    assert left.cause is StopCause.LIMIT
    assert left.reason.startswith("2 tasks were not started that would very likely not be done by ")


def test_nothing_waits_for_a_limit_that_ends_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends at once, and says how long the limit lasts; with time enough it waits."""
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 0.001)
    evening = datetime(2026, 11, 29, 23, tzinfo=UTC)
    for seconds, runs in ((7200.0, 1), (3600.0, 2)):
        clock = Clock(evening, {})
        waits = iter([True])

        def carry(one: Task, waits: Iterator[bool] = waits) -> Iterator[Task]:
            wake = evening + timedelta(hours=6.5)
            limited = change(change_attempt(one, ending=ExitReason.LIMITED), state=State.WAITING, wake=wake)
            yield from iter([limited]) if next(waits, False) else finish(one)

        def needs(one: Task, seconds: float = seconds) -> float:
            return seconds if one.attempts else 60.0

        night = Night(task(1), carry=carry, now=clock, needs=needs, until=evening + timedelta(hours=8))
        assert len(clock.run(night)) == runs
        reason = night.schedule.stop_reason()
        assert (reason is None) == (runs == 2)
        assert reason is None or reason.reason.startswith("a has reached its limit until ")


def test_a_stop_ends_the_wait_for_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before the start ends the run, and nothing was started."""
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 0.001)
    start = datetime(2026, 11, 29, 18, tzinfo=UTC)
    night = Night(task(1), now=lambda: start, start_at=start + timedelta(hours=5))
    for number, _ in enumerate(night.schedule.run()):
        if number == 3:
            night.stop.set()
    assert night.states() == {"t1": "queued"}


def test_a_budget_stops_new_starts_and_says_so() -> None:
    """What was begun ends; what was not stays in the queue."""

    def carry(one: Task) -> Iterator[Task]:
        yield change(change_attempt(one, usage=Usage(usd=3.0)), state=State.FINISHED)

    night = Night(task(1), task(2), carry=carry, max_agents=1, budget=2.5).run()
    assert night.states() == {"t1": "finished", "t2": "queued"}
    assert night.schedule.stopped is not None
    assert "budget" in night.schedule.stopped.reason


def test_what_running_agents_spend_counts_and_ends_them() -> None:
    """Two agents that have not ended use up the budget together: both are interrupted once, and no third one starts."""
    gate = threading.Event()
    spent = {"t1": Usage(usd=1.0), "t2": Usage(usd=1.5)}
    asked: list[str] = []

    def carry(one: Task) -> Iterator[Task]:
        gate.wait(30)
        yield change(change_attempt(one, usage=spent[one.id]), state=State.QUEUED, reason="interrupted")

    def interrupt(one: Task, reason: str) -> None:
        asked.append(one.id)
        assert reason == "the budget of $2.50 is used up ($2.50)"
        if len(asked) == 2:
            gate.set()

    night = Night(task(1), task(2), task(3), carry=carry, max_agents=2, budget=2.5)
    hooks = night.schedule.hooks
    night.schedule = Scheduler(
        msgspec.structs.replace(
            hooks, in_flight=lambda names: sum((spent[name] for name in names), start=Usage()), interrupt=interrupt
        ),
        RunLimits(max_agents=2, budget=2.5),
        night.stop,
    )
    night.run()
    assert sorted(asked) == ["t1", "t2"]
    assert night.states() == {"t1": "queued", "t2": "queued", "t3": "queued"}
    assert night.schedule.budget.ended.usd == 2.5


def test_a_budget_in_tokens_counts_every_agent() -> None:
    """Tokens are known where a price is not."""

    def carry(one: Task) -> Iterator[Task]:
        yield change(change_attempt(one, usage=Usage(input_tokens=900, output_tokens=100)), state=State.FINISHED)

    night = Night(task(1), task(2), task(3), carry=carry, max_agents=1, budget=1.0, token_budget=2_000).run()
    assert night.states() == {"t1": "finished", "t2": "finished", "t3": "queued"}
    left = night.schedule.stop_reason()
    assert left is not None
    assert left.reason == "the budget of 2000 tokens is used up (2000)"


def test_a_budget_that_the_last_task_uses_up_has_stopped_nothing() -> None:
    """It is used up while the task still runs, but no task is left: the run is done, as without a budget."""
    spent = Usage(usd=2.0)
    interrupted = threading.Event()

    def carry(one: Task) -> Iterator[Task]:
        interrupted.wait(30)  # too late: it has done its work
        yield change(change_attempt(one, usage=spent), state=State.FINISHED)

    night = Night(task(1), carry=carry)
    hooks = msgspec.structs.replace(
        night.schedule.hooks,
        in_flight=lambda names: spent if names else Usage(),
        interrupt=lambda *_: interrupted.set(),
    )
    night.schedule = Scheduler(hooks, RunLimits(max_agents=1, budget=1.0), night.stop)
    night.run()
    assert night.states() == {"t1": "finished"}
    assert night.schedule.stopped is not None
    assert night.schedule.stop_reason() is None


def test_a_task_that_runs_counts_as_a_review_to_come() -> None:
    """With room for two reviews, one finished task and a running one leave no room; a failed one gives it back."""

    def carry(one: Task) -> Iterator[Task]:
        if one.id == "t2":
            yield change(one, state=State.FAILED)
        else:
            yield from finish(one)

    night = Night(*map(task, range(1, 5)), carry=carry, max_agents=4, max_unreviewed=2).run()
    assert night.most == 2
    assert night.states() == {"t1": "finished", "t2": "failed", "t3": "finished", "t4": "queued"}


def test_other_limits_stop_new_starts() -> None:
    """The clock, the reviews that wait, the disk, the first failure: each is named."""

    def fail(one: Task) -> Iterator[Task]:
        yield change(one, state=State.FAILED)

    past = datetime.now(UTC) - timedelta(minutes=1)
    cases: list[tuple[Carry, dict[str, object], str]] = [
        (finish, {"until": past}, "it is"),
        (finish, {"max_unreviewed": 1}, "wait for a review"),
        (finish, {"min_free_disk": 2**62}, "disk"),
        (fail, {"stop_on_failure": True}, "first failure"),
    ]
    for carry, limits, word in cases:
        night = Night(task(1), task(2), carry=carry, max_agents=1, **limits).run()  # type: ignore[arg-type]
        assert "t2" not in night.started, limits
        assert night.schedule.stopped is not None
        assert word in night.schedule.stopped.reason


def test_a_stop_lets_nothing_more_start() -> None:
    """After the first Ctrl-C what runs comes to its end, and no more."""
    night = Night(*map(task, range(1, 6)), max_agents=1)

    def carry(one: Task) -> Iterator[Task]:
        night.stop.set()
        yield from finish(one)

    night._carry = carry
    night.run()
    assert night.started == ["t1"]


def test_an_unexpected_error_is_kept_and_does_not_end_the_night_of_others() -> None:
    """A fault of gitorch itself is raised at the end, when the others are home."""

    def carry(one: Task) -> Iterator[Task]:
        if one.id == "t1":
            raise ZeroDivisionError
        yield from finish(one)

    night = Night(task(1), task(2), carry=carry).run()
    assert night.states()["t2"] == "finished"
    assert [type(error) for error in night.schedule.crashes] == [ZeroDivisionError]
