"""The checks of a merge: who is red together is found with few trees, named truly, and as much as can be goes in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from gitorch.flow import merge
from gitorch.git.repository import Repository
from gitorch.model.task import CheckResult
from gitorch.replay import MemoryReplayer
from tests.support.branches import Branches, failed, held, merged


@pytest.fixture
def branches(repo: Repository) -> Iterator[Branches]:
    with MemoryReplayer(repo) as replayer:
        yield Branches(repo, replayer)


def plant(branches: Branches, *names: str, **after: str) -> None:
    for name in (*names, *after):
        branches.task(name, {f"{name}.txt": "x\n"}, after=after.get(name, ""))


def test_a_green_union_is_checked_once(branches: Branches) -> None:
    """`batch` asks for the union's tree, and for no other when it is green."""
    plant(branches, "a", "b", "c")
    plan = branches.verified(branches.plan(), lambda _: False)
    assert merged(plan) == ["a", "b", "c"]
    assert len(branches.seen) == 1
    assert {"a", "b", "c"} <= branches.seen[0]
    assert plan.results[0].tree == branches.repo.tree(plan.tip)
    assert plan.verify == "batch"


def test_a_single_culprit_is_named_as_red_alone(branches: Branches) -> None:
    """Everything else goes in, and is checked as a whole."""
    plant(branches, "a", "b", "c", "d", "e")
    plan = branches.verified(branches.plan(), lambda names: "c" in names)
    assert (merged(plan), failed(plan)) == (["a", "b", "d", "e"], [("c", (), False)])
    assert branches.seen[-1] >= {"a", "b", "d", "e"}
    assert plan.results[0].tree == branches.repo.tree(plan.tip)
    assert plan.flakes == ()


def test_a_pair_is_named_with_its_partner(branches: Branches) -> None:
    """Green alone and red together: the later one was checked alone and is left out, what builds on it is held."""
    plant(branches, "a", "b", "c", d="b", e="a")
    plan = branches.verified(branches.plan(), lambda names: {"a", "b"} <= names)
    assert (merged(plan), failed(plan)) == (["a", "c", "e"], [("b", ("a",), True)])
    assert held(plan) == {"d": "it builds on b, which fails check test"}
    mine = [names & {"a", "b", "c", "d", "e"} for names in branches.seen]
    assert {"b"} in mine
    assert {"a", "b"} in mine
    assert any("a" in names and "b" not in names for names in mine)


def test_a_triple_is_named_whole(branches: Branches) -> None:
    """Any two of the three are green: the set is the smallest, not the first that is red."""
    plant(branches, "a", "b", "c", "d", "e", "f", "g")
    plan = branches.verified(branches.plan(), lambda names: {"b", "d", "f"} <= names)
    assert (merged(plan), failed(plan)) == (["a", "b", "c", "d", "e", "g"], [("f", ("b", "d"), True)])


def test_two_culprits_are_both_named(branches: Branches) -> None:
    """One search for each, and the rest goes in."""
    plant(branches, "a", "b", "c", "d", "e", "f")
    plan = branches.verified(branches.plan(), lambda names: "b" in names or {"c", "e"} <= names)
    assert merged(plan) == ["a", "c", "d", "f"]
    assert failed(plan) == [("b", (), False), ("e", ("c",), True)]


def test_the_largest_green_set_goes_on(branches: Branches) -> None:
    """One that is red with each of three others is left out, and not the three."""
    plant(branches, "a", "b", "c", "d")
    plan = branches.verified(branches.plan(), lambda names: "a" in names and bool(names & {"b", "c", "d"}))
    assert merged(plan) == ["b", "c", "d"]
    assert failed(plan) == [("a", ("b", "c"), None)]


def test_of_a_pair_the_one_that_others_build_on_stays(branches: Branches) -> None:
    """Leaving out the later one would hold two more."""
    plant(branches, "a", "b", c="b", d="c")
    plan = branches.verified(branches.plan(), lambda names: {"a", "b"} <= names)
    assert (merged(plan), failed(plan)) == (["b", "c", "d"], [("a", ("b",), None)])


def test_a_culprit_on_top_of_a_stack_leaves_the_stack(branches: Branches) -> None:
    """What it builds on is not blamed."""
    plant(branches, "a", b="a", c="b", d="c")
    plan = branches.verified(branches.plan(), lambda names: "c" in names)
    assert (merged(plan), failed(plan)) == (["a", "b"], [("c", (), False)])
    assert held(plan) == {"d": "it builds on c, which fails check test"}


