"""What is left out of a red merge: every failing set is broken, and no choice would lose fewer tasks."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import pytest
from hypothesis import given, settings, strategies as st

from gitorch.flow.merge.blame.left_out import choose_failures
from gitorch.flow.merge.values import FailingSet, Failure
from gitorch.model import graph
from gitorch.model.naming import TaskId
from gitorch.model.task import Task, by_id
from tests.support.fake_merge import approved, approved_tasks
from tests.support.scale import scaled


def failing(tasks: dict[TaskId, Task], *groups: str) -> list[FailingSet]:
    return [
        FailingSet(
            members=tuple(tasks[TaskId(name)] for name in group.split()),
            check=f"check {number}",
            output=f"{number}.txt",
            alone=tuple(TaskId(name) for name in group.split()[1:][-1:]),
        )
        for number, group in enumerate(groups)
    ]


def names(failures: Sequence[Failure]) -> list[str]:
    return [failure.task.id for failure in failures]


# (tasks, failing sets, what is left out)
CHOICES: dict[str, tuple[dict[TaskId, Task], list[str], str]] = {
    "a task that fails alone": (approved_tasks("a", "b", "c"), ["b"], "b"),
    "the later of a pair": (approved_tasks("a", "b", "c"), ["a c"], "c"),
    "the latest of a triple": (approved_tasks("a", "b", "c"), ["a b c"], "c"),
    "one for two sets": (approved_tasks("a", "b", "c"), ["a b", "a c"], "a"),
    "one for each set": (approved_tasks("a", "b", "c", "d"), ["a b", "c d"], "b d"),
    "not the one that others build on": (approved_tasks("a", "b", c="b", d="c"), ["a b"], "a"),
    "dependents count once": (approved_tasks("a", "b", c="a b", d="c"), ["a b"], "b"),
    "a task that fails alone breaks its pair, too": (approved_tasks("a", "b"), ["a b", "a"], "a"),
}


@pytest.mark.parametrize("case", CHOICES)
def test_the_cheapest_choice_is_left_out(case: str) -> None:
    """With what builds on it as few tasks as can be are lost; among equal choices, the later ones."""
    tasks, groups, expected = CHOICES[case]
    assert names(choose_failures(failing(tasks, *groups), [*tasks.values()])) == expected.split()


def test_a_failure_names_its_partners_check_and_output() -> None:
    """It passes alone if it was seen to, and does not if one of its sets is the task itself."""
    tasks = approved_tasks("a", "b", "c")
    (failure,) = choose_failures(failing(tasks, "a b", "a c"), [*tasks.values()])
    assert failure == Failure(tasks[TaskId("a")], "check 0", (TaskId("b"), TaskId("c")), alone=None, output="0.txt")
    (failure,) = choose_failures(failing(tasks, "a c", "b c"), [*tasks.values()])
    assert failure == Failure(tasks[TaskId("c")], "check 0", (TaskId("a"), TaskId("b")), alone=True, output="0.txt")
    (failure,) = choose_failures(failing(tasks, "b"), [*tasks.values()])
    assert failure == Failure(tasks[TaskId("b")], "check 0", (), alone=False, output="0.txt")


@st.composite
def failing_merges(draw: st.DrawFn, most: int = 8) -> tuple[dict[TaskId, Task], list[FailingSet]]:
    """Return up to eight tasks, each depending on up to two earlier ones, and up to five failing sets of them."""
    all_names = [f"t{number}" for number in range(draw(st.integers(1, most)))]
    after = [
        draw(st.lists(st.sampled_from(all_names[:number]), max_size=2, unique=True)) if number else []
        for number in range(len(all_names))
    ]
    tasks = by_id(approved(name, number, *after[number]) for number, name in enumerate(all_names))
    groups = draw(st.lists(st.sets(st.sampled_from(all_names), min_size=1, max_size=3), min_size=1, max_size=5))
    return tasks, failing(tasks, *(" ".join(sorted(group)) for group in groups))


def breaks_all(choice: Collection[str], failing_sets: Sequence[FailingSet]) -> bool:
    return all(any(task.id in choice for task in failing_set.members) for failing_set in failing_sets)


def lost(choice: Collection[TaskId], tasks: dict[TaskId, Task]) -> int:
    return len({*choice}.union(*(graph.dependants(name, tasks) for name in choice)))


@settings(max_examples=scaled(60), deadline=None)
@given(failing_merges())
def test_every_set_is_broken_at_least_cost(case: tuple[dict[TaskId, Task], list[FailingSet]]) -> None:
    """Compared with all subsets of the tasks: none that breaks all failing sets loses fewer tasks."""
    tasks, failing_sets = case
    failures = choose_failures(failing_sets, [*tasks.values()])
    left_out = {failure.task.id for failure in failures}
    assert breaks_all(left_out, failing_sets)
    subsets = itertools.chain.from_iterable(itertools.combinations(tasks, size) for size in range(1, len(tasks) + 1))
    assert lost(left_out, tasks) == min(lost(subset, tasks) for subset in subsets if breaks_all(subset, failing_sets))
    for failure in failures:
        groups = [failing_set.members for failing_set in failing_sets if failure.task in failing_set.members]
        assert {*failure.partners} == {task.id for group in groups for task in group} - {failure.task.id}
        seen_alone = all(failure.task is group[-1] for group in groups)
        assert failure.alone == (False if any(len(group) == 1 for group in groups) else True if seen_alone else None)


def test_very_many_sets_are_still_all_broken() -> None:
    """Beyond 20,000 choices they are not all compared: the task that breaks most sets goes first."""
    tasks = approved_tasks(*(f"t{number:02}" for number in range(40)))
    pairs = [f"t00 t{number:02}" for number in range(1, 21)]
    assert names(choose_failures(failing(tasks, *pairs), [*tasks.values()])) == ["t00"]
    pairs = [f"t{number:02} t{number + 20:02}" for number in range(20)]
    failures = choose_failures(failing(tasks, *pairs), [*tasks.values()])
    assert names(failures) == [f"t{number:02}" for number in range(20, 40)]
