"""The search for what fails together: a minimal set is found with few checks, and a flake blames no task."""

from __future__ import annotations

import math
import threading

import pytest
from hypothesis import given, settings, strategies as st

from gitorch.flow.merge.blame.failing_set import FailingSetSearch
from gitorch.flow.merge.check_runner import CheckRunner, TaskUnion
from gitorch.flow.merge.values import FailingSet, Progress
from gitorch.model import graph
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult, Task, by_id
from tests.support.fake_merge import (
    MAIN,
    FakeCheck,
    FakeReplayer,
    FakeUnions,
    Names,
    approved,
    approved_tasks,
    commit_of,
    finish,
    names_in,
    plan_of,
)
from tests.support.scale import scaled
from tests.support.tasks import with_fields

RED = CheckResult(name="test", command="x", tree=Oid("tree"), exit_code=1)


class Case:
    """Tasks, the sets of them that fail together, and a search with all that it looked at."""

    def __init__(
        self, tasks: dict[TaskId, Task], *failing: str, width: int = 1, unions: FakeUnions | None = None
    ) -> None:
        self.order = [*tasks.values()]
        self.tasks = tasks
        self.failing = [frozenset(names.split()) for names in failing]
        self.check = FakeCheck(self.is_red)
        self.runner = CheckRunner(FakeReplayer({}), self.check, width)
        self.search = FailingSetSearch(unions or FakeUnions(), self.runner)

    def is_red(self, names: Names) -> bool:
        return any(group <= names for group in self.failing)

    def first_red(self, verify: str = "batch") -> int | None:
        return finish(self.search.first_red(plan_of(self.order, verify)))

    def find(self) -> FailingSet | None:
        position = self.first_red()
        assert position is not None
        return finish(self.search.failing_set(self.order, position))


def members(failing_set: FailingSet | None) -> list[str]:
    return [task.id for task in failing_set.members] if failing_set else []


# (tasks, failing sets, the set that is found)
SETS: dict[str, tuple[dict[TaskId, Task], list[str], str]] = {
    "one task": (approved_tasks(*"abcdefg"), ["c"], "c"),
    "a pair": (approved_tasks(*"abcdefg"), ["b f"], "b f"),
    "a triple": (approved_tasks(*"abcdefg"), ["b d f"], "b d f"),
    "all": (approved_tasks(*"abcd"), ["a b c d"], "a b c d"),
    "the first of two pairs to become red": (approved_tasks(*"abcdefg"), ["a g", "b e"], "b e"),
    "a dependency is not blamed": (approved_tasks("a", b="a", c="b", d="c"), ["c"], "c"),
    "a dependency does not count as a partner": (approved_tasks("a", b="a", c=""), ["a c"], "a c"),
    "what a task needs is checked with it": (approved_tasks("a", "b", c="b"), ["b c", "a c"], "c"),
}


@pytest.mark.parametrize("case", SETS)
@pytest.mark.parametrize("width", [1, 2, 3, 8])
def test_the_failing_set_is_found(case: str, width: int) -> None:
    """Whatever the width, in merge order, with the check that fails and its output."""
    tasks, failing, expected = SETS[case]
    failing_set = Case(tasks, *failing, width=width).find()
    assert members(failing_set) == expected.split()
    assert failing_set is not None
    assert failing_set.check == "test"
    assert failing_set.output.startswith("output of ")


NAMES = [f"t{number:02}" for number in range(24)]


@settings(max_examples=scaled(60), deadline=None)
@given(st.data())
def test_k_of_n_tasks_take_about_k_log_n_checks(data: st.DataObject) -> None:
    """A hidden set of k among n is found exactly, with at most k (log2 n + 2) + 4 checks, wherever it is."""
    names = data.draw(st.integers(1, len(NAMES)).map(lambda count: NAMES[:count]))
    hidden = sorted(data.draw(st.sets(st.sampled_from(names), min_size=1, max_size=4)))
    case = Case(approved_tasks(*names), " ".join(hidden))
    assert members(case.find()) == hidden
    assert len(case.check.checked) <= len(hidden) * (math.ceil(math.log2(len(names))) + 2) + 4


