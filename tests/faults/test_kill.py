"""kill -9 is a normal way to stop: whatever dies, the next command finds a true state and goes on from it.

`GITORCH_KILLS=300 pytest tests/faults/test_kill.py -k random` is the long soak; `GITORCH_SEED` repeats a run.
"""

from __future__ import annotations

import fcntl
import functools
import os
import random
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gitorch import services
from gitorch.errors import Incomplete
from gitorch.flow import attempt, merge
from gitorch.git.collecting.collect import Collected, CollectResult, collect
from gitorch.git.notes import note_store
from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees, worktree_status
from gitorch.model.naming import branch_ref
from gitorch.model.note import AttemptNote, MergedNote
from gitorch.model.outcome import ExitReason
from gitorch.model.task import State, Task, change
from gitorch.replay import MemoryReplayer
from gitorch.storage.operations import TaskChange, difference
from tests.faults.killing import killed, killed_at, put_back
from tests.faults.night import SECONDS, Night, await_act
from tests.support.git import git
from tests.support.scale import scaled

KILLS = int(os.environ.get("GITORCH_KILLS") or 30)
SEED = int(os.environ.get("GITORCH_SEED") or random.randrange(1_000_000))
NIGHT_SECONDS = 1.1


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that GITORCH_SEED makes again."""
    print(f"GITORCH_SEED={SEED}", flush=True)
    return random.Random(f"{SEED} {request.node.name}")


def test_every_task_finishes_once_whatever_the_random_moments_at_which_the_orchestrator_is_killed(
    tmp_path: Path, chance: random.Random
) -> None:
    """After each kill the next run goes on; in the end every task is done once, nothing is lost, nothing is left."""
    left, nights = KILLS, 0
    while left:
        nights += 1
        night = Night(tmp_path / str(nights), chance.randint(10, 16), chance)
        while left and night.survives(chance.uniform(0.01, NIGHT_SECONDS), with_git=chance.random() < 0.5):
            left -= 1
        night.finish()
        night.verify()
        shutil.rmtree(night.folder)
    print(f"{KILLS} kills in {nights} nights")


def test_a_task_whose_supervisor_is_killed_is_done_again_once(tmp_path: Path, chance: random.Random) -> None:
    """The attempt counts as lost, never as done; what it had committed is kept, and no process of it is left."""
    night = Night(tmp_path / "night", 1, chance, kinds=("two",))
    night.hold()
    run = night.start()
    _, execution = await_act(night, "agent-half")
    night.let_go()
    night.kill_supervisor(execution)
    assert run.wait(SECONDS) == 0, night.told()
    night.verify(lost=1)
    (task,) = night.tasks().values()
    assert task.attempts == 2
    noted = (line.note for lines in note_store.read_all(night.repository).values() for line in lines)
    ends = {note.number: note.exit_reason for note in noted if isinstance(note, AttemptNote)}
    assert ends == {1: ExitReason.LOST, 2: ExitReason.COMPLETED}


def test_a_task_whose_supervisors_keep_dying_fails(tmp_path: Path, chance: random.Random) -> None:
    """A second loss is not tried again: the task fails and says why."""
    night = Night(tmp_path / "night", 1, chance, kinds=("two",))
    night.hold()
    run = night.start()
    for number in ("1", "2"):
        _, execution = await_act(night, "agent-start", attempt=number)
        night.kill_supervisor(execution)
    assert run.wait(SECONDS) == Incomplete.exit, night.told()
    (task,) = night.tasks().values()
    assert (task.state, task.attempts) == (State.FAILED, 2)
    assert "supervisor was killed" in task.reason
    assert night.processes() == []


def test_a_worktree_that_was_cut_short_is_made_again(tmp_path: Path, chance: random.Random) -> None:
    """Wherever `git worktree add` and its check-out are killed, the next run makes the worktree anew."""
    night = Night(tmp_path / "night", scaled(12), chance, chained=False)
    library = night.open()
    context = services.agents.run_context(library)
    main = library.repository.resolve("main")
    assert main is not None
    cut = 0
    for task in list(library.tasks.values()):
        started = attempt.start(context, task, main)
        library.store.save([started])
        path = Path(started.worktree)
        library.repository.git("branch", started.branch, "main")

        def add(path: Path = path, branch: str = started.branch) -> None:
            linked_worktrees.add(night.repository, path, branch, "cut short")

        cut += killed(add, chance.uniform(0.005, 0.04))
    night.finish()
    night.verify()
    print(f"{cut} of {len(library.tasks)} were cut short")


@pytest.mark.parametrize("with_git", [False, True])
def test_what_an_agent_left_is_committed_whole_and_once(
    repo: Repository, tmp_path: Path, chance: random.Random, with_git: bool
) -> None:
    """Killed while it commits what an agent left, with its git or without, gitorch commits it once, with all words."""
    base = repo.resolve("HEAD")
    assert base is not None
    words, cut = "Add what was left\n\nTask: t\n", 0
    for number in range(scaled(8)):
        branch = f"orch/t{number}"
        repo.git("branch", branch, base)
        worktree = linked_worktrees.add(repo, tmp_path / "trees" / f"t{number}", branch, "test", new=True)
        (worktree.path / "left.txt").write_text("left\n")
        waiting = (repo, worktree, tmp_path / "lock")
        collected = functools.partial(_collected, *waiting, branch=branch_ref(branch), base=base, message=words)
        if number % 2:
            killed(collected, chance.uniform(0, 0.05), with_git=with_git)
        else:
            cut += killed_at(collected, chance.randint(1, 6), with_git=with_git)
        home = collected()
        assert isinstance(home, Collected)
        assert home.commits == 1
        assert git("log", "-1", "--format=%B", branch, cwd=worktree.path) == words.strip()
        assert worktree_status.uncommitted(repo, worktree) == worktree_status.Uncommitted((), ())
    assert cut


def _collected(repository: Repository, worktree: linked_worktrees.Worktree, lock: Path, **what: Any) -> CollectResult:
    """Collect as a run does, which waits for what the one before it left."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with repository.inherit_lock(file):
            return collect(repository, worktree, **what)


