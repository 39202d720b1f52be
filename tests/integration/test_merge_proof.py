"""The proof before publication: a plan that is not what it says publishes nothing; every honest plan holds."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
import pytest

from gitorch import services
from gitorch.errors import ProofFailed
from gitorch.flow import merge
from gitorch.flow.merge import MergePlan, MergeStep
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult, State
from gitorch.replay import MemoryReplayer, Replayed
from gitorch.services.open import open_workspace
from tests.support.branches import Branches, merged
from tests.support.tasks import with_fields


@pytest.fixture
def branches(repo: Repository) -> Iterator[Branches]:
    with MemoryReplayer(repo) as replayer:
        yield Branches(repo, replayer)


def faults(branches: Branches, plan: MergePlan) -> list[str]:
    return merge.faults(branches.repo, branches.tasks, plan)


def a_stack(branches: Branches) -> MergePlan:
    """Return a plan of four: one kept as it is, one replayed, and a stack of two."""
    branches.task("one", {"one.txt": "x\n"})
    branches.task("two", {"two.txt": "x\n", "README.md": "# Two\n"})
    branches.task("low", {"low.txt": "x\n"})
    branches.task("top", {"top.txt": "x\n"}, after="low")
    return branches.plan()


def with_step(plan: MergePlan, at: int, **fields: object) -> MergePlan:
    step = plan.steps[at]
    changed = msgspec.structs.replace(step, replayed=msgspec.structs.replace(step.replayed, **fields))
    return msgspec.structs.replace(plan, steps=(*plan.steps[:at], changed, *plan.steps[at + 1 :]))


def test_an_honest_plan_holds(branches: Branches) -> None:
    """Kept commits, replayed ones and stacks; and a plan of nothing."""
    plan = a_stack(branches)
    assert merged(plan) == ["one", "two", "low", "top"]
    assert faults(branches, plan) == []
    assert faults(branches, msgspec.structs.replace(plan, steps=())) == []


def test_a_stack_whose_bottom_is_merged_holds(branches: Branches) -> None:
    """What went in earlier is not asked for again."""
    plan = a_stack(branches)
    low = branches.tasks[TaskId("low")]
    branches.tasks = {
        TaskId("low"): msgspec.structs.replace(low, state=State.MERGED),
        TaskId("top"): branches.tasks[TaskId("top")],
    }
    branches.main = plan.steps[2].replayed.tip
    again = branches.plan()
    assert merged(again) == ["top"]
    assert faults(branches, again) == []


def test_a_deep_stack_holds(branches: Branches) -> None:
    """Thirty that build on each other go in behind another one, each with its own commit alone."""
    branches.task("first", {"first.txt": "x\n"})
    names = [f"s{number:02}" for number in range(30)]
    for below, name in zip(["", *names], names, strict=False):
        branches.task(name, {f"{name}.txt": "x\n"}, after=below)
    plan = branches.plan()
    assert merged(plan) == ["first", *names]
    assert [len(step.replayed.pairs) for step in plan.steps] == [1] * 31
    assert faults(branches, plan) == []


def test_a_stack_whose_bottom_was_amended_holds(branches: Branches) -> None:
    """What stands on the commit before is replayed on the new one, and the old one is nobody's own."""
    low = branches.task("low", {"low.txt": "1\n"})
    branches.task("top", {"top.txt": "x\n"}, after="low")
    branches.git("checkout", "-q", low.branch)
    (branches.top / "low.txt").write_text("2\n")
    branches.git("commit", "-q", "-a", "--amend", "-m", "low, amended")
    amended = branches.at("HEAD")
    branches.git("checkout", "-q", "main")
    branches.tasks[low.id] = with_fields(low, tip=amended)
    plan = branches.plan()
    assert merged(plan) == ["low", "top"]
    assert branches.git("show", f"{plan.tip}:low.txt") == "2"
    assert branches.git("rev-list", "--count", f"{branches.main}..{plan.tip}") == "2"
    assert faults(branches, plan) == []


