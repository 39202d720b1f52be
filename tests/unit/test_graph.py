"""The order of tasks: what may start, what merges before what, and what can never be."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from gitorch.errors import InvalidInput
from gitorch.model.graph import blockers, closure, dependants, merge_order, ready, refuse_broken, stranded
from gitorch.model.naming import TaskId
from gitorch.model.task import Priority, State, Task, by_id
from tests.support.tasks import make_task


def task(
    name: str, number: int = 1, *after: str, state: State = State.QUEUED, priority: Priority = Priority.NORMAL
) -> Task:
    names = tuple(TaskId(one) for one in after)
    return make_task(
        id=TaskId(name), number=number, title=name, prompt=name, after=names, state=state, priority=priority
    )


def ids(tasks: list[Task]) -> list[str]:
    return [one.id for one in tasks]


@st.composite
def graphs(draw: st.DrawFn) -> dict[TaskId, Task]:
    """Tasks that wait only for earlier ones, in any state and priority."""
    count = draw(st.integers(0, 12))
    made = [
        task(
            f"t{at}",
            draw(st.integers(1, 100)),
            *draw(st.sets(st.sampled_from([f"t{earlier}" for earlier in range(at)]))) if at else (),
            state=draw(st.sampled_from(State)),
            priority=draw(st.sampled_from(Priority)),
        )
        for at in range(count)
    ]
    return by_id(made)


@given(graphs())
def test_merge_order_is_a_topological_order(tasks: dict[TaskId, Task]) -> None:
    """Each task is merged once, and after all that it waits for."""
    order = merge_order(tasks.values())
    assert sorted(ids(order)) == sorted(tasks)
    place = {one.id: at for at, one in enumerate(order)}
    assert all(place[needed] < place[one.id] for one in order for needed in one.spec.after)


def test_merge_order_prefers_the_urgent_then_the_old() -> None:
    """Where dependencies leave a choice, priority decides, and then age."""
    tasks = [task("old", 1), task("low", 2, priority=Priority.LOW), task("high", 3, priority=Priority.HIGH)]
    assert ids(merge_order([*tasks, task("young", 4)])) == ["high", "old", "young", "low"]


def test_merge_order_of_a_part() -> None:
    """What is not chosen does not keep what is chosen from merging."""
    assert ids(merge_order([task("b", 2, "a"), task("c", 3, "b")])) == ["b", "c"]


@given(graphs())
def test_ready_tasks_have_all_they_build_on(tasks: dict[TaskId, Task]) -> None:
    """Only queued tasks start, never before their dependencies hold work, and the most urgent ones first."""
    done = (State.FINISHED, State.APPROVED, State.CONFLICTED, State.MERGED)
    for one in ready(tasks):
        assert one.state is State.QUEUED
        assert all(tasks[name].state in done for name in one.spec.after)
        assert not blockers(one, tasks)
    rank = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}
    keys = [(rank[one.spec.priority], one.number) for one in ready(tasks)]
    assert keys == sorted(keys)


def test_a_low_task_never_runs_before_a_high_one() -> None:
    """Priority comes before age."""
    assert ids(ready(by_id([task("a", 1, priority=Priority.LOW), task("b", 2, priority=Priority.HIGH)]))) == ["b", "a"]


def test_ready_can_wait_for_approval() -> None:
    """With `approved_only` a finished dependency is not enough."""
    tasks = by_id([task("a", 1, state=State.FINISHED), task("b", 2, "a")])
    assert ids(ready(tasks)) == ["b"]
    assert ready(tasks, approved_only=True) == []


@pytest.mark.parametrize("state", [State.FAILED, State.REJECTED, State.CANCELLED, State.WAITING, State.RUNNING])
def test_what_holds_no_work_blocks(state: State) -> None:
    """A dependency without finished work is named as what keeps a task from starting."""
    tasks = by_id([task("a", 1, state=state), task("b", 2, "a")])
    assert ids(blockers(tasks[TaskId("b")], tasks)) == ["a"]
    assert ready(tasks) == []


def test_what_waits_for_a_task_without_a_result_is_stranded() -> None:
    """At any depth, most urgent first; what is done already, and what waits for work that goes on, is not."""
    tasks = by_id(
        [
            task("bad", 1, state=State.FAILED),
            task("kid", 2, "bad"),
            task("grandkid", 3, "kid", priority=Priority.HIGH),
            task("done", 4, "bad", state=State.FINISHED),
            task("works", 5, state=State.RUNNING),
            task("waits", 6, "works"),
            task("alone", 7, state=State.CANCELLED),
        ]
    )
    assert stranded(tasks) == {"bad": ["grandkid", "kid"]}


@given(graphs())
def test_closure_is_closed(tasks: dict[TaskId, Task]) -> None:
    """A closure holds what each of its members waits for, and `dependants` is the same relation seen from below."""
    for name in tasks:
        whole = closure([name], tasks)
        assert name in whole
        assert all(set(tasks[one].spec.after) <= whole for one in whole)
        assert {other for other in tasks if name in closure([other], tasks)} == dependants(name, tasks) | {name}


@given(graphs())
def test_what_waits_only_for_earlier_ones_is_sound(tasks: dict[TaskId, Task]) -> None:
    """No cycle is seen where there is none."""
    refuse_broken(tasks)


def test_a_cycle_is_refused_by_name() -> None:
    """A cycle is named in the order in which its tasks wait."""
    tasks = by_id([task("a", 1, "c"), task("b", 2, "a"), task("c", 3, "b"), task("d", 4, "a")])
    with pytest.raises(InvalidInput, match=r"^these tasks wait for each other: (a -> c -> b -> a|c -> b|b -> a)"):
        refuse_broken(tasks)


def test_a_task_cannot_wait_for_itself() -> None:
    """The smallest cycle is one too."""
    with pytest.raises(InvalidInput, match="a -> a"):
        refuse_broken(by_id([task("a", 1, "a")]))


def test_an_unknown_dependency_is_refused_by_name() -> None:
    """Both the task and what it waits for are named."""
    with pytest.raises(InvalidInput, match="b waits for nothing-here, which does not exist"):
        refuse_broken(by_id([task("b", 1, "nothing-here")]))