@st.composite
def stacks(draw: st.DrawFn) -> dict[TaskId, Task]:
    """Return up to ten tasks, each depending on up to two earlier ones."""
    names = NAMES[: draw(st.integers(1, 10))]
    after = [
        draw(st.lists(st.sampled_from(names[:number]), max_size=2, unique=True)) if number else []
        for number in range(len(names))
    ]
    return by_id(approved(name, number, *after[number]) for number, name in enumerate(names))


@settings(max_examples=scaled(60), deadline=None)
@given(stacks(), st.data(), st.integers(1, 4))
def test_what_is_found_fails_and_no_part_of_it_does(tasks: dict[TaskId, Task], data: st.DataObject, width: int) -> None:
    """Among any failing sets: the members with their dependencies are red, and green without any one of them."""
    group = st.sets(st.sampled_from(sorted(tasks)), min_size=1, max_size=3)
    groups = data.draw(st.lists(group, min_size=1, max_size=4))
    case = Case(tasks, *(" ".join(names) for names in groups), width=width)
    failing_set = case.find()
    assert failing_set is not None
    names = [task.id for task in failing_set.members]
    assert case.is_red(frozenset(graph.closure(names, tasks)))
    for left_out in names:
        remaining = [name for name in names if name != left_out]
        assert not case.is_red(frozenset(graph.closure(remaining, tasks)))
    # "passes alone" was observed, and is not a conclusion
    assert [*failing_set.alone] == (names[-1:] if len(names) > 1 else [])
    assert all(frozenset(graph.closure([name], tasks)) in case.check.checked for name in failing_set.alone)


@settings(max_examples=scaled(50), deadline=None)
@given(stacks(), st.data(), st.sampled_from(["batch", "each", "end"]), st.integers(1, 4))
def test_a_flake_blames_no_task(tasks: dict[TaskId, Task], data: st.DataObject, verify: str, width: int) -> None:
    """Trees that fail once and pass the second time: the plan is green, and each flake is recorded."""
    unions = [frozenset([*tasks][:end]) for end in range(1, len(tasks) + 1)]
    flaky = data.draw(st.sets(st.sampled_from(unions), min_size=1))
    case = Case(tasks, width=width)
    case.check.is_red = lambda names: names in flaky and case.check.checked.count(names) == 1
    assert case.first_red(verify) is None
    looked_at = flaky.intersection(case.check.checked)
    assert len(case.runner.flakes) == len(looked_at)
    assert all(flake.flaky and flake.passed for flake in case.runner.flakes)


def test_a_flake_during_the_search_is_no_failing_set() -> None:
    """The set is confirmed by a second check of its union."""
    case = Case(approved_tasks(*"abcd"))
    case.check.is_red = lambda names: names == frozenset("abc") and case.check.checked.count(names) == 1
    assert finish(case.search.failing_set(case.order[:3], 2)) is None
    case = Case(approved_tasks(*"abcd"))
    case.check.is_red = lambda names: "c" in names and case.check.checked.count(names) == 1
    assert finish(case.search.failing_set(case.order[:3], 2)) is None
    assert [flake.flaky for flake in case.runner.flakes] == [True]


def test_no_task_is_blamed_for_a_red_base() -> None:
    """The base is checked, twice, as soon as some tasks are red as well, and no single task at all."""
    case = Case(approved_tasks(*"abc"), "")
    assert case.first_red() == 0
    assert [result.name for result in case.search.red_base] == ["test"]
    assert case.check.checked == [frozenset("abc"), frozenset("abc"), frozenset("ab"), frozenset(), frozenset()]


def test_a_task_that_is_red_on_a_red_base_is_not_blamed_alone() -> None:
    """An earlier one repairs the base: what comes later is green with that one, and says nothing without."""
    case = Case(approved_tasks("mend", *"abcdefgh"))
    case.check.is_red = lambda names: "mend" not in names or {"d", "h"} <= names
    assert case.first_red() == 8
    assert finish(case.search.failing_set(case.order, 8)) is None
    assert case.search.red_base
    assert case.first_red() == 0


def test_what_shares_paths_is_tried_first() -> None:
    """The partner of a task that fails is found in fewer steps if both change one file."""
    tasks = approved_tasks(*NAMES)
    shared = {TaskId("t03"): frozenset(["shop/cart.py"]), TaskId("t20"): frozenset(["shop/cart.py"])}
    alike = Case(tasks, "t03 t20", unions=FakeUnions(paths=shared))
    others = Case(tasks, "t03 t20")
    assert members(alike.find()) == members(others.find()) == ["t03", "t20"]
    assert len(alike.check.checked) < len(others.check.checked)


