"""The proof of a merge on a graph of names: a sound plan has no fault, and every kind of tampering is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from gitorch.flow.merge.planning.renames import Rename, Renames
from gitorch.flow.merge.publishing.proof import (
    UnexpectedChange,
    commit_faults,
    line_faults,
    tree_faults,
    unexpected_changes,
)
from gitorch.flow.merge.values import MergePlan, MergeStep
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult, State, Task
from gitorch.replay import Replayed
from tests.support.fake_merge import MAIN, approved
from tests.support.scale import scaled
from tests.support.tasks import with_fields

TREE = Oid("the tree")


class History:
    """Tasks with commits `NAME.1`, `NAME.2`, ... and the plan that replays them as `NAME.1'`, `NAME.2'`, ..."""

    def __init__(self) -> None:
        self.tasks: dict[TaskId, Task] = {}
        self.parents: dict[Oid, tuple[Oid, ...]] = {}
        self.plan = MergePlan(before=MAIN, onto=MAIN)

    def add(self, name: str, commits: int, after: str = "", dropped: int = 0) -> None:
        """Add a task on main or on another task; its last `dropped` commits are there already."""
        base = self.tasks[TaskId(after)].tip if after else MAIN
        assert base is not None
        old = [Oid(f"{name}.{number}") for number in range(1, commits + 1)]
        new = [Oid(f"{oid}'") for oid in old[: commits - dropped]]
        self._chain(base, old)
        self._chain(self.plan.tip, new)
        task = approved(name, len(self.tasks) + 1, base=base, tip=old[-1])
        self.tasks[task.id] = task
        pairs = tuple(zip(old, new, strict=False))
        replayed = Replayed(new[-1] if new else self.plan.tip, pairs, tuple(old[len(new) :]))
        step = MergeStep(task=task, replayed=replayed, paths=frozenset())
        self.plan = msgspec.structs.replace(self.plan, steps=(*self.plan.steps, step))

    def _chain(self, base: Oid, commits: Sequence[Oid]) -> None:
        for parent, oid in zip([base, *commits], commits, strict=False):
            self.parents[oid] = (parent,)

    def faults(self, plan: MergePlan | None = None) -> list[str]:
        plan = plan or self.plan
        return [*line_faults(plan, self.parents), *commit_faults(self.tasks, plan, self.parents)]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Return one to five tasks of one to three commits, some on top of each other, some with dropped commits."""
    history = History()
    for number in range(draw(st.integers(1, 5))):
        after = draw(st.sampled_from(["", *history.tasks]))
        commits = draw(st.integers(1, 3))
        history.add(f"t{number}", commits, after, draw(st.integers(0, commits)))
    return history


def stack() -> History:
    """Return a task, a second one, and a third one on top of the second, with a dropped commit."""
    history = History()
    history.add("a", 2)
    history.add("low", 1)
    history.add("top", 3, "low", dropped=1)
    return history


def with_replayed(plan: MergePlan, position: int, **fields: object) -> MergePlan:
    step = plan.steps[position]
    changed = msgspec.structs.replace(step, replayed=msgspec.structs.replace(step.replayed, **fields))
    return msgspec.structs.replace(plan, steps=(*plan.steps[:position], changed, *plan.steps[position + 1 :]))


def pairs(plan: MergePlan, position: int) -> tuple[tuple[Oid, Oid], ...]:
    return plan.steps[position].replayed.pairs


@settings(max_examples=scaled(50), deadline=None)
@given(histories())
def test_a_sound_plan_has_no_fault(history: History) -> None:
    """Stacks, dropped commits, and tasks of which every commit was dropped."""
    assert history.faults() == []


@settings(max_examples=scaled(60), deadline=None)
@given(histories(), st.data())
def test_a_lost_doubled_or_moved_commit_is_found(history: History, data: st.DataObject) -> None:
    """Wherever one pair is removed, claimed by another task, or replaced: there is a fault."""
    plan = history.plan
    places = [(position, pair) for position, step in enumerate(plan.steps) for pair in step.replayed.pairs]
    if not places:
        return
    position, pair = data.draw(st.sampled_from(places))
    remaining = tuple(other for other in pairs(plan, position) if other != pair)
    assert history.faults(with_replayed(plan, position, pairs=remaining))
    other = data.draw(st.integers(0, len(plan.steps) - 1))
    if other != position:
        assert history.faults(with_replayed(plan, other, pairs=(*pairs(plan, other), pair)))
    foreign = (Oid("foreign"), pair[1])
    replaced = tuple(foreign if entry == pair else entry for entry in pairs(plan, position))
    assert history.faults(with_replayed(plan, position, pairs=replaced))


