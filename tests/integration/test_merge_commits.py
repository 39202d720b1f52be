"""Merge commits inside a branch: a clean one is left out, what a person did in one is published as it was reviewed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitorch.flow import merge
from gitorch.flow.merge import MergePlan, merge_replayer
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import MemoryReplayer
from tests.support.branches import Branches, merged
from tests.support.git import git

TEXT = "".join(f"line {number}\n" for number in range(1, 21))


class MergedBranches(Branches):
    """Branches into which a person merged another branch."""

    def write(self, files: dict[str, str | None]) -> None:
        for name, content in files.items():
            if content is None:
                (self.top / name).unlink()
            else:
                (self.top / name).write_text(content)
        self.git("add", "--all")

    def commit(self, subject: str, files: dict[str, str | None]) -> Oid:
        self.write(files)
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        return self.at("HEAD")

    def start(self, branch: str, at: str) -> None:
        self.git("checkout", "--quiet", "-B", branch, at)

    def merge(self, *others: str, files: dict[str, str | None] | None = None, options: tuple[str, ...] = ()) -> Oid:
        git("merge", "--quiet", "--no-commit", "--no-ff", *options, *others, cwd=self.top, ok=(0, 1))
        self.write(files or {})
        self.git("commit", "--quiet", "--allow-empty", "-m", f"Merge {' '.join(others)}")
        return self.at("HEAD")

    def adopt(self, name: str, base: Oid) -> None:
        self._approved(name, base, self.at(f"orch/{name}"))
        self.git("checkout", "--quiet", "--detach", "main")

    def plan_all(self, onto: str = "main") -> MergePlan:
        self.main = self.at(onto)
        plan = self.plan()
        assert merge.faults(self.repo, self.tasks, plan) == []
        return plan

    def show(self, commit: str, path: str) -> str:
        return self.git("show", f"{commit}:{path}") + "\n"


@pytest.fixture
def branches(repo: Repository) -> Iterator[MergedBranches]:
    with MemoryReplayer(repo) as engine:
        made = MergedBranches(repo, merge_replayer(engine))
        made.main = made.commit("text", {"text": TEXT})
        yield made


def main_moves(branches: MergedBranches, files: dict[str, str | None]) -> None:
    branches.git("checkout", "--quiet", "main")
    branches.commit("main moves", files)


def test_a_clean_merge_is_left_out(branches: MergedBranches) -> None:
    """The result is that of `git rebase`, to the commit."""
    base = branches.main
    branches.start("orch/one", base)
    branches.commit("one", {"one": "1\n"})
    main_moves(branches, {"two": "2\n"})
    branches.start("orch/one", "orch/one")
    branches.merge("main")
    branches.commit("more", {"more": "1\n"})
    branches.adopt("one", base)
    plan = branches.plan_all()
    assert [branches.git("log", "-1", "--format=%s", old) for old, _ in plan.steps[0].replayed.pairs] == ["one", "more"]
    assert branches.git("rev-parse", f"{plan.tip}^{{tree}}") == branches.git("rev-parse", "orch/one^{tree}")


@pytest.mark.parametrize("onto", ["main", "moved"])
@pytest.mark.parametrize(
    ("files", "options"),
    [
        ({"one": "edited in the merge\n"}, ()),
        ({"added": "in the merge\n"}, ()),
        ({"text": None}, ()),
        ({}, ("--strategy=ours",)),
    ],
    ids=["edited", "added", "deleted", "ours"],
)
def test_what_a_merge_adds_is_published(
    branches: MergedBranches, files: dict[str, str | None], options: tuple[str, ...], onto: str
) -> None:
    """A change that only the merge commit has becomes a commit of its own, also if main has moved on since."""
    base = branches.main
    branches.start("orch/one", base)
    branches.commit("one", {"one": "1\n"})
    main_moves(branches, {"two": "2\n"})
    branches.start("orch/one", "orch/one")
    branches.merge("main", files=files, options=options)
    branches.commit("more", {"more": "1\n"})
    branches.adopt("one", base)
    branches.start("moved", "main")
    branches.commit("moved on", {"three": "3\n"})
    branches.git("checkout", "--quiet", "main")
    plan = branches.plan_all(onto)
    reviewed = set(branches.git("ls-tree", "-r", "orch/one").split("\n"))
    moved_on = set(branches.git("ls-tree", "-r", onto, "--", "three").split("\n")) - {""}
    assert set(branches.git("ls-tree", "-r", plan.tip).split("\n")) == reviewed | moved_on
    subjects = branches.git("log", "--format=%s", "--reverse", f"{onto}..{plan.tip}").split("\n")
    assert subjects == ["one", "more", "Merge main"]


@pytest.mark.parametrize("moved", [False, True])
def test_what_a_clean_merge_brings_back_is_published(branches: MergedBranches, moved: bool) -> None:
    """One line removes a file of the base, the other one has added it too: as a line of commits, it would be gone."""
    start = branches.at("main")
    main_moves(branches, {"note": "n\n"})
    base = branches.at("main")
    branches.start("side", base)
    branches.commit("Remove the note", {"note": None})
    branches.start("orch/a", start)
    branches.commit("The same note", {"note": "n\n"})
    branches.merge("side")
    reviewed = branches.commit("More", {"more": "m\n"})
    assert branches.show(reviewed, "note") == "n\n"
    branches.adopt("a", base)
    if moved:
        main_moves(branches, {"else": "e\n"})
    plan = branches.plan_all()
    tip = plan.steps[-1].replayed.tip
    assert branches.show(tip, "note") == "n\n"
    assert branches.show(tip, "more") == "m\n"
    if not moved:
        assert branches.git("rev-parse", f"{tip}^{{tree}}") == branches.git("rev-parse", f"{reviewed}^{{tree}}")


def test_a_resolution_in_a_merge_is_published_once(branches: MergedBranches) -> None:
    """A conflict that the author resolved in a merge goes in as resolved: in the commit that conflicts, if it can."""
    base = branches.main
    branches.start("orch/one", base)
    branches.commit("one", {"text": TEXT.replace("line 5\n", "five of one\n")})
    main_moves(branches, {"text": TEXT.replace("line 5\n", "five of main\n")})
    branches.start("orch/one", "orch/one")
    both = TEXT.replace("line 5\n", "five of both\n")
    branches.merge("main", files={"text": both})
    branches.adopt("one", base)
    plan = branches.plan_all()
    assert merged(plan) == ["one"]
    assert branches.show(plan.tip, "text") == both
    assert branches.git("log", "--format=%s", f"main..{plan.tip}") == "one"


@pytest.mark.parametrize("onto", ["main", "moved"])
def test_a_conflict_of_a_side_branch_that_a_merge_resolved(branches: MergedBranches, onto: str) -> None:
    """A rebase stops at the commit of the side branch, although the branch has the result: the merge is one commit."""
    base = branches.main
    branches.start("side", base)
    side = branches.commit("side", {"text": TEXT.replace("line 5\n", "line five\n")})
    branches.start("orch/one", base)
    first = branches.commit("one", {"text": TEXT.replace("line 5\n", "line V\n")})
    resolved = TEXT.replace("line 5\n", "line V, five\n")
    merge_commit = branches.merge("side", files={"text": resolved, "extra": "x\n"})
    last = branches.commit("after", {"text": resolved.replace("line 9\n", "line nine\n")})
    branches.adopt("one", base)
    main_moves(branches, {"other": "o\n"} if onto == "moved" else {})
    plan = branches.plan_all()
    assert merged(plan) == ["one"]
    assert branches.show(plan.tip, "text") == resolved.replace("line 9\n", "line nine\n")
    assert branches.show(plan.tip, "extra") == "x\n"
    assert branches.git("log", "--format=%s", f"main..{plan.tip}").split("\n") == ["after", "Merge side", "one"]
    assert {old for old, _ in plan.steps[0].replayed.pairs} == {first, side, merge_commit, last}


def test_a_side_branch_that_nobody_resolved_conflicts(branches: MergedBranches) -> None:
    """A merge that adds something else does not hide that the branch conflicts with the base."""
    base = branches.main
    branches.start("side", base)
    branches.commit("side", {"text": TEXT.replace("line 5\n", "line five\n")})
    branches.start("orch/one", base)
    branches.commit("one", {"one": "1\n"})
    branches.merge("side", files={"extra": "x\n"})
    branches.adopt("one", base)
    main_moves(branches, {"text": TEXT.replace("line 5\n", "line V\n")})
    plan = branches.plan_all()
    assert merged(plan) == []
    assert [conflict.paths for conflict in plan.conflicts] == [("text",)]


def test_a_reviewed_tree_that_conflicts_is_a_conflict(branches: MergedBranches) -> None:
    """Where the merge's own change meets another task's, neither is dropped."""
    base = branches.main
    branches.task("first", {"one": "of first\n"})
    branches.start("orch/second", base)
    branches.commit("second", {"more": "1\n"})
    main_moves(branches, {"two": "2\n"})
    branches.start("orch/second", "orch/second")
    branches.merge("main", files={"one": "of the merge\n"})
    branches.adopt("second", base)
    plan = branches.plan_all()
    assert merged(plan) == ["first"]
    assert [(conflict.task.id, conflict.paths) for conflict in plan.conflicts] == [("second", ("one",))]


def test_a_merge_of_three_is_compared_by_tree(branches: MergedBranches) -> None:
    """An octopus merge with an edit of its own loses nothing."""
    base = branches.main
    for name in ("left", "right"):
        branches.start(name, base)
        branches.commit(name, {name: f"{name}\n"})
    branches.start("orch/one", base)
    branches.commit("one", {"one": "1\n"})
    branches.merge("left", "right", files={"one": "edited in the merge\n"})
    branches.adopt("one", base)
    main_moves(branches, {"two": "2\n"})
    plan = branches.plan_all()
    assert branches.show(plan.tip, "one") == "edited in the merge\n"
    assert branches.show(plan.tip, "left") + branches.show(plan.tip, "right") == "left\nright\n"


@pytest.mark.parametrize("squash", [False, True])
def test_a_stack_keeps_what_its_own_merge_adds(branches: MergedBranches, squash: bool) -> None:
    """The branch below is not yet on the integration branch: only the stack's own part is compared."""
    base = branches.main
    branches.task("below", {"below": "1\n"})
    branches.start("side", base)
    branches.commit("side", {"side": "s\n"})
    branches.start("orch/above", "orch/below")
    branches.commit("above", {"above": "1\n"})
    branches.merge("side", files={"above": "edited in the merge\n"})
    branches.adopt("above", branches.at("orch/below"))
    main_moves(branches, {"two": "2\n"})
    tasks = branches.tasks.values()
    with MemoryReplayer(branches.repo) as engine:
        branches.replayer = merge_replayer(engine, tasks=tasks, squash=squash)
        plan = branches.plan_all()
    assert merged(plan) == ["below", "above"]
    assert branches.show(plan.tip, "above") == "edited in the merge\n"
    assert branches.show(plan.tip, "two") + branches.show(plan.tip, "below") == "2\n1\n"