def test_a_green_union_hides_a_red_base() -> None:
    """Tasks that fix the base go in; the base is not even checked."""
    case = Case(approved_tasks("a", "fix"))
    case.check.is_red = lambda names: "fix" not in names
    assert case.first_red() is None
    assert case.check.checked == [frozenset(["a", "fix"])]


def test_each_finds_the_first_red_step_though_the_union_is_green() -> None:
    """A later step may fix what an earlier one broke: with `each` that is a failure."""
    for width in (1, 2, 4):
        case = Case(approved_tasks("a", "breaks", "c", "fixes"), width=width)
        case.check.is_red = lambda names: "breaks" in names and "fixes" not in names
        assert case.first_red("each") == 1
        assert case.first_red("batch") is None


def test_a_task_that_was_approved_red_is_checked_first() -> None:
    """Its own failing check is a hint that saves the bisection, and no verdict."""
    tasks = approved_tasks(*NAMES)
    tasks[TaskId("t17")] = with_fields(tasks[TaskId("t17")], results=(RED,))
    case = Case(tasks, "t17")
    assert members(case.find()) == ["t17"]
    assert len(case.check.checked) == 5  # the union twice, the suspect twice, the base
    case = Case(tasks, "t03")
    assert members(case.find()) == ["t03"]


def test_a_union_that_cannot_be_built_counts_as_green() -> None:
    """Without `a`, what comes after it conflicts: the set that is found can be built, and is red."""
    case = Case(approved_tasks(*"abcd"), "b d", "c d", unions=FakeUnions(frozenset("bd")))
    assert members(case.find()) == ["c", "d"]


# the runner


def run(runner: CheckRunner, *names: str) -> list[bool]:
    return finish(runner.run([TaskUnion(commit_of(group), ()) for group in names], "check"))


def test_a_tree_is_checked_once() -> None:
    """Two commits with one tree share the result; a red tree is retried once."""
    check = FakeCheck(lambda names: "b" in names)
    replayer = FakeReplayer({})
    runner = CheckRunner(replayer, check, 4)
    assert run(runner, "ab", "ba", "a") == [False, False, True]
    assert run(runner, "ba", "a") == [False, True]
    assert sorted(map(sorted, check.checked)) == [["a"], ["a", "b"]]
    for _ in range(2):
        assert finish(runner.retry(TaskUnion(commit_of("ba"), ()))) is False
    assert (len(check.checked), runner.finished, runner.flakes) == (3, 3, [])
    assert set(map(names_in, replayer.kept)) == {frozenset("ab"), frozenset("a")}
    assert [result.passed for result in runner.results(commit_of("ba"))] == [False]


def test_trees_are_checked_concurrently_up_to_the_width() -> None:
    """Each check waits for all others to start; a fourth one starts when one has ended."""
    barrier = threading.Barrier(3, timeout=300)
    check = FakeCheck(lambda names: False)

    def wait(commit: Oid, *, retry: bool = False, on_check: object = None) -> tuple[CheckResult, ...]:
        if len(names_in(commit)) < 4:
            barrier.wait()
        return check(commit, retry=retry)

    runner = CheckRunner(FakeReplayer({}), wait, 3)
    assert run(runner, "a", "ab", "abc", "abcd") == [True] * 4


def test_progress_names_the_tasks_and_the_check() -> None:
    """One report for each check that starts, with how many trees have been checked of how many."""
    runner = CheckRunner(FakeReplayer({}), FakeCheck(lambda names: False), 1)
    unions = [TaskUnion(commit_of(group), (TaskId(group),)) for group in ("a", "b")]
    assert [*runner.run(unions, "check the union")] == [
        Progress("check the union", 0, 2, (TaskId("a"),), "test"),
        Progress("check the union", 1, 2, (TaskId("b"),), "test"),
    ]


def test_an_error_of_a_check_ends_the_search() -> None:
    """It is raised where the search runs, and no result is recorded."""

    def crash(commit: Oid, *, retry: bool = False, on_check: object = None) -> tuple[CheckResult, ...]:
        raise OSError(commit)

    runner = CheckRunner(FakeReplayer({}), crash, 2)
    with pytest.raises(OSError, match="main"):
        run(runner, "a", "b")
    with pytest.raises(KeyError):
        runner.results(MAIN)
