"""The merger: order, conflicts, checks on the exact tree, and publication in one step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitorch.flow import merge
from gitorch.git.notes import note_store
from gitorch.git.repository import RefsMoved, Repository
from gitorch.model.naming import branch_ref
from gitorch.model.note import MergedNote
from gitorch.model.refs import RefUpdate
from gitorch.model.task import Priority, State
from gitorch.replay import MemoryReplayer, hunks
from tests.support.branches import Branches, held, merged
from tests.support.git import Files
from tests.support.notes import note_line


@pytest.fixture
def branches(repo: Repository) -> Iterator[Branches]:
    with MemoryReplayer(repo) as replayer:
        yield Branches(repo, replayer)


def test_dependencies_go_before_urgency(branches: Branches) -> None:
    """A task comes after what it builds on, though it is more urgent; otherwise the urgent go first."""
    branches.task("low", {"low.txt": "x\n"}, priority=Priority.LOW)
    branches.task("below", {"below.txt": "x\n"}, priority=Priority.LOW)
    branches.task("above", {"above.txt": "x\n"}, after="below", priority=Priority.HIGH)
    branches.task("high", {"high.txt": "x\n"}, priority=Priority.HIGH)
    assert merged(branches.plan()) == ["high", "low", "below", "above"]


def test_a_stack_is_replayed_without_its_parents_commits(branches: Branches) -> None:
    """A dependent's own commits are its own alone: nothing comes twice."""
    branches.task("other", {"other.txt": "x\n"}, priority=Priority.HIGH)
    branches.task("below", {"below.txt": "x\n"})
    branches.task("above", {"above.txt": "x\n"}, after="below")
    plan = branches.plan()
    subjects = branches.git("log", "--format=%s", "--reverse", f"{branches.main}..{plan.tip}").split("\n")
    assert subjects == ["work of other", "work of below", "work of above"]


def test_a_conflict_names_paths_and_partner_and_leaves_everything(branches: Branches) -> None:
    """The branch that clashes is left as it was; what builds on it is held; the rest goes in."""
    branches.task("first", {"same.txt": "one\n"})
    branches.task("above", {"above.txt": "one\n"}, after="first")
    branches.task("second", {"same.txt": "two\n", "more.txt": "x\n"})
    branches.task("third", {"third.txt": "x\n"}, after="second")
    branches.task("fourth", {"fourth.txt": "x\n"})
    before = branches.repo.refs()
    plan = branches.plan()
    assert merged(plan) == ["first", "above", "fourth"]
    assert [(one.task.id, one.paths, one.partners) for one in plan.conflicts] == [("second", ("same.txt",), ("first",))]
    assert [(one.task.id, one.reason) for one in plan.blocked] == [("third", "it builds on second, which conflicts")]
    assert branches.repo.refs() == before


def test_what_is_left_out_is_not_merged_through_the_back_door(branches: Branches) -> None:
    """Skipping a task holds what builds on it."""
    branches.task("below", {"below.txt": "x\n"})
    branches.task("above", {"above.txt": "x\n"}, after="below")
    plan = branches.plan("below")
    assert merged(plan) == []
    assert [one.task.id for one in plan.blocked] == ["above"]


def test_a_branch_that_moved_since_is_held(branches: Branches) -> None:
    """What was approved is merged, and nothing that came after."""
    one = branches.task("one", {"one.txt": "x\n"})
    branches.git("update-ref", branch_ref(one.branch), branches.main)
    plan = branches.plan()
    assert merged(plan) == []
    assert "moved" in plan.blocked[0].reason


# the order


def test_where_two_clash_the_order_that_lets_more_go_in_is_taken(branches: Branches) -> None:
    """The first clashes with both others, which do not clash with each other: it is the one that stays out."""
    branches.task("first", {"a.txt": "1\n", "b.txt": "1\n"}, priority=Priority.HIGH)
    branches.task("second", {"a.txt": "2\n"})
    branches.task("third", {"b.txt": "3\n"})
    branches.task("apart", {"apart.txt": "x\n"})
    plan = branches.plan()
    assert merged(plan) == ["second", "third", "apart"]
    assert [(one.task.id, one.partners) for one in plan.conflicts] == [("first", ("second", "third"))]
    assert merged(branches.plan()) == merged(plan)


def test_a_stack_goes_before_what_it_clashes_with(branches: Branches) -> None:
    """Three that build on each other weigh more than the one that is older."""
    branches.task("old", {"same.txt": "1\n"})
    branches.task("low", {"same.txt": "2\n"})
    branches.task("mid", {"mid.txt": "x\n"}, after="low")
    branches.task("top", {"top.txt": "x\n"}, after="mid")
    plan = branches.plan()
    assert merged(plan) == ["low", "mid", "top"]
    assert [(one.task.id, one.partners) for one in plan.conflicts] == [("old", ("low",))]