@settings(max_examples=scaled(50), deadline=None)
@given(histories(), st.data())
def test_a_dropped_commit_must_be_claimed_as_dropped(history: History, data: st.DataObject) -> None:
    """A commit that is in neither list is named."""
    dropped = [(position, oid) for position, step in enumerate(history.plan.steps) for oid in step.replayed.dropped]
    if not dropped:
        return
    position, oid = data.draw(st.sampled_from(dropped))
    step = history.plan.steps[position]
    remaining = tuple(other for other in step.replayed.dropped if other != oid)
    expected = f"{step.task.id}: its commit {oid} is neither merged nor dropped"
    assert history.faults(with_replayed(history.plan, position, dropped=remaining)) == [expected]


# (how a plan is tampered with, the faults)
TAMPERED: dict[str, tuple[Callable[[MergePlan], MergePlan], list[str]]] = {
    "the tip is another commit": (
        lambda plan: with_replayed(plan, 2, tip=Oid("x")),
        ["the tip is x, and the last new commit is top.2'"],
    ),
    "a commit is left out": (
        lambda plan: with_replayed(plan, 0, pairs=pairs(plan, 0)[1:]),
        ["the parent of a.2' is not main", "a: its commit a.1 is neither merged nor dropped"],
    ),
    "two tasks are swapped": (
        lambda plan: msgspec.structs.replace(plan, steps=(plan.steps[1], plan.steps[0], plan.steps[2])),
        [
            "the parent of low.1' is not main",
            "the parent of a.1' is not low.1'",
            "the parent of top.1' is not a.2'",
        ],
    ),
    "another base": (
        lambda plan: msgspec.structs.replace(plan, onto=Oid("other")),
        ["the parent of a.1' is not other"],
    ),
    "a commit of another task": (
        lambda plan: with_replayed(plan, 2, pairs=((Oid("a.1"), Oid("top.1'")), *pairs(plan, 2)[1:])),
        ["top: its commit top.1 is neither merged nor dropped", "top: a.1 is not one of its commits"],
    ),
    "a new commit that is nowhere in the repository": (
        lambda plan: with_replayed(plan, 1, pairs=((Oid("low.1"), Oid("missing")),), tip=Oid("missing")),
        ["the parent of missing is not a.2'", "the parent of top.1' is not missing"],
    ),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_the_fault_says_what_is_wrong(case: str) -> None:
    """Each fault names the commits and the task."""
    tamper, expected = TAMPERED[case]
    history = stack()
    assert history.faults(tamper(history.plan)) == expected


def test_commits_of_merged_tasks_are_not_asked_for_again() -> None:
    """A stack whose lower part is merged: only the upper part is expected, and the lower one would be a fault."""
    history = stack()
    low = history.tasks[TaskId("low")]
    history.tasks[low.id] = msgspec.structs.replace(low, state=State.MERGED)
    top = msgspec.structs.replace(history.plan, steps=history.plan.steps[2:])
    assert list(commit_faults(history.tasks, top, history.parents)) == []
    claimed = with_replayed(top, 0, pairs=((Oid("low.1"), Oid("low.1'")), *pairs(top, 0)))
    assert list(commit_faults(history.tasks, claimed, history.parents)) == ["top: low.1 is not one of its commits"]


def test_a_branch_may_contain_the_commits_of_an_earlier_task() -> None:
    """They go in once, with their own task, even if the base of the later task is below them."""
    history = stack()
    step = history.plan.steps[2]
    top = with_fields(step.task, base=MAIN)
    steps = (*history.plan.steps[:2], msgspec.structs.replace(step, task=top))
    assert history.faults(msgspec.structs.replace(history.plan, steps=steps)) == []


def test_merge_commits_are_not_replayed() -> None:
    """A merge on the branch is no commit of its own to ask for; what it merged in is."""
    history = History()
    history.add("a", 2)
    history.parents |= {Oid("side"): (MAIN,), Oid("a.2"): (Oid("a.1"), Oid("side"))}
    only_first = with_replayed(history.plan, 0, pairs=pairs(history.plan, 0)[:1])
    assert list(commit_faults(history.tasks, only_first, history.parents)) == [
        "a: its commit side is neither merged nor dropped"
    ]


@pytest.mark.parametrize(
    ("verify", "tree", "exit_code", "expected"),
    [
        ("batch", TREE, 0, []),
        ("never", "another", 1, []),
        ("batch", "another", 0, ["check test ran on the tree another, and the tree would be published"]),
        ("each", TREE, 1, ["check test did not pass on the tree that would be published"]),
        ("end", TREE, None, ["check test did not pass on the tree that would be published"]),
    ],
)
def test_what_is_published_is_what_the_checks_saw(
    verify: str, tree: str, exit_code: int | None, expected: list[str]
) -> None:
    """Another tree, a failed check, and one that did not finish are faults, unless nothing was to be checked."""
    result = CheckResult(name="test", command="x", tree=Oid(tree), exit_code=exit_code)
    plan = msgspec.structs.replace(stack().plan, verify=verify, results=(result,))
    assert list(tree_faults(TREE, plan)) == expected


def test_paths_that_no_original_changes_are_unexpected() -> None:
    """A squashed commit may change the paths of all its originals."""
    history = stack()
    plan = with_replayed(history.plan, 0, pairs=((Oid("a.1"), Oid("a'")), (Oid("a.2"), Oid("a'"))), tip=Oid("a'"))
    paths = {oid: frozenset([f"{oid.rstrip(chr(39))}.txt"]) for oid in history.parents}
    paths[Oid("a'")] = frozenset(["a.1.txt", "a.2.txt"])
    assert unexpected_changes(plan, paths, history.parents) == []
    paths[Oid("a'")] |= {"other.txt"}
    paths[Oid("low.1'")] |= {"more.txt"}
    assert unexpected_changes(plan, paths, history.parents) == [
        UnexpectedChange(Oid("a'"), (Oid("a.1"), Oid("a.2")), frozenset(["other.txt"])),
        UnexpectedChange(Oid("low.1'"), (Oid("low.1"),), frozenset(["more.txt"])),
    ]


# (renamed on the branch, renamed by the commit, the path, the original's paths, the extra paths, explained?)
RENAMES: dict[str, tuple[list[Rename], list[Rename], str, list[str], list[str], bool]] = {
    "the branch renamed the file": ([("a", "b")], [], "b", ["a"], ["b"], True),
    "the branch renamed another file": ([("c", "b")], [], "b", ["a"], ["b"], False),
    "the branch renamed its folder": ([("old/x", "new/x")], [], "new/a", ["old/a"], ["new/a"], True),
    "the branch renamed a folder above": ([("old/s/x", "new/s/x")], [], "new/t/a", ["old/t/a"], ["new/t/a"], True),
    "the branch moved a folder into another": ([("x/1", "y/z/1")], [], "y/z/a", ["x/a"], ["y/z/a"], True),
    "the branch moved a folder to the top": ([("x/1", "1")], [], "a", ["x/a"], ["a"], True),
    "another name in the renamed folder": ([("old/x", "new/x")], [], "new/b", ["old/a"], ["new/b"], False),
    "the commit renamed the folder of a new file": ([], [("o/x", "n/x")], "n/a", ["o/x"], ["o/a", "n/a"], True),
    "the old path of that file": ([], [("o/x", "n/x")], "o/a", ["o/x"], ["o/a", "n/a"], True),
    "a file that appears in the new folder alone": ([], [("o/x", "n/x")], "n/a", ["o/x"], ["n/a"], False),
    "a file that was renamed within its folder": ([], [("o/x", "o/y")], "o/a", ["o/x"], ["o/a", "o/b"], False),
    "no rename at all": ([], [], "b", ["a"], ["b"], False),
}


@pytest.mark.parametrize("case", RENAMES)
def test_only_renames_explain_other_paths(case: str) -> None:
    """Git follows renames of files and folders on either side; nothing else may change another path."""
    on_branch, by_commit, path, original_paths, extra_paths, expected = RENAMES[case]
    assert Renames(tuple(on_branch), tuple(by_commit)).explain(path, original_paths, extra_paths) is expected