def test_a_duplicate_is_dropped_with_its_reason(branches: Branches) -> None:
    """A change that is there already is dropped, and the plan says so."""
    branches.task("one", {"same.txt": "x\n"})
    branches.task("two", {"same.txt": "x\n"})
    plan = branches.plan()
    assert [len(step.replayed.dropped) for step in plan.steps] == [0, 1]
    assert faults(branches, plan) == []
    assert "neither merged nor dropped" in faults(branches, with_step(plan, 1, dropped=()))[0]


def test_a_commit_that_was_left_out_for_nothing_is_found(branches: Branches) -> None:
    """That an engine says `dropped` is not believed: git must find the change where the commit would stand."""
    branches.task("one", {"one.txt": "x\n"})
    branches.task("two", {"two.txt": "x\n"})
    branches.task("same", {"one.txt": "x\n"})
    plan = branches.plan()
    assert plan.steps[2].replayed.dropped
    assert faults(branches, plan) == []
    tip = branches.tasks[TaskId("two")].tip
    assert tip is not None
    without = with_step(plan, 1, pairs=(), dropped=(tip,), tip=plan.steps[0].replayed.tip)
    found = [fault for fault in faults(branches, without) if "was dropped" in fault]
    assert found == [f"two: its commit {tip[:12]} was dropped, and its change is missing"]


def test_a_lost_commit_is_found(branches: Branches) -> None:
    """A task whose own commit is nowhere is not merged."""
    plan = a_stack(branches)
    lost = msgspec.structs.replace(plan, steps=(*plan.steps[:3], empty(plan.steps[3], plan.steps[2].replayed.tip)))
    assert faults(branches, lost) == [
        f"top: its commit {plan.steps[3].task.tip[:12]} is neither merged nor dropped"  # type: ignore[index]
    ]


def empty(step: MergeStep, tip: Oid) -> MergeStep:
    return msgspec.structs.replace(step, replayed=Replayed(tip, ()))


def test_a_foreign_commit_is_found(branches: Branches) -> None:
    """A commit that is no task's cannot come in as one of its own."""
    plan = a_stack(branches)
    one, two = plan.steps[0], plan.steps[1]
    pairs = (*two.replayed.pairs, (one.replayed.pairs[0][0], two.replayed.tip))
    assert "is not one of its commits" in faults(branches, with_step(plan, 1, pairs=pairs))[0]