def test_a_clash_with_the_culprit_goes_in_without_it(branches: Branches) -> None:
    """What did not go in because of the one that is left out is tried again."""
    branches.task("bad", {"same.txt": "1\n", "bad.txt": "x\n"})
    branches.task("good", {"same.txt": "2\n"})
    plan = branches.verified(branches.plan(), lambda names: "bad" in names)
    assert (merged(plan), failed(plan)) == (["good"], [("bad", (), False)])
    assert plan.conflicts == ()


def test_no_task_is_blamed_for_a_red_base(branches: Branches) -> None:
    """When the base fails its checks already and no task repairs it, that is what is said."""
    plant(branches, "a", "b")
    plan = branches.verified(branches.plan(), lambda _: True)
    assert (merged(plan), plan.failures, plan.red_base) == ([], (), "test")
    assert [names & {"a", "b"} for names in branches.seen] == [{"a", "b"}, {"a", "b"}, {"a"}, set(), set(), {"b"}]


def test_a_task_that_mends_a_red_base_goes_in(branches: Branches) -> None:
    """A green union is green, whatever the base is."""
    plant(branches, "a", "mend")
    for verify in ("batch", "end"):
        plan = branches.verified(branches.plan(), lambda names: "mend" not in names, verify)
        assert (merged(plan), plan.red_base) == (["a", "mend"], "")


@pytest.mark.parametrize("verify", ["batch", "each"])
def test_a_repair_goes_in_though_another_task_fails(branches: Branches, verify: str) -> None:
    """The branch that makes a red base green goes first, with what it builds on; who fails on top of it is left out."""
    plant(branches, "a", "bad", "c", mend="c", d="bad")
    plan = branches.verified(branches.plan(), lambda names: "mend" not in names or "bad" in names, verify)
    assert merged(plan) == ["c", "mend", "a"]
    assert (failed(plan), plan.red_base) == ([("bad", (), False)], "")
    assert held(plan) == {"d": "it builds on bad, which fails check test"}
    assert [result.passed for result in plan.results] == [True]
    assert merge.faults(branches.repo, branches.tasks, plan) == []


def test_a_repair_alone_goes_in(branches: Branches) -> None:
    """Though nothing else is green on top of it; a pair that fails together names its partner."""
    plant(branches, "bad", "mend")
    plan = branches.verified(branches.plan(), lambda names: "mend" not in names or "bad" in names)
    assert (merged(plan), failed(plan)) == (["mend"], [("bad", (), False)])
    assert [result.passed for result in plan.results] == [True]
    plant(branches, "x", "y")
    plan = branches.verified(branches.plan("bad"), lambda names: "mend" not in names or {"x", "y"} <= names)
    assert (merged(plan), failed(plan)) == (["mend", "x"], [("y", ("x",), True)])


def test_a_task_that_is_green_on_a_red_base_is_tried_first(branches: Branches) -> None:
    """Its own checks passed although its base is red: it repairs it, most likely; one that failed is not tried."""
    plant(branches, "a", "bad")
    for name, code in (("failing", 1), ("mend", 0)):
        result = CheckResult(name="test", command="x", tree=branches.main, exit_code=code)
        branches.task(name, {f"{name}.txt": "x\n"}, results=(result,))
    plan = branches.verified(branches.plan(), lambda names: "mend" not in names or "bad" in names)
    assert "bad" not in merged(plan)
    assert {"mend", "a"} <= set(merged(plan))
    looked_at = [names & {"a", "bad", "failing", "mend"} for names in branches.seen]
    after_base = looked_at[looked_at.index(set()) :]
    assert after_base[:3] == [set(), set(), {"mend"}]


def test_end_takes_the_union_or_leaves_it(branches: Branches) -> None:
    """`end` looks for no culprit."""
    plant(branches, "a", "b")
    plan = branches.verified(branches.plan(), lambda names: {"a", "b"} <= names, "end")
    assert (merged(plan), plan.failures) == ([], ())
    assert [names & {"a", "b"} for names in branches.seen] == [{"a", "b"}, set(), {"a", "b"}]
    assert "union" in plan.blocked[0].reason


def test_each_checks_every_step_and_never_checks_none(branches: Branches) -> None:
    """The two ends of the scale."""
    plant(branches, "a", "b")
    branches.verified(branches.plan(), lambda _: False, "each")
    assert [names & {"a", "b"} for names in branches.seen] == [{"a"}, {"a", "b"}]
    plan = branches.verified(branches.plan(), lambda _: False, "never")
    assert (branches.seen, plan.verify) == ([], "never")


