"""Which branches become tasks, what is their own, and on which of them they build: on a graph of commits in memory."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings, strategies as st

from gitorch.config import Config
from gitorch.errors import NotFound, Refused
from gitorch.flow import branch_adoption
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task, by_id
from tests.support.fake_repository import FakeRepository, Graph
from tests.support.tasks import make_task

CONFIG = Config()
MAIN: Graph = {"m1": [], "m2": ["m1"], "m3": ["m2"]}
"""The base, whose tip is `m3`."""


def adopted(
    graph: Graph,
    branches: Mapping[str, str],
    *patterns: str,
    tasks: Mapping[TaskId, Task] | None = None,
    messages: Mapping[str, str] | None = None,
    after: Sequence[str] = (),
    limits: Sequence[str] = ("m3",),
) -> dict[str, Task]:
    """Return the tasks that branches become, by their branches."""
    repository = FakeRepository({**MAIN, **graph}, branches, messages)
    known = tasks or {}
    found = branch_adoption.find_branches(repository, patterns or ("*",))
    analysis = branch_adoption.analyze(repository, CONFIG, found, known, [Oid(limit) for limit in limits])
    made = branch_adoption.make_tasks(
        repository, CONFIG, analysis.ranges, known, known, [TaskId(name) for name in after]
    )
    assert [task.number for task in made] == sorted(task.number for task in made)
    assert len(repository.calls) <= 4, "git is asked a fixed number of times"
    return {task.branch: task for task in made}


def left_out(graph: Graph, branches: Mapping[str, str], tasks: Mapping[TaskId, Task] | None = None) -> dict[str, str]:
    """Return the branches that are not adopted, each with the reason."""
    repository = FakeRepository({**MAIN, **graph}, branches)
    analysis = branch_adoption.analyze(
        repository, CONFIG, branch_adoption.find_branches(repository, ["*"]), tasks or {}, [Oid("m3")]
    )
    return {one.branch.name: one.reason for one in analysis.skipped}


def finished(name: str, tip: str, branch: str = "", state: State = State.FINISHED) -> dict[TaskId, Task]:
    task = make_task(
        id=TaskId(name), number=7, title=name, prompt="", branch=branch, state=state, base=Oid("m1"), tip=Oid(tip)
    )
    return by_id([task])


def test_a_branch_becomes_a_finished_task() -> None:
    """Its base is where it left the base; title and prompt are its first commit's, then the subjects of the others."""
    graph = {"a1": ["m2"], "a2": ["a1"]}
    messages = {"a1": "Add a table\n\nWith rows.\n", "a2": "Fill it\n\nAll of it.\n"}
    task = adopted(graph, {"work/table": "a2"}, messages=messages)["work/table"]
    assert (task.id, task.number, task.state, task.adopted) == ("table", 1, State.FINISHED, True)
    assert (task.base, task.tip) == ("m2", "a2")
    assert task.spec.title == "Add a table"
    expected = "Add a table\n\nWith rows.\n\n- Fill it\n\nThis work was already on branch work/table.\n"
    assert task.spec.prompt == expected
    assert task.spec.after == ()


STACK = {"a": ["m3"], "b": ["a"], "c": ["b"], "d": ["a"], "join": ["c", "d"]}


@pytest.mark.parametrize("order", [*itertools.permutations("abcd")])
def test_each_waits_for_the_nearest_below_whatever_the_order(order: Sequence[str]) -> None:
    """A branch that contains another one is based on its tip; numbers go from the bottom up; a merge waits for both."""
    branches = {name: name for name in order} | {"a-join": "join"}
    tasks = adopted(STACK, branches)
    after = {name: sorted(task.spec.after) for name, task in tasks.items()}
    assert after == {"a": [], "b": ["a"], "c": ["b"], "d": ["a"], "a-join": ["c", "d"]}
    assert {name: task.base for name, task in tasks.items() if name != "a-join"} == {
        "a": "m3",
        "b": "a",
        "c": "b",
        "d": "a",
    }
    for task in tasks.values():
        assert all(tasks[name].number < task.number for name in task.spec.after)


def test_what_is_below_by_way_of_another_is_not_named() -> None:
    """`c` builds on `b`, which holds `a`, also where a merge reaches `a` by a way of its own."""
    graph = {"a": ["m3"], "b": ["a"], "c": ["b", "a"]}
    assert adopted(graph, {"a": "a", "b": "b", "c": "c"})["c"].spec.after == ("b",)


def test_what_builds_on_a_task_waits_for_it() -> None:
    """The task's commits are not adopted with it; a task that was rejected is nothing to wait for."""
    graph = {"t": ["m3"], "mine": ["t"]}
    task = adopted(graph, {"mine": "mine"}, tasks=finished("low", "t", "orch/low"))["mine"]
    assert (task.spec.after, task.base, task.number) == (("low",), "t", 8)
    rejected = finished("low", "t", "orch/low", State.REJECTED)
    assert adopted(graph, {"mine": "mine"}, tasks=rejected)["mine"].spec.after == ()


def test_tasks_to_wait_for_can_be_named() -> None:
    """They come after those that the commits tell of."""
    tasks = adopted({"a": ["m3"], "b": ["a"]}, {"a": "a", "b": "b"}, after=["other"])
    assert {name: task.spec.after for name, task in tasks.items()} == {"a": ("other",), "b": ("a", "other")}