class Morning:
    """Approved tasks, and the repository as it was before they were merged."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.night = Night(folder / "night", 4, chance, chained=False)
        self.night.finish()
        library = self.night.open()
        services.reviewing.review.approve(library, list(library.tasks.values()), "una")
        # its commits are part of what was there before
        self.replayer = MemoryReplayer(library.repository)
        self.plan = services.merging.merge.plan_merge(library, self.replayer, None)
        self.replayer.keep(self.plan.tip)
        self.before = folder / "before"
        self.git_dir = self.night.path / ".git"
        shutil.copytree(self.git_dir, self.before, symlinks=True)

    def reset(self) -> None:
        """Put everything back as it was before the merge."""
        put_back(self.git_dir, self.before)

    def merge(self) -> None:
        """Merge all that is approved."""
        library = self.night.open()
        with MemoryReplayer(library.repository) as replayer:
            services.merging.merge.publish(
                library, replayer, services.merging.merge.plan_merge(library, replayer, None)
            )

    def merged(self) -> bool:
        """Return whether the merge has happened for the next command; refs, notes and task states must agree."""
        library = self.night.open()
        states = {task.state for task in library.tasks.values()}
        tip = services.branches.own_branches.integration_tip(library)
        noted = (line.note for lines in note_store.read_all(library.repository).values() for line in lines)
        lines = Counter(note.task for note in noted if isinstance(note, MergedNote))
        if states == {State.APPROVED}:
            assert (tip, lines) == (None, {})
            return False
        assert states == {State.MERGED}
        assert lines == {task.id: _commits(self.night, task) for task in library.tasks.values()}
        assert {task.merged_as for task in library.tasks.values()} <= set(_history(self.night, str(tip)))
        assert library.tasks[max(library.tasks, key=lambda name: library.tasks[name].number)].merged_as == tip
        return True


def _changes(plan: merge.MergePlan) -> list[TaskChange]:
    merged = ((step.task, change(step.task, state=State.MERGED, merged_as=step.replayed.tip)) for step in plan.steps)
    return [difference(old, new) for old, new in merged]


def _commits(night: Night, task: Task) -> int:
    return int(git("rev-list", "--count", f"{task.base}..{task.tip}", cwd=night.path))


def _history(night: Night, tip: str) -> list[str]:
    return git("rev-list", tip, cwd=night.path).split("\n")


def test_a_merge_that_is_killed_at_any_step_happened_or_did_not(tmp_path: Path, chance: random.Random) -> None:
    """Killed before each of its steps outwards in turn, a merge is all there for the next command, or not at all."""
    morning = Morning(tmp_path, chance)
    library = morning.night.open()
    outcomes, step = Counter[bool](), 1
    while killed_at(lambda: services.merging.merge.publish(library, morning.replayer, morning.plan), step):
        outcomes[morning.merged()] += 1
        morning.reset()
        step += 1
    assert morning.merged()
    print(f"{outcomes[False]} times nothing had moved, {outcomes[True]} times it was finished")
    assert outcomes[True], "the steps after the move were not met"
    assert outcomes[False], "the steps before the move were not met"
    morning.night.verify()


def test_a_merge_that_is_killed_with_its_git_happened_or_did_not(tmp_path: Path, chance: random.Random) -> None:
    """The same at random moments, where git itself dies in the middle of what it does; a second merge completes it."""
    morning = Morning(tmp_path, chance)
    begun = time.perf_counter()
    morning.merge()
    seconds = time.perf_counter() - begun
    for _ in range(scaled(8)):
        morning.reset()
        killed(morning.merge, chance.uniform(0.2, 1.1) * seconds)
        if not morning.merged():
            morning.merge()
            assert morning.merged()
    morning.night.verify()


@pytest.mark.parametrize("moved", [0, 1])
def test_a_move_that_git_made_in_part_is_made_whole(tmp_path: Path, chance: random.Random, moved: int) -> None:
    """Git's transactions are not atomic against a crash: whichever ref moved alone, the other follows."""
    morning = Morning(tmp_path, chance)
    library = morning.night.open()
    with MemoryReplayer(library.repository) as replayer:
        plan = services.merging.merge.plan_merge(library, replayer, None)
        replayer.keep(plan.tip)
    moves = merge.ref_updates(library.repository, plan, library.config.integration)
    library.operations.open("merge", moves, _changes(plan))
    assert len(moves) == 2
    library.repository.update_refs([moves[moved]], "a part of it")
    assert morning.merged()
    morning.night.verify()


def test_what_others_changed_since_a_crash_is_left_to_them(tmp_path: Path, chance: random.Random) -> None:
    """An operation that is finished late moves no ref and no task that somebody has moved meanwhile."""
    morning = Morning(tmp_path, chance)
    library = morning.night.open()
    with MemoryReplayer(library.repository) as replayer:
        plan = services.merging.merge.plan_merge(library, replayer, None)
        replayer.keep(plan.tip)
    moves = merge.ref_updates(library.repository, plan, library.config.integration)
    operation = library.operations.open("merge", moves, _changes(plan))
    library.repository.update_refs(moves, "all of it")
    sent_back = plan.steps[0].task
    library.store.save([change(sent_back, state=State.QUEUED)])
    elsewhere = git("commit-tree", f"{plan.tip}^{{tree}}", "-p", plan.tip, "-m", "by hand", cwd=morning.night.path)
    git("update-ref", moves[0].ref, elsewhere, cwd=morning.night.path)
    after = morning.night.open()
    assert services.branches.own_branches.integration_tip(after) == elsewhere
    assert after.tasks[sent_back.id].state is State.QUEUED
    assert {task.state for task in after.tasks.values()} == {State.QUEUED, State.MERGED}
    assert operation not in after.operations.unfinished()