def test_a_commit_in_between_is_found(branches: Branches) -> None:
    """Every commit between the base and the tip stands for one of a task's."""
    plan = a_stack(branches)
    tip = plan.tip
    more = Oid(branches.git("commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "more"))
    found = faults(branches, with_step(plan, 3, tip=more))
    assert found == [f"the tip is {more[:12]}, and the last new commit is {tip[:12]}"]
    swapped = msgspec.structs.replace(plan, steps=(plan.steps[1], plan.steps[0], *plan.steps[2:]))
    assert any("the parent of" in fault for fault in faults(branches, swapped))


def test_a_change_of_paths_that_are_not_its_own_is_found(branches: Branches) -> None:
    """A replayed commit that also takes back what others did is not published."""
    plan = a_stack(branches)
    last = plan.steps[3]
    below = plan.steps[2].replayed.tip
    old_tree = branches.git("ls-tree", last.replayed.tip)
    bad_tree = branches.git(
        "mktree", input="\n".join(line for line in old_tree.split("\n") if "one.txt" not in line) + "\n"
    )
    bad = Oid(branches.git("commit-tree", bad_tree, "-p", below, "-m", "top"))
    old = last.replayed.pairs[0][0]
    found = faults(branches, with_step(plan, 3, tip=bad, pairs=((old, bad),)))
    assert found == [f"{bad[:12]} changes one.txt, which {old[:12]} does not"]


def test_another_tree_than_the_checks_saw_is_found(branches: Branches) -> None:
    """What is published is what was checked, and it was green."""
    plan = a_stack(branches)
    tree, other = branches.repo.tree(plan.tip), branches.repo.tree(branches.main)
    seen = CheckResult(name="test", command="x", tree=tree, exit_code=0)
    checked = msgspec.structs.replace(plan, verify="batch", results=(seen,))
    assert faults(branches, checked) == []
    elsewhere = msgspec.structs.replace(checked, results=(msgspec.structs.replace(seen, tree=other),))
    assert "ran on the tree" in faults(branches, elsewhere)[0]
    red = msgspec.structs.replace(checked, results=(msgspec.structs.replace(seen, exit_code=1),))
    assert "did not pass" in faults(branches, red)[0]


RENAMES: dict[str, tuple[dict[str, str | None], dict[str, str | None]]] = {
    "a file that others renamed": (
        {"src/app.py": None, "src/main.py": "APP"},
        {"src/app.py": "APP+"},
    ),
    "a folder that others renamed": (
        {"src/app.py": None, "src/lib.py": None, "lib/app.py": "APP", "lib/lib.py": "LIB"},
        {"src/new.py": "new\n", "src/app.py": "APP+"},
    ),
    "a folder that the task renamed": (
        {"src/new.py": "new\n"},
        {"src/app.py": None, "src/lib.py": None, "lib/app.py": "APP", "lib/lib.py": "LIB"},
    ),
}


@pytest.mark.parametrize("case", RENAMES)
def test_renames_explain_other_paths(branches: Branches, case: str) -> None:
    """Git follows renames, so that a commit changes other paths than its original: that is no fault."""
    known = {"APP": (branches.top / "src/app.py").read_text(), "LIB": (branches.top / "src/lib.py").read_text()}
    known["APP+"] = known["APP"] + "more\n"
    first, second = (
        {path: known.get(text, text) if text else None for path, text in files.items()} for files in RENAMES[case]
    )
    # by itself git calls a file in a renamed folder a conflict
    branches.git("config", "merge.directoryRenames", "true")
    branches.task("first", first)
    branches.task("second", second)
    plan = branches.plan()
    assert merged(plan) == ["first", "second"]
    old, new = (
        set(branches.git("diff-tree", "-r", "--no-commit-id", "--name-only", "--no-renames", oid).split("\n"))
        for oid in plan.steps[1].replayed.pairs[0]
    )
    assert new - old, "the case is about other paths"
    assert faults(branches, plan) == []


def test_it_takes_four_processes_however_many_tasks(branches: Branches) -> None:
    """The proof reads all in bulk: git is not started for each task."""
    counts = []
    for count in (3, 3, 30):
        branches.tasks.clear()
        branches.many(count)
        plan = branches.plan()
        assert len(plan.steps) == count
        counts.append(started(branches, plan))
    # the first proof starts the process that reads objects, unless something else has
    assert counts[1] == counts[2] <= counts[0] <= 4


def started(branches: Branches, plan: MergePlan) -> int:
    """Return how many git processes the proof starts, as git's own trace tells them."""
    trace = branches.top.parent / f"trace-{random.random()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_TRACE2_EVENT", str(trace))
        assert faults(branches, plan) == []
    return trace.read_text().count('"event":"start"')


def test_a_plan_that_does_not_hold_publishes_nothing(branches: Branches) -> None:
    """No ref moves, no task changes, and what was wrong is saved."""
    workspace = open_workspace(branches.top)
    plan = a_stack(branches)
    workspace.store.save(branches.tasks.values())
    before = branches.repo.refs()
    lost = msgspec.structs.replace(plan, steps=(*plan.steps[:3], empty(plan.steps[3], plan.steps[2].replayed.tip)))
    with pytest.raises(ProofFailed) as error:
        services.merging.merge.publish(workspace, branches.replayer, lost)
    assert (error.value.code, error.value.exit) == ("proof-failed", 1)
    assert branches.repo.refs() == before
    assert {task.state for task in workspace.tasks.values()} == {State.APPROVED}
    assert workspace.operations.unfinished() == []
    (saved,) = (workspace.folder / "crashes").glob("proof-*.json")
    assert "neither merged nor dropped" in saved.read_text()
    services.merging.merge.publish(workspace, branches.replayer, plan)
    assert branches.at("orch/integration") == plan.tip
