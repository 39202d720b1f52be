"""The order of a merge: dependencies hold, nothing gets lost, and swapping tasks in conflict only lets more in."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings, strategies as st

from gitorch.flow.merge.planning.order import best_plan
from gitorch.flow.merge.planning.plan import choose, plan
from gitorch.flow.merge.planning.planner import MergePlanner
from gitorch.flow.merge.values import MergePlan, Progress
from gitorch.model import graph
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import Priority, State, Task, by_id
from tests.support.fake_merge import MAIN, FakeReplayer, Names, approved, approved_tasks
from tests.support.scale import scaled
from tests.support.tasks import with_fields


def groups(*conflicts: str) -> list[Names]:
    return [frozenset(names.split()) for names in conflicts]


def merge_plan(tasks: Mapping[TaskId, Task], *conflicts: str, silent: Iterable[Names] = ()) -> MergePlan:
    replayer = FakeReplayer(tasks, groups(*conflicts), [*silent])
    return plan(replayer, tasks, choose(tasks, None, ()), MAIN, MAIN)


def merged(merge: MergePlan) -> list[str]:
    return [step.task.id for step in merge.steps]


def partners(merge: MergePlan) -> dict[str, tuple[str, ...]]:
    return {conflict.task.id: conflict.partners for conflict in merge.conflicts}


def blocked(merge: MergePlan) -> dict[str, str]:
    return {entry.task.id: entry.reason for entry in merge.blocked}


# (tasks, conflicts, what goes in, the partners of what does not)
ORDERS: dict[str, tuple[dict[TaskId, Task], list[str], str, dict[str, str]]] = {
    "no conflict keeps the order": (approved_tasks("a", "b", "c"), [], "a b c", {}),
    "of two in conflict the older goes in": (approved_tasks("a", "b"), ["a b"], "a", {"b": "a"}),
    "one against two that agree": (approved_tasks("a", "b", "c", "d"), ["a b", "a c"], "b c d", {"a": "b c"}),
    "a stack against an older task": (approved_tasks("a", "b", c="b", d="c"), ["a b"], "b c d", {"a": "b"}),
    "the top of a stack against an older task": (approved_tasks("a", "b", c="b"), ["a c"], "a b", {"c": "a"}),
    "a chain of conflicts": (approved_tasks("a", "b", "c", "d"), ["a b", "b c", "c d"], "a c", {"b": "a c", "d": "c"}),
    "equal orders stay when others change": (
        approved_tasks("a", "b", "c", "d", "e"),
        ["a b", "c d", "c e"],
        "a d e",
        {"b": "a", "c": "d e"},
    ),
    "two that conflict only together": (approved_tasks("a", "b", "c"), ["a b c"], "a b", {"c": "a b"}),
    "a conflict with its own dependency": (approved_tasks("a", b="a"), ["a b"], "a", {"b": "a"}),
}


@pytest.mark.parametrize("case", ORDERS)
def test_the_order_that_lets_more_in_is_taken(case: str) -> None:
    """Otherwise the given order stays; each conflict names the tasks without which it would not be one."""
    tasks, conflicts, expected, expected_partners = ORDERS[case]
    result = merge_plan(tasks, *conflicts)
    assert merged(result) == expected.split()
    assert partners(result) == {name: tuple(names.split()) for name, names in expected_partners.items()}


def test_priority_decides_between_equal_orders() -> None:
    """One against one: the urgent task goes in, however young it is."""
    tasks = by_id([approved("old", 1), approved("urgent", 2, priority=Priority.HIGH)])
    assert merged(merge_plan(tasks, "old urgent")) == ["urgent"]


def test_a_partner_without_a_common_path_is_found() -> None:
    """A renamed folder conflicts without a common path: the task that brought it is found by bisection."""
    tasks = approved_tasks("a", "b", "c", "d", "e")
    result = merge_plan(tasks, silent=groups("c e"))
    assert (merged(result), partners(result)) == (["a", "b", "c", "d"], {"e": ("c",)})


def test_what_builds_on_a_task_that_stays_out_is_blocked() -> None:
    """The reason names the task, and why it is not in; at any depth."""
    tasks = approved_tasks("a", "b", c="b", d="c", x="a", y="a") | by_id(
        [approved("e", 9, "f"), approved("g", 10, tip=None)]
    )
    tasks[TaskId("f")] = approved("f", 8, state=State.FINISHED)
    result = merge_plan(tasks, "a b")
    assert (merged(result), partners(result)) == (["a", "x", "y"], {"b": ("a",)})
    assert blocked(result) == {
        "c": "it builds on b, which conflicts",
        "d": "it builds on c, which waits",
        "e": "it builds on f, which is finished, not approved",
        "g": "it has no commits",
    }


def test_a_branch_that_moved_is_blocked() -> None:
    """Only the approved tip goes in."""
    tasks = approved_tasks("a")
    replayer = FakeReplayer(tasks)
    moved = by_id([with_fields(tasks[TaskId("a")], tip=Oid("older-tip"))])
    result = plan(replayer, moved, [*moved.values()], MAIN, MAIN)
    assert blocked(result) == {"a": "orch/a has moved since it was approved: approve it again"}


# (tasks, conflicts, which task removes what two conflict in, what goes in)
REMOVALS: dict[str, tuple[dict[TaskId, Task], list[str], dict[str, str], str]] = {
    "a later task removes it": (approved_tasks("a", "b", "c"), ["a b"], {"a b": "c"}, "a c b"),
    "what builds on it goes in too": (approved_tasks("a", "b", c="b", d=""), ["a b"], {"a b": "d"}, "a d b c"),
    "one removes what another needs": (
        approved_tasks("a", "b", "c", "d"),
        ["a b", "a c"],
        {"a b": "c", "a c": "d"},
        "a d c b",
    ),
    "an earlier task had removed it": (approved_tasks("c", "a", "b"), ["a b"], {"a b": "c"}, "c a b"),
}


@pytest.mark.parametrize("case", REMOVALS)
def test_a_task_goes_in_when_a_later_one_removes_what_it_conflicts_in(case: str) -> None:
    """It is tried again on top of all others; nothing else is replayed twice."""
    tasks, conflicts, removals, expected = REMOVALS[case]
    removed = {frozenset(pair.split()): name for pair, name in removals.items()}
    replayer = FakeReplayer(tasks, groups(*conflicts), removals=removed)
    result = plan(replayer, tasks, choose(tasks, None, ()), MAIN, MAIN)
    assert merged(result) == expected.split()
    assert not result.conflicts
    assert not result.blocked


def test_a_task_in_conflict_is_not_replayed_again_when_other_paths_change() -> None:
    """Later tasks that change nothing in conflict cost no replay."""
    tasks = approved_tasks("a", "b", "c", "d", "e")
    planner = MergePlanner(FakeReplayer(tasks, groups("a b")), tasks, MAIN, MAIN)
    planner.read([*tasks.values()])
    assert [conflict.task.id for conflict in planner.plan_order([*tasks.values()]).conflicts] == ["b"]
    # five in the pass, and two to find the partner
    assert planner.replays <= 7


def test_a_conflict_that_may_come_from_a_move_costs_one_more_replay() -> None:
    """Only when all others were tried it is tried again: not after each of them."""
    tasks = approved_tasks("a", "b", "c", "d", "e")
    planner = MergePlanner(FakeReplayer(tasks, silent=groups("a b")), tasks, MAIN, MAIN)
    planner.read([*tasks.values()])
    assert planner.count([*tasks.values()]) == 4
    assert planner.replays == 6


CHOICES: list[tuple[list[str] | None, list[str], str]] = [
    (None, [], "a b c d"),
    (None, ["b"], "a c d"),
    (["c"], [], "a b c"),
    (["d", "b"], [], "a b d"),
    (["c"], ["a"], "b c"),
]


@pytest.mark.parametrize(("names", "skip", "expected"), CHOICES)
def test_a_named_task_brings_its_dependencies(names: list[str] | None, skip: list[str], expected: str) -> None:
    """Without names all that is approved is selected; what is skipped is not, even if something needs it."""
    tasks = approved_tasks("a", b="a", c="b", d="") | by_id([approved("draft", 9, state=State.FINISHED)])
    selected = choose(tasks, [TaskId(name) for name in names] if names else None, [TaskId(name) for name in skip])
    assert [task.id for task in selected] == expected.split()


@st.composite
def merges(draw: st.DrawFn) -> tuple[dict[TaskId, Task], list[Names]]:
    """Return up to nine tasks, each depending on up to two earlier ones, and pairs in conflict."""
    names = [f"t{number}" for number in range(draw(st.integers(1, 9)))]
    after = {
        name: draw(st.lists(st.sampled_from(names[:number]), max_size=2, unique=True)) if number else []
        for number, name in enumerate(names)
    }
    tasks = by_id(
        approved(name, number, *after[name], priority=draw(st.sampled_from(Priority)))
        for number, name in enumerate(names, start=1)
    )
    candidates = [frozenset(pair) for pair in itertools.combinations(names, 2)]
    conflicts = draw(st.lists(st.sampled_from(candidates), max_size=6, unique=True)) if candidates else []
    return tasks, conflicts


@settings(max_examples=scaled(60), deadline=None)
@given(merges())
def test_no_order_lets_fewer_in_than_the_given_one(case: tuple[dict[TaskId, Task], list[Names]]) -> None:
    """The best plan has at least as many steps as that of the merge order; the same input gives the same plan."""
    tasks, conflicts = case
    order = graph.merge_order(tasks.values())
    planners = [MergePlanner(FakeReplayer(tasks, conflicts), tasks, MAIN, MAIN) for _ in range(3)]
    for planner in planners:
        planner.read(order)
    baseline = planners[0].plan_order(order)
    result = best_plan(planners[1], order)
    assert len(result.steps) >= len(baseline.steps)
    if len(result.steps) == len(baseline.steps):
        assert result == baseline
    assert best_plan(planners[2], order) == result


@settings(max_examples=scaled(60), deadline=None)
@given(merges())
def test_every_task_is_accounted_for_and_dependencies_hold(case: tuple[dict[TaskId, Task], list[Names]]) -> None:
    """Each task goes in, conflicts, or is blocked; what goes in comes after all that it depends on."""
    tasks, conflicts = case
    result = plan(FakeReplayer(tasks, conflicts), tasks, graph.merge_order(tasks.values()), MAIN, MAIN)
    accounted = [
        *(step.task.id for step in result.steps),
        *(conflict.task.id for conflict in result.conflicts),
        *(entry.task.id for entry in result.blocked),
    ]
    assert sorted(accounted) == sorted(tasks)
    names: set[TaskId] = set()
    for step in result.steps:
        assert names.issuperset(step.task.spec.after)
        assert not any({step.task.id, name} in conflicts for name in names)
        names.add(step.task.id)
    for conflict in result.conflicts:
        opponents = {name for name in names if {conflict.task.id, name} in conflicts}
        assert conflict.partners
        assert opponents.issuperset(conflict.partners)
        if opponents.isdisjoint(graph.closure(conflict.task.spec.after, tasks)):
            assert opponents == {*conflict.partners}


@settings(max_examples=scaled(50), deadline=None)
@given(merges())
def test_progress_is_reported_once_for_each_task_and_kind_of_work(
    case: tuple[dict[TaskId, Task], list[Names]],
) -> None:
    """Trying other orders does not repeat a report."""
    tasks, conflicts = case
    reports: list[Progress] = []
    plan(FakeReplayer(tasks, conflicts), tasks, graph.merge_order(tasks.values()), MAIN, MAIN, reports.append)
    kinds = [(report.doing, report.tasks) for report in reports]
    assert len(kinds) == len(set(kinds))
    assert all(report.step <= report.of for report in reports)


@pytest.mark.parametrize("count", [20, 60])
def test_the_number_of_replays_grows_linearly(count: int) -> None:
    """Even where every task conflicts with its neighbours, other orders cost a bounded number of replays each."""
    names = [f"t{number:02}" for number in range(count)]
    tasks = approved_tasks(*names)
    planner = MergePlanner(
        FakeReplayer(tasks, [frozenset(pair) for pair in itertools.pairwise(names)]), tasks, MAIN, MAIN
    )
    planner.read([*tasks.values()])
    assert len(best_plan(planner, [*tasks.values()]).steps) == count // 2
    assert planner.replays <= 10 * count + 100
