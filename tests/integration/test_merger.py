"""The merger: order, conflicts, checks on the exact tree, and publication in one step."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gitorch.flow import merger
from gitorch.flow.merger import Plan
from gitorch.git import notes
from gitorch.git.replay import Replayer
from gitorch.git.repository import RefMove, RefsMoved, Repository
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.task import CheckResult, Priority, State, Task


class Branches:
    """Makes tasks with one commit each, in plain git."""

    def __init__(self, repo: Repository) -> None:
        assert repo.work_tree is not None
        self.repo = repo
        self.replayer = Replayer(repo)
        self.top = repo.work_tree
        self.main = self.at("HEAD")
        self.tasks: dict[TaskId, Task] = {}

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.top, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def at(self, name: str) -> Oid:
        return Oid(self.git("rev-parse", name))

    def task(self, name: str, files: dict[str, str], *, after: str = "", **fields: object) -> Task:
        """Add an approved task whose branch changes these files, on main or on the branch it waits for."""
        base = self.tasks[TaskId(after)].tip if after else self.main
        assert base is not None
        self.git("checkout", "-q", "-B", f"orch/{name}", base)
        for path, text in files.items():
            (self.top / path).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"work of {name}")
        tip = self.at("HEAD")
        self.git("checkout", "-q", "main")
        number = len(self.tasks) + 1
        one = Task(
            id=TaskId(name),
            number=number,
            title=name,
            prompt=name,
            after=(TaskId(after),) if after else (),
            state=State.APPROVED,
            branch=f"orch/{name}",
            base=base,
            tip=tip,
            **fields,  # type: ignore[arg-type]
        )
        self.tasks[one.id] = one
        return one

    def plan(self, *skip: str) -> Plan:
        chosen = merger.choose(self.tasks, None, [TaskId(name) for name in skip])
        made = merger.plan(self.replayer, self.tasks, chosen, None, self.main)
        self.replayer.keep(made.tip)
        return made

    def verified(self, plan: Plan, red: Callable[[set[str]], bool], verify: str) -> tuple[Plan, list[set[str]]]:
        """Verify with a check that judges by the names of the files in the tree; return what was looked at too."""
        seen: list[set[str]] = []

        def check(
            commit: Oid, *, again: bool = False, saying: Callable[[str], None] = lambda _: None
        ) -> tuple[CheckResult, ...]:
            saying("test")
            names = set(self.git("ls-tree", "-r", "--name-only", commit).split())
            seen.append(names)
            tree = Oid(self.git("rev-parse", f"{commit}^{{tree}}"))
            return (CheckResult(name="test", command="x", tree=tree, exit_code=1 if red(names) else 0),)

        steps = merger.verified(self.replayer, self.tasks, plan, check, verify)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: Plan = end.value
                return found, seen


@pytest.fixture
def branches(repo: Repository) -> Branches:
    return Branches(repo)


def merged(plan: Plan) -> list[str]:
    return [step.task.id for step in plan.steps]


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
    assert [(one.task.id, one.paths, one.partners) for one in plan.clashes] == [("second", ("same.txt",), ("first",))]
    assert [(one.task.id, one.reason) for one in plan.held] == [("third", "it builds on second, which conflicts")]
    assert branches.repo.refs() == before


def test_what_is_left_out_is_not_merged_through_the_back_door(branches: Branches) -> None:
    """Skipping a task holds what builds on it."""
    branches.task("below", {"below.txt": "x\n"})
    branches.task("above", {"above.txt": "x\n"}, after="below")
    plan = branches.plan("below")
    assert merged(plan) == []
    assert [one.task.id for one in plan.held] == ["above"]


def test_a_branch_that_moved_since_is_held(branches: Branches) -> None:
    """What was approved is merged, and nothing that came after."""
    one = branches.task("one", {"one.txt": "x\n"})
    branches.git("update-ref", branch_ref(one.branch), branches.main)
    plan = branches.plan()
    assert merged(plan) == []
    assert "moved" in plan.held[0].reason


def test_a_green_union_is_checked_once(branches: Branches) -> None:
    """`batch` asks for the union's tree, and for no other when it is green."""
    for name in ("a", "b", "c"):
        branches.task(name, {f"{name}.txt": "x\n"})
    plan, seen = branches.verified(branches.plan(), lambda _: False, "batch")
    assert merged(plan) == ["a", "b", "c"]
    assert len(seen) == 1
    assert {"a.txt", "b.txt", "c.txt"} <= seen[0]
    assert plan.results[0].tree == branches.repo.tree(plan.tip)


