"""kill -9 during `merge`, `undo` and `redo`: the state before or the state after, whole; and the next command goes on.

`GITORCH_KILLS=200 pytest tests/faults/test_kill_undo.py -k random` is the long soak; `GITORCH_SEED` repeats a run.
"""

from __future__ import annotations

import fcntl
import functools
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitorch import services
from gitorch.git.notes import note_store
from gitorch.git.repository import RefsMoved
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.note import MergedNote
from gitorch.model.refs import RefUpdate
from gitorch.model.task import Comment, State
from gitorch.services.open import open_workspace
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import OperationLog
from tests.faults.killing import killed, killed_at, work_and_exit
from tests.faults.test_kill import SEED
from tests.support.days import WHO, adopt, approve, branch, finish_by_hand, finished, merge, whole
from tests.support.git import git
from tests.support.notes import note_line

KILLS = int(os.environ.get("GITORCH_KILLS") or 60)

Act = Callable[[Workspace], object]


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that GITORCH_SEED makes again."""
    print(f"GITORCH_SEED={SEED}", flush=True)
    return random.Random(f"{SEED} {request.node.name}")


class Day:
    """A repository at one point, to which it can be put back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git_dir = folder / ".git"
        self.kept = folder.parent / "kept"
        shutil.copytree(self.git_dir, self.kept, symlinks=True)

    def reset(self) -> None:
        """Put everything back as it was."""
        shutil.rmtree(self.git_dir)
        shutil.copytree(self.kept, self.git_dir, symlinks=True)

    def open(self) -> Workspace:
        """Return the library as the next command sees it, once what a killed one had started has ended."""
        for name in ("operations.lock", "notes.lock"):
            with (self.git_dir / "gitorch" / name).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
        return open_workspace(self.folder)

    def now(self) -> dict[str, Any]:
        """Return what the next command sees; nothing may be left half done."""
        self.open()
        assert OperationLog(self.git_dir / "gitorch/operations.jsonl").unfinished() == []
        return whole(self.folder)


def approved(folder: Path) -> Workspace:
    """Three approved tasks on an integration branch that holds a fourth, so that each gets new commits and notes."""
    library = finished(folder, "zero", "one", "two")
    branch(folder, "work/top", "top.txt", "more.txt", base="work/two")
    adopt(library, "work/top")
    approve(library, "zero")
    merge(library)
    approve(library, "one", "two", "top")
    return library


def noted_since(folder: Path) -> Workspace:
    """An approval, and a note that a run wrote since: undo has to take its own lines out."""
    library = finished(folder, "one", "two")
    approve(library, "one", "two")
    tip = services.lookup.find_task(library, "one").tip
    assert tip is not None
    note_store.append(library.repository, {tip: [note_line(kind="attempt", task="other")]}, "by a run")
    return library


def cleaned(folder: Path) -> Workspace:
    """A merged and a rejected task that were cleaned up, with what one of them printed."""
    library = finished(folder, "one", "two")
    git("update-ref", "refs/remotes/up/far", branch(folder, "work/far", "far.txt"), cwd=folder)
    adopt(library, "up/far")
    printed = folder / ".git/gitorch/attempts/one/1"
    printed.mkdir(parents=True)
    approve(library, "far")
    merge(library)
    services.reviewing.review.reject(library, services.lookup.find_task(library, "one"), WHO)
    list(services.maintenance.cleanup(library, services.maintenance.removable(library)))
    return library


def undone(folder: Path) -> Workspace:
    """A merge that was taken back."""
    library = approved(folder)
    merge(library)
    services.undo.undo(library)
    return library


def merged(folder: Path) -> Workspace:
    """A merge."""
    library = approved(folder)
    merge(library)
    return library


CASES: dict[str, tuple[Callable[[Path], Workspace], Act]] = {
    "undo of a merge": (merged, services.undo.undo),
    "redo of a merge": (undone, services.undo.redo),
    "undo beside other notes": (noted_since, services.undo.undo),
    "undo of a clean-up": (cleaned, services.undo.undo),
    "approve": (lambda folder: finished(folder, "one", "two"), lambda library: approve(library, "one", "two")),
}
SAME_EACH_TIME = {"undo of a merge", "redo of a merge", "undo of a clean-up"}


@pytest.mark.parametrize("case", CASES)
def test_killed_at_any_step_it_happened_or_it_did_not(repository_folder: Path, case: str) -> None:
    """Killed before each of its steps outwards in turn, an operation is there whole for the next command, or not."""
    prepare, act = CASES[case]
    prepare(repository_folder)
    day = Day(repository_folder)
    before = whole(repository_folder)
    act(day.open())
    after = whole(repository_folder)
    day.reset()
    outcomes, step = Counter[str](), 1
    while killed_at(lambda: act(open_workspace(repository_folder)), step):
        found = day.now()
        outcomes["nothing had moved" if found == before else "it was finished"] += 1
        if found == before and step % 4 == 0:
            act(day.open())
            found = whole(repository_folder)
        if case in SAME_EACH_TIME:
            assert found in (before, after)
        assert found == before or _states(found) == _states(after)
        day.reset()
        step += 1
    print(case, dict(outcomes))
    assert set(outcomes) == {"nothing had moved", "it was finished"}