def test_each_leaves_no_red_step(branches: Branches) -> None:
    """With `each` every tree on the way is green, though the last would mend it."""
    plant(branches, "a", "breaks", "c", "mends")

    def red(names: set[str]) -> bool:
        return "breaks" in names and "mends" not in names

    assert merged(branches.verified(branches.plan(), red, "batch")) == ["a", "breaks", "c", "mends"]
    plan = branches.verified(branches.plan(), red, "each")
    assert (merged(plan), failed(plan)) == (["a", "c", "mends"], [("breaks", (), False)])


def flaky(*reds: int) -> Iterator[bool]:
    """Return whether each look is red: those of these numbers."""
    return (number in reds for number in itertools.count(1))


@pytest.mark.parametrize("verify", ["batch", "each", "end"])
def test_a_flake_is_told_and_blames_nobody(branches: Branches, verify: str) -> None:
    """Red at the first look at a tree and green at the second: everything goes in, and the flake is in the plan."""
    plant(branches, "a", "b")
    looks = flaky(1)
    plan = branches.verified(branches.plan(), lambda names: "a" in names and next(looks), verify)
    assert (merged(plan), plan.failures) == (["a", "b"], ())
    assert [(flake.name, flake.passed, flake.flaky) for flake in plan.flakes] == [("test", True, True)]


def test_a_flake_during_the_search_blames_nobody(branches: Branches) -> None:
    """A tree that is red by chance while another culprit is looked for is found out by its second look."""
    plant(branches, "a", "b", "c", "d", "e", "f", "g", "h")
    once = flaky(1)

    def red(names: set[str]) -> bool:
        return "h" in names or ("a" in names and next(once))

    plan = branches.verified(branches.plan(), red)
    assert (merged(plan), failed(plan)) == (list("abcdefg"), [("h", (), False)])
    assert len(plan.flakes) == 1


def test_a_task_that_was_approved_red_is_looked_at_first(branches: Branches) -> None:
    """Its own failing check is a hint, no verdict: it is checked on this base before it is blamed."""
    plant(branches, *"abcdefghij")
    bad = CheckResult(name="test", command="x", tree=branches.main, exit_code=1)
    task = branches.tasks.pop(next(name for name in branches.tasks if name == "g"))
    branches.task("g", {"g2.txt": "x\n"}, results=(bad,), number=task.number)
    plan = branches.verified(branches.plan(), lambda names: "g2" in names)
    assert failed(plan) == [("g", (), False)]
    # the union, and again, the suspect alone, the base, the suspect again, the rest
    assert len(branches.seen) == 6
    assert failed(branches.verified(branches.plan(), lambda names: "c" in names)) == [("c", (), False)]


@pytest.mark.parametrize(("width", "most"), [(1, {1: 11, 2: 16, 3: 22}), (4, {1: 14, 2: 22, 3: 30})])
def test_no_more_trees_than_needed(branches: Branches, width: int, most: dict[int, int]) -> None:
    """A set of k among 20 costs about k log2 20 trees, wherever it is; none but red ones are judged twice."""
    names = branches.many(20)
    for guilty in (names[:1], names[-1:], [names[3], names[17]], names[9:11], [names[0], names[10], names[19]]):
        plan = branches.verified(branches.plan(), set(guilty).issubset, width=width)
        assert {one.task.id for one in plan.failures} == {guilty[-1]}
        assert failed(plan) == [(guilty[-1], tuple(guilty[:-1]), len(guilty) > 1)]
        assert len(merged(plan)) == 19
        assert len(branches.seen) <= most[len(guilty)], (guilty, len(branches.seen))
        twice = [names for at, names in enumerate(branches.seen) if names in branches.seen[:at]]
        assert all(found.issuperset(guilty) for found in twice)


def test_several_trees_are_judged_at_once(branches: Branches) -> None:
    """With more slots the same set is found; what is being done is told all the while."""
    branches.many(9)
    for width in (1, 2, 3, 8):
        plan = branches.verified(branches.plan(), lambda found: {"t002", "t006"} <= found, width=width)
        assert failed(plan) == [("t006", ("t002",), True)]
        assert len(branches.told) == len(branches.seen)
        assert {one.check for one in branches.told} == {"test"}
        assert branches.told[0].tasks == tuple(f"t{number:03}" for number in range(9))
        doing = [one.doing for one in branches.told]
        assert doing[:2] == ["check the union", "check once more"]
        assert "check t006 alone" in doing