def test_a_task_goes_in_when_a_later_one_fills_the_folder_that_was_moved(branches: Branches) -> None:
    """A file added to a folder that is gone belongs elsewhere, until the folder is there again: then it is tried again.

    The conflict names the path in the new folder, which nobody changes.
    """
    text = "".join(f"line {number}\n" for number in range(9))
    branches.task("base", {"old/a.txt": text, "old/b.txt": f"{text}b\n"})
    branches.task(
        "mover",
        {"old/a.txt": None, "old/b.txt": None, "new/a.txt": text, "new/b.txt": f"{text}b\n"},
        after="base",
    )
    branches.task("adder", {"old/c.txt": "c\n"}, after="base")
    branches.task("again", {"old/d.txt": "d\n"}, after="mover")
    assert [conflict.paths for conflict in branches.plan("again").conflicts] == [("new/c.txt",)]
    plan = branches.plan()
    assert not plan.conflicts
    assert merged(plan) == ["base", "mover", "again", "adder"]


_TEXT, _ONE, _TWO = "# Example\n", "# Example\none\n", "# Example\ntwo\n"
# (what goes in first, what conflicts with it, where, what ends the conflict without a change there)
ENDED: dict[str, tuple[Files, Files, str, Files]] = {
    "a file is again where one was moved away": (
        {"README.md": None, "moved.md": _TEXT},
        {"README.md": None},
        "moved.md",
        {"README.md": _TEXT},
    ),
    "a new file counts as the one that is gone": (
        {"README.md": None},
        {"README.md": f"{_TEXT}more\n"},
        "README.md",
        {"moved.md": _TEXT},
    ),
    "attributes merge both": (
        {"README.md": _ONE},
        {"README.md": _TWO},
        "README.md",
        {".gitattributes": "* merge=union"},
    ),
}


@pytest.mark.parametrize("case", ENDED)
def test_a_task_goes_in_when_a_later_one_ends_its_conflict_elsewhere(branches: Branches, case: str) -> None:
    """It is tried again, and goes in as `git rebase` would put it there."""
    first, second, path, ending = ENDED[case]
    branches.task("first", first)
    second_task = branches.task("second", second)
    branches.task("ending", ending, after="first")
    assert [(one.task.id, one.paths) for one in branches.plan("ending").conflicts] == [("second", (path,))]
    plan = branches.plan()
    assert merged(plan) == ["first", "ending", "second"]
    assert second_task.tip
    branches.git("checkout", "-q", "--detach", second_task.tip)
    branches.git("rebase", "-q", plan.steps[1].replayed.tip)
    assert branches.at("HEAD^{tree}") == branches.at(f"{plan.tip}^{{tree}}")


def test_equal_orders_are_decided_by_priority_and_age(branches: Branches) -> None:
    """One against one: the urgent goes in, and of two alike the older."""
    branches.task("older", {"a.txt": "1\n"})
    branches.task("younger", {"a.txt": "2\n"})
    branches.task("slow", {"b.txt": "1\n"}, priority=Priority.LOW)
    branches.task("urgent", {"b.txt": "2\n"}, priority=Priority.HIGH)
    assert merged(branches.plan()) == ["urgent", "older"]


def test_a_clash_with_what_is_merged_has_no_partner(branches: Branches) -> None:
    """Who touches the same path but is not the reason is not named."""
    branches.task("harmless", {"other.txt": "x\n"})
    branches.task("late", {"same.txt": "2\n", "other.txt": "y\n"})
    branches.git("checkout", "-q", "-b", "moved", "main")
    (branches.top / "same.txt").write_text("0\n")
    branches.git("add", "-A")
    branches.git("commit", "-q", "-m", "in the way")
    branches.main = branches.at("HEAD")
    branches.git("checkout", "-q", "main")
    (clash,) = branches.plan("harmless").conflicts
    assert (clash.paths, clash.partners) == (("same.txt",), ())


def test_only_those_are_partners_without_whom_it_goes_in(branches: Branches) -> None:
    """Two change the file, but the one that changes other lines is no partner."""
    text = "".join(f"{number}\n" for number in range(40))
    branches.git("checkout", "-q", "main")
    (branches.top / "long.txt").write_text(text)
    branches.git("add", "-A")
    branches.git("commit", "-q", "-m", "long")
    branches.main = branches.at("HEAD")
    branches.task("head", {"long.txt": text.replace("1\n", "one\n", 1)})
    branches.task("tail", {"long.txt": text.replace("39\n", "last\n")})
    branches.task("more", {"long.txt": text.replace("39\n", "end\n")}, priority=Priority.LOW)
    (clash,) = branches.plan().conflicts
    assert (clash.task.id, clash.partners) == ("more", ("tail",))


def test_a_partner_without_a_common_path_is_found(branches: Branches) -> None:
    """A folder that was renamed and a file that was added to it: the one who renamed is named."""
    branches.task("other", {"other.txt": "x\n"}, priority=Priority.HIGH)
    branches.task("renames", {"src/app.py": None, "src/lib.py": None, "lib": "in the way\n"})
    branches.task("adds", {"lib/new.py": "x\n"}, priority=Priority.LOW)
    (clash,) = branches.plan().conflicts
    assert (clash.task.id, clash.partners) == ("adds", ("renames",))