def _states(found: dict[str, Any]) -> tuple[object, ...]:
    """Return what is the same whenever a command is done: its own notes and commits carry the time."""
    tasks = {name: (task.state, task.merged_as is None, task.comments) for name, task in found["tasks"].items()}
    return tasks, [line.split()[0] for line in found["refs"]], [note.count("\n") for note in found["notes"]]


@pytest.mark.slow
def test_killed_at_random_moments_with_its_git(repository_folder: Path, chance: random.Random) -> None:
    """Merge and undo in turn, killed at random with or without their git: before or after, whole, and it goes on."""
    approved(repository_folder)
    day = Day(repository_folder)
    took = {
        "merge": ran(functools.partial(_do, merge, day)),
        "undo": ran(functools.partial(_do, services.undo.undo, day)),
    }
    day.reset()
    outcomes = Counter[tuple[str, bool]]()
    for number in range(KILLS):
        is_merged = services.lookup.find_task(day.open(), "one").state is State.MERGED
        name, act = ("undo", services.undo.undo) if is_merged else ("merge", merge)
        killed(functools.partial(_do, act, day), chance.uniform(0, 1.4) * took[name], with_git=chance.random() < 0.7)
        found = day.now()
        states = {task.state for task in found["tasks"].values()}
        assert states in ({State.MERGED, State.APPROVED}, {State.MERGED}), number
        tip = services.branches.own_branches.integration_tip(day.open())
        assert tip is not None
        last = services.lookup.find_task(day.open(), "top")
        assert (last.merged_as == tip) is (states == {State.MERGED})
        noted = (line.note for lines in note_store.read_all(day.open().repository).values() for line in lines)
        lines = Counter(note.task for note in noted if isinstance(note, MergedNote))
        assert lines == ({"zero": 1, "one": 1, "two": 1, "top": 2} if states == {State.MERGED} else {"zero": 1})
        outcomes[name, (states == {State.MERGED}) is (name == "merge")] += 1
    print({f"{name}: {'happened' if done else 'did not'}": count for (name, done), count in outcomes.items()})
    for task in day.open().tasks.values():
        assert git("rev-parse", task.branch, cwd=repository_folder) == task.tip
    git("fsck", "--full", "--strict", "--no-dangling", cwd=repository_folder)


def ran(work: Callable[[], object]) -> float:
    """Return how many seconds some work takes in a child of its own, as those have that are killed."""
    began = time.perf_counter()
    child = os.fork()
    if not child:
        work_and_exit(work)
    os.waitpid(child, 0)
    return time.perf_counter() - began


def _do(act: Act, day: Day) -> None:
    act(day.open())


@pytest.mark.parametrize("moved", [0, 1])
def test_an_undo_that_git_made_in_part_is_made_whole(repository_folder: Path, moved: int) -> None:
    """Git's transactions are not atomic against a crash: whichever ref moved alone, the others follow."""
    library = merged(repository_folder)
    day = Day(repository_folder)
    services.undo.undo(library)
    after = whole(repository_folder)
    made = next(library.operations.completed())
    day.reset()
    library = day.open()
    opened = library.operations.open(made.kind, made.refs, made.changes, summary=made.summary, reverts=made)
    update = opened.refs[moved]
    library.repository.update_refs([update], "a part of it")
    assert day.now() == after


def test_an_undo_whose_task_a_run_took_meanwhile_is_given_up_whole(repository_folder: Path) -> None:
    """Between a crash and the next command a run may take a task: then what had moved goes back."""
    library = finished(repository_folder, "one")
    services.reviewing.review.revise(library, services.lookup.find_task(library, "one"), WHO, [Comment(text="again")])
    day = Day(repository_folder)
    services.undo.undo(library)
    made = next(library.operations.completed())
    day.reset()
    before = whole(repository_folder)
    library = day.open()
    opened = library.operations.open(made.kind, made.refs, made.changes, summary=made.summary, reverts=made)
    library.repository.update_refs(opened.refs, "all of it")
    running = finish_by_hand(library, "one")
    assert day.now() == before | {"tasks": {"one": running}}


def test_a_ref_that_moves_at_the_last_moment_refuses_the_whole(repository_folder: Path) -> None:
    """What somebody moved after it was looked at is not moved: nothing is, and the log says so."""
    library = approved(repository_folder)
    task = services.lookup.find_task(library, "one")
    merged = msgspec.structs.replace(task, state=State.MERGED)
    main = Oid(git("rev-parse", "main", cwd=repository_folder))
    before = whole(repository_folder)
    wrong = RefUpdate(branch_ref(library.config.integration), task.tip, main)
    right = RefUpdate(branch_ref("orch/new"), task.tip, None)
    with services.recovery.operations.operation_lock(library), pytest.raises(RefsMoved):
        services.changes.operate(library, "merge", [(task, merged)], [right, wrong], summary="merge")
    assert whole(repository_folder) == before
    assert library.operations.is_settled()
    assert next(library.operations.undoable()).kind == "approve"