def test_a_branch_that_merged_the_base_is_based_on_the_last_merge() -> None:
    """However often the base was merged, and whichever parent it was."""
    graph = {"o1": ["m1"], "o2": ["o1", "m2"], "o3": ["m3", "o2"], "o4": ["o3"]}
    assert adopted(graph, {"old": "o4"})["old"].base == "m3"
    assert adopted(graph, {"old": "o2"})["old"].base == "m2"


def test_branches_that_stand_for_something_are_left_out() -> None:
    """A task's branch, gitorch's own, a second name of one commit, what is merged, and what shares no history."""
    graph = {"a": ["m3"], "t": ["m3"], "alone": [], "i": ["m3"]}
    branches = {
        "orch/integration": "i",
        "orch/candidate": "i",
        "orch/t": "t",
        "same-as-t": "t",
        "a": "a",
        "a-again": "a",
        "old": "m2",
        "alone": "alone",
    }
    reasons = left_out(graph, branches, finished("t", "t", "orch/t"))
    assert reasons == {
        "orch/integration": "it is gitorch's own",
        "orch/candidate": "it is gitorch's own",
        "orch/t": "it is the branch of the task t",
        "same-as-t": "it is at the same commit as the task t",
        "a-again": "it is at the same commit as a",
        "old": "it has no commits of its own: all of them are in the base, or on the integration branch",
        "alone": "it shares no history with the base",
    }


def test_only_named_branches_are_refused() -> None:
    """What a glob matched is left out; what was named alone refuses all, with a reason for each."""
    repository = FakeRepository(MAIN, {"x/old": "m2", "x/older": "m1"})

    def analysis(*patterns: str) -> branch_adoption.BranchAnalysis:
        return branch_adoption.analyze(
            repository, CONFIG, branch_adoption.find_branches(repository, patterns), {}, [Oid("m3")]
        )

    branch_adoption.refuse_exact(analysis("x/*").skipped)
    with pytest.raises(Refused) as caught:
        branch_adoption.refuse_exact(analysis("x/*", "x/old", "x/older").skipped)
    assert caught.value.code == "not-adoptable"
    assert caught.value.what.startswith("x/old cannot be adopted: it has no commits")
    assert caught.value.why.startswith("x/older: ")


def test_names_of_branches() -> None:
    """A local branch goes before one of a remote; full names work; an unknown one is named with what is near."""
    repository = FakeRepository(MAIN, {"fix": "m1", "up/fix": "m2", "up/far": "m3"})
    assert [one.tip for one in branch_adoption.find_branches(repository, ["fix", "up/fix", "refs/heads/fix"])] == [
        "m1",
        "m2",
    ]
    assert [one.is_local for one in branch_adoption.find_branches(repository, ["*"])] == [True, False, False]
    with pytest.raises(NotFound, match="there is no branch fax"):
        branch_adoption.find_branches(repository, ["fax"])
    with pytest.raises(NotFound, match="there is no branch none/"):
        branch_adoption.find_branches(repository, ["none/*"])


def test_names_that_are_taken_are_given_otherwise() -> None:
    """Two branches of one last name, one called like a task, and one called like a word of ours get other names."""
    graph = {"1": ["m3"], "2": ["m3"], "3": ["m3"], "4": ["m3"]}
    branches = {"una/fix": "1", "bob/fix": "2", "x/low": "3", "x/all": "4"}
    tasks = adopted(graph, branches, tasks=finished("low", "m1"))
    assert {name: task.id for name, task in tasks.items()} == {
        "una/fix": "una-fix",
        "bob/fix": "bob-fix",
        "x/low": "x-low",
        "x/all": "all-2",
    }


@st.composite
def forests(draw: st.DrawFn) -> tuple[Graph, dict[str, str]]:
    """Return commits above the base, each on one or two earlier ones, and branches at some of them."""
    graph: dict[str, Sequence[str]] = {}
    for number in range(draw(st.integers(1, 9))):
        below = st.sampled_from([*MAIN, *graph])
        graph[f"c{number}"] = draw(st.lists(below, min_size=1, max_size=2, unique=True))
    tips = draw(st.lists(st.sampled_from([*graph]), min_size=1, unique=True))
    return graph, {f"b{number}": tip for number, tip in enumerate(tips)}


@settings(max_examples=60)
@given(forests())
def test_what_a_task_has_of_its_own_and_what_it_waits_for_is_all_of_its_branch(
    forest: tuple[Graph, dict[str, str]],
) -> None:
    """On any graph: everything that a branch adds to the base is its own, or of a branch that it waits for."""
    graph, branches = forest
    repository = FakeRepository({**MAIN, **graph}, branches)
    analysis = branch_adoption.analyze(
        repository, CONFIG, branch_adoption.find_branches(repository, ["*"]), {}, [Oid("m3")]
    )
    assert analysis.skipped == ()
    own = {one.branch.tip: set(one.commits) for one in analysis.ranges}
    below = {one.branch.tip: one.builds_on for one in analysis.ranges}
    base = repository.reached(["m3"])
    for tip in own:
        reached, pending = set[str](), [tip]
        while pending:
            reached |= own[here := pending.pop()]
            pending += below[here]
        assert reached == repository.reached([tip]) - base
        assert not any(other in own[tip] for other in own if other != tip)
        assert not any(
            lower in repository.reached([upper]) for lower in below[tip] for upper in below[tip] if lower != upper
        )