def test_a_named_task_brings_what_it_builds_on(branches: Branches) -> None:
    """The closure goes in, and nothing else that is approved."""
    for name, after in (("a", ""), ("b", "a"), ("c", "b"), ("d", "")):
        branches.task(name, {f"{name}.txt": "x\n"}, after=after)
    assert merged(branches.plan(names=["c"])) == ["a", "b", "c"]
    assert merged(branches.plan(names=["b", "d"])) == ["a", "b", "d"]


@pytest.mark.parametrize("state", [State.FINISHED, State.QUEUED, State.REJECTED])
def test_a_named_task_waits_for_what_is_not_approved(branches: Branches, state: State) -> None:
    """Which dependency is missing is said, at any depth; the others go in."""
    branches.task("a", {"a.txt": "x\n"}, state=state)
    branches.task("b", {"b.txt": "x\n"}, after="a")
    branches.task("c", {"c.txt": "x\n"}, after="b")
    branches.task("d", {"d.txt": "x\n"})
    plan = branches.plan(names=["c", "d"])
    assert merged(plan) == ["d"]
    assert held(plan) == {
        "b": f"it builds on a, which is {state}, not approved",
        "c": "it builds on b, which waits",
    }


def test_what_builds_on_a_skipped_task_says_so(branches: Branches) -> None:
    """The reason names the task that was left out."""
    branches.task("below", {"below.txt": "x\n"})
    branches.task("above", {"above.txt": "x\n"}, after="below")
    assert held(branches.plan("below")) == {"above": "it builds on below, which is left out"}


def test_a_conflict_is_a_value_with_stages_and_hunks(branches: Branches) -> None:
    """Both sides of each place, with our line number; markers in the files themselves are text."""
    odd = "<<<<<<< mine\na\n=======\nb\n>>>>>>> yours\n"
    branches.task("first", {"doc.txt": odd + "one\n" + "same\n" * 9 + "1\n"})
    branches.task("second", {"doc.txt": odd + "two\n2\n" + "same\n" * 9 + "3\n"})
    (clash,) = branches.plan().conflicts
    assert clash.conflict is not None
    assert [(stage.path, stage.number) for stage in clash.conflict.stages] == [("doc.txt", 2), ("doc.txt", 3)]
    found = hunks.find_hunks(branches.replayer, clash.conflict)
    assert [(one.path, one.line, one.ours, one.theirs) for one in found] == [
        ("doc.txt", 6, ("one",), ("two", "2")),
        ("doc.txt", 16, ("1",), ("3",)),
    ]


def test_a_file_without_marks_has_no_hunks(branches: Branches) -> None:
    """One side deleted what the other changed: the stages tell, and nothing is made up."""
    branches.task("gone", {"README.md": None})
    branches.task("changed", {"README.md": "# Other\n"})
    (clash,) = branches.plan().conflicts
    assert clash.conflict is not None
    assert [stage.number for stage in clash.conflict.stages] == [1, 3]
    assert hunks.find_hunks(branches.replayer, clash.conflict) == ()


# publication


def test_branch_and_notes_move_together_or_not_at_all(branches: Branches) -> None:
    """Notes of the old commits are on the new ones, with where they came from; a branch that moved stops all of it."""
    branches.task("zero", {"zero.txt": "x\n"}, priority=Priority.HIGH)
    one = branches.task("one", {"one.txt": "x\n"})
    assert one.tip is not None
    foreign = [note_line(kind="blessed", by="una"), note_line(kind="attempt", task="one", later=["field"])]
    note_store.append(branches.repo, {one.tip: foreign}, "test")
    plan = branches.plan()
    moves = merge.ref_updates(branches.repo, plan, "orch/integration")
    branches.repo.update_refs(moves, "merge")
    lines = note_store.read(branches.repo, plan.tip)
    assert lines[:2] == foreign, "what this version does not know is carried as it is"
    assert isinstance(lines[2].note, MergedNote)
    assert lines[2].note.commit == one.tip
    assert not [ref for ref in branches.repo.refs() if "building" in ref]

    before = branches.repo.refs()
    # expects no integration branch, and there is one
    again = merge.ref_updates(branches.repo, plan, "orch/integration")
    with pytest.raises(RefsMoved):
        branches.repo.update_refs(again, "merge")
    after = branches.repo.refs()
    scratch = [move.ref for move in again if move.new is None]
    assert {ref: oid for ref, oid in after.items() if ref not in scratch} == before


def test_the_users_checkout_is_not_looked_at(branches: Branches, tmp_path: Path) -> None:
    """Uncommitted edits in the files that are merged neither stop a merge nor get into it."""
    branches.task("one", {"one.txt": "x\n"})
    (branches.top / "one.txt").write_text("my own\n")
    plan = branches.plan()
    branches.repo.update_refs([RefUpdate(branch_ref("orch/integration"), plan.tip, None)], "merge")
    assert (branches.top / "one.txt").read_text() == "my own\n"
    assert branches.git("show", "orch/integration:one.txt") == "x"
