"""The merge candidate as a value: which tasks may go in, what is recorded, and when it is up to date."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from gitorch.flow.merge.planning.candidate import candidate_tasks, is_current, make_candidate, with_results
from gitorch.flow.merge.values import Blocked, Failure, MergeConflict, MergePlan
from gitorch.model.forecasts.conflict_forecast import Candidate, CheckStatus, ExcludedTask, FailingTask
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult, State, Task, by_id
from tests.support.fake_merge import MAIN, approved, approved_tasks, plan_of

NOW = datetime(2026, 11, 28, tzinfo=UTC)
BASE = (MAIN, Oid("base"))


def result(exit_code: int, name: str = "test") -> CheckResult:
    return CheckResult(name=name, command="x", tree=Oid("tree"), exit_code=exit_code)


# (task, the reason why it may not go in; None: it is not completed)
TASKS: dict[str, tuple[Task, str | None]] = {
    "approved": (approved("t", 1), ""),
    "conflicted": (approved("t", 1, state=State.CONFLICTED), ""),
    "finished, green": (approved("t", 1, state=State.FINISHED, results=(result(0),)), ""),
    "finished, not checked": (approved("t", 1, state=State.FINISHED), ""),
    "finished, red": (
        approved("t", 1, state=State.FINISHED, results=(result(1), result(0, "lint"), result(2, "types"))),
        "its own checks fail: test, types",
    ),
    "approved although red": (approved("t", 1, results=(result(1),)), ""),
    "stale": (approved("t", 1, stale=True), "stale: a task it builds on has changed since"),
    "running": (approved("t", 1, state=State.RUNNING), None),
    "rejected": (approved("t", 1, state=State.REJECTED), None),
    "merged": (approved("t", 1, state=State.MERGED), None),
}


@pytest.mark.parametrize("case", TASKS)
def test_which_tasks_may_go_in(case: str) -> None:
    """Completed work that is neither stale nor red by itself, unless a person approved it so."""
    task, reason = TASKS[case]
    selection = candidate_tasks(by_id([task]))
    assert selection.tasks == ((task,) if reason == "" else ())
    assert [entry.reason for entry in selection.left_out] == ([reason] if reason else [])


def test_the_tasks_are_in_merge_order() -> None:
    """Dependencies first, whatever their numbers."""
    tasks = by_id([approved("top", 1, "low"), approved("low", 2)])
    assert [task.id for task in candidate_tasks(tasks).tasks] == ["low", "top"]


def built(plan: MergePlan, tasks: dict[TaskId, Task]) -> Candidate:
    return make_candidate(
        plan, Oid("tree"), candidate_tasks(tasks), BASE, branch="orch/candidate", before=None, time=NOW
    )


def test_what_is_recorded() -> None:
    """The tips of what went in and of what was to go in, and everything that is left out, with its reason."""
    tasks = approved_tasks("a", "b", "c", "d")
    a, b, c, d = tasks.values()
    conflicts = (
        MergeConflict(task=b, paths=("x",), partners=(a.id,)),
        MergeConflict(task=c, paths=("y",), partners=()),
    )
    plan = msgspec.structs.replace(plan_of([a]), conflicts=conflicts, blocked=(Blocked(d, "it waits"),))
    tasks[TaskId("red")] = approved("red", 9, state=State.FINISHED, results=(result(1),))
    candidate = built(plan, tasks)
    assert (candidate.tip, candidate.onto, candidate.status) == (plan.tip, MAIN, CheckStatus.UNCHECKED)
    assert candidate.tasks == {"a": "a-tip"}
    assert candidate.inputs == {name: f"{name}-tip" for name in "abcd"}
    assert candidate.left_out == (
        ExcludedTask(task=TaskId("red"), reason="its own checks fail: test"),
        ExcludedTask(task=b.id, reason="conflicts with a", partners=(a.id,), paths=("x",)),
        ExcludedTask(task=c.id, reason="conflicts with merged work", paths=("y",)),
        ExcludedTask(task=d.id, reason="it waits"),
    )


def test_when_a_candidate_is_up_to_date() -> None:
    """It consists of exactly these tips, with the same reasons, on the same merge base."""
    tasks = approved_tasks("a", "b")
    candidate = built(plan_of([*tasks.values()]), tasks)
    assert is_current(candidate, candidate_tasks(tasks), BASE)
    assert not is_current(candidate, candidate_tasks(tasks), (Oid("moved"), BASE[1]))
    assert not is_current(candidate, candidate_tasks(approved_tasks("a")), BASE)
    other_tip = tasks | by_id([approved("b", 2, tip=Oid("other"))])
    assert not is_current(candidate, candidate_tasks(other_tip), BASE)
    one_more_red = tasks | by_id([approved("c", 3, state=State.FINISHED, results=(result(1),))])
    assert not is_current(candidate, candidate_tasks(one_more_red), BASE)


# (the verified plan in place of that of two tasks, the judgement, the reason, the red tasks)
TWO = approved_tasks("a", "b")
PLAN = plan_of([*TWO.values()])
FAILURE = Failure(TWO[TaskId("b")], "test", (TaskId("a"),), alone=True)
VERIFIED: dict[str, tuple[MergePlan, CheckStatus, str, tuple[FailingTask, ...]]] = {
    "green": (msgspec.structs.replace(PLAN, results=(result(0),)), CheckStatus.GREEN, "", ()),
    "no checks": (PLAN, CheckStatus.UNCHECKED, "", ()),
    "a red base": (
        msgspec.structs.replace(PLAN, steps=(), red_base="test"),
        CheckStatus.RED,
        "the integration branch fails test without any task",
        (),
    ),
    "a failing pair": (
        msgspec.structs.replace(PLAN, steps=PLAN.steps[:1], failures=(FAILURE,), results=(result(0),)),
        CheckStatus.RED,
        "",
        (FailingTask(task=TaskId("b"), check="test", partners=(TaskId("a"),), alone=True),),
    ),
    "fewer tasks without a failure": (msgspec.structs.replace(PLAN, steps=()), CheckStatus.RED, "", ()),
}


@pytest.mark.parametrize("case", VERIFIED)
def test_what_the_checks_make_of_it(case: str) -> None:
    """Green only when all that was planned is in it and passed."""
    verified, judgement, reason, red = VERIFIED[case]
    candidate = with_results(built(PLAN, TWO), PLAN, verified)
    assert (candidate.status, candidate.reason, candidate.red) == (judgement, reason, red)
    assert candidate.results == verified.results