def test_who_turns_the_union_red_is_named_and_the_rest_goes_in(branches: Branches) -> None:
    """Two tasks that are green alone and red together: the second is named, what builds on it is held."""
    for name in ("a", "b", "c"):
        branches.task(name, {f"{name}.txt": "x\n"})
    branches.task("d", {"d.txt": "x\n"}, after="b")
    branches.task("e", {"e.txt": "x\n"}, after="a")
    plan, _ = branches.verified(branches.plan(), lambda names: {"a.txt", "b.txt"} <= names, "batch")
    assert merged(plan) == ["a", "c", "e"]
    assert [(one.task.id, one.check) for one in plan.failures] == [("b", "test")]
    assert [one.task.id for one in plan.held] == ["d"]
    assert plan.results[0].tree == branches.repo.tree(plan.tip)


def test_no_task_is_blamed_for_a_red_base(branches: Branches) -> None:
    """When the base fails its checks already, that is what is said."""
    branches.task("a", {"a.txt": "x\n"})
    plan, _ = branches.verified(branches.plan(), lambda _: True, "batch")
    assert merged(plan) == []
    assert plan.failures == ()
    assert plan.red_base == "test"


def test_end_takes_the_union_or_leaves_it(branches: Branches) -> None:
    """`end` looks for no culprit."""
    for name in ("a", "b"):
        branches.task(name, {f"{name}.txt": "x\n"})
    plan, seen = branches.verified(branches.plan(), lambda names: {"a.txt", "b.txt"} <= names, "end")
    assert merged(plan) == []
    assert plan.failures == ()
    assert [("a.txt" in names, "b.txt" in names) for names in seen] == [(True, True), (False, False), (True, True)]


def test_each_checks_every_step_and_never_checks_none(branches: Branches) -> None:
    """The two ends of the scale."""
    for name in ("a", "b"):
        branches.task(name, {f"{name}.txt": "x\n"})
    _, every = branches.verified(branches.plan(), lambda _: False, "each")
    _, none = branches.verified(branches.plan(), lambda _: False, "never")
    assert [("a.txt" in names, "b.txt" in names) for names in every] == [(True, False), (True, True)]
    assert none == []


def test_branch_and_notes_move_together_or_not_at_all(branches: Branches) -> None:
    """Notes of the old commits are on the new ones, with where they came from; a branch that moved stops all of it."""
    branches.task("zero", {"zero.txt": "x\n"}, priority=Priority.HIGH)
    one = branches.task("one", {"one.txt": "x\n"})
    assert one.tip is not None
    notes.append(branches.repo, {one.tip: [{"kind": "attempt", "task": "one"}]}, "test")
    plan = branches.plan()
    moves = merger.moves(branches.repo, plan, "orch/integration")
    branches.repo.move(moves, "merge")
    lines = notes.read(branches.repo, plan.tip)
    assert [line["kind"] for line in lines] == ["attempt", "merged"]
    assert lines[1]["commit"] == one.tip
    assert not [ref for ref in branches.repo.refs() if "building" in ref]

    before = branches.repo.refs()
    again = merger.moves(branches.repo, plan, "orch/integration")  # expects no integration branch, and there is one
    with pytest.raises(RefsMoved):
        branches.repo.move(again, "merge")
    after = branches.repo.refs()
    scratch = [move.ref for move in again if move.new is None]
    assert {ref: oid for ref, oid in after.items() if ref not in scratch} == before


def test_the_users_checkout_is_not_looked_at(branches: Branches, tmp_path: Path) -> None:
    """Uncommitted edits in the files that are merged neither stop a merge nor get into it."""
    branches.task("one", {"one.txt": "x\n"})
    (branches.top / "one.txt").write_text("my own\n")
    plan = branches.plan()
    branches.repo.move([RefMove(branch_ref("orch/integration"), plan.tip, None)], "merge")
    assert (branches.top / "one.txt").read_text() == "my own\n"
    assert branches.git("show", "orch/integration:one.txt") == "x"
