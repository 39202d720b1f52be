"""The night's candidate and the conflict forecast follow the tasks, and harm nobody who is in the way."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

import gitorch
from gitorch import services
from gitorch.flow.merge.resolution.remembered import FileResolutions, Sides
from gitorch.git.worktrees import linked_worktrees
from gitorch.model.forecasts.conflict_forecast import Candidate, CheckStatus, encoded
from gitorch.model.naming import Oid, TaskId, rescue_ref
from gitorch.model.task import Attempt, CheckResult, Phase, State, Task
from gitorch.replay import MemoryReplayer
from gitorch.services.open import open_workspace
from tests.support.cli import ROOT
from tests.support.days import merge
from tests.support.git import commit, commit_on_branch, git
from tests.support.scale import scaled
from tests.support.tasks import make_task, with_fields

CANDIDATE = "refs/heads/orch/candidate"


class Night:
    """Tasks with one commit each, in the task file of a repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = open_workspace(folder, environment={})

    def git(self, *words: str) -> str:
        return git(*words, cwd=self.folder)

    def task(self, name: str, files: dict[str, str], *, after: str = "", state: State = State.FINISHED) -> Task:
        """Add a task whose branch writes these files, on main or on the branch of the task before."""
        known = self.workspace.tasks
        base = known[TaskId(after)].tip if after else Oid(self.git("rev-parse", "main"))
        assert base
        tip = Oid(commit_on_branch(self.folder, f"orch/{name}", base, (f"work of {name}\n", files)))
        one = make_task(
            id=TaskId(name),
            number=len(known) + 1,
            title=name,
            prompt=name,
            after=(TaskId(after),) if after else (),
            branch=f"orch/{name}",
            base=base,
            tip=tip,
            state=state,
        )
        self.workspace.store.save([one])
        return one

    def now(self, name: str, **fields: object) -> None:
        """Bring a task into any state, lawful or not."""
        task = self.workspace.tasks[TaskId(name)]
        self.workspace.store.save([with_fields(task, **fields)])

    def candidate(self) -> Candidate:
        """Make the forecast and the candidate again; return it as it is remembered."""
        assert services.merging.candidate.refresh(self.workspace) == []
        found = services.merging.forecast_record.saved_candidate(self.workspace)
        assert found is not None
        return found

    def tip(self) -> str:
        return self.git("for-each-ref", "--format=%(objectname)", CANDIDATE)

    def subjects(self, name: str = "orch/candidate") -> list[str]:
        return self.git("log", "--reverse", "--format=%s", f"main..{name}").splitlines()

    def trash(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(objectname)", "refs/gitorch/trash").splitlines()


@pytest.fixture
def night(repository_folder: Path) -> Night:
    return Night(repository_folder)


def test_it_follows_the_tasks(night: Night) -> None:
    """What finishes goes in, in dependency order; what is rejected goes out, and with it what builds on it."""
    assert services.merging.candidate.refresh(night.workspace) == []
    assert services.merging.forecast_record.saved_candidate(night.workspace) is None
    assert night.tip() == "", "there is nothing to try out yet"
    night.task("below", {"below.txt": "x\n"})
    night.task("above", {"above.txt": "x\n"}, after="below")
    night.task("beside", {"beside.txt": "x\n"}, state=State.APPROVED)
    night.task("running", {"running.txt": "x\n"}, state=State.RUNNING)
    made = night.candidate()
    assert list(made.tasks) == ["below", "above", "beside"]
    assert made.tip == night.tip()
    assert made.tree == night.git("rev-parse", f"{CANDIDATE}^{{tree}}")
    assert night.subjects() == ["work of below", "work of above", "work of beside"]

    again = night.candidate()
    assert again.tip == made.tip, "where nothing has changed it stays as it is"
    night.now("below", state=State.REJECTED)
    made = night.candidate()
    assert list(made.tasks) == ["beside"]
    assert [(one.task, "below" in one.reason) for one in made.left_out] == [("above", True)]
    night.now("beside", state=State.REJECTED)
    night.now("above", state=State.REJECTED)
    assert night.candidate().tip == night.git("rev-parse", "main"), "with nothing in it, it is what is merged"
    assert night.trash() == [], "what gitorch made itself is no loss"


def test_what_does_not_belong_in_is_named(night: Night) -> None:
    """A clash is left out with its partner and paths, what is stale or red by itself with the reason."""
    night.task("one", {"same.txt": "one\n"})
    night.task("two", {"same.txt": "two\n"})
    night.task("stale", {"stale.txt": "x\n"})
    night.now("stale", stale=True)
    night.task("red", {"red.txt": "x\n"})
    failed = CheckResult(name="test", command="false", tree=Oid("0" * 40), exit_code=1)
    night.now("red", results=(failed,))
    made = night.candidate()
    assert list(made.tasks) == ["one"]
    left = {one.task: one for one in made.left_out}
    assert (left[TaskId("two")].partners, left[TaskId("two")].paths) == (("one",), ("same.txt",))
    assert "stale" in left[TaskId("stale")].reason
    assert "checks fail: test" in left[TaskId("red")].reason
    night.now("red", state=State.APPROVED)
    assert "red" in night.candidate().tasks, "a person approved it although it is red"


def test_it_stands_on_what_is_merged(night: Night) -> None:
    """After a merge it holds what is left, on the new integration branch; a forecast names who clashes with that."""
    night.task("one", {"same.txt": "one\n"}, state=State.APPROVED)
    night.task("two", {"same.txt": "two\n"})
    night.task("three", {"three.txt": "x\n"})
    night.git("update-ref", "refs/heads/orch/integration", "orch/one")
    night.now("one", state=State.MERGED)
    made = night.candidate()
    assert made.onto == night.git("rev-parse", "orch/integration")
    assert list(made.tasks) == ["three"]
    assert [one.tasks for one in services.merging.forecast_record.saved_conflicts(night.workspace)] == [("two",)]


def merged_once(night: Night, path: str = "one.txt") -> str:
    """Merge a task, and let `main` move on; return where `main` is then."""
    night.task("one", {path: "one\n"}, state=State.APPROVED)
    merge(night.workspace)
    return commit(night.folder, "mine", {"mine.txt": "mine\n"})


def test_it_stands_on_a_base_that_moved(night: Night) -> None:
    """It is what a merge would publish now: the integration branch on its base, which stays where it is until then."""
    moved = merged_once(night)
    integration = night.git("rev-parse", "orch/integration")
    night.task("two", {"two.txt": "x\n"})
    made = night.candidate()
    assert (list(made.tasks), made.left_out) == (["two"], ())
    assert night.subjects() == ["work of one", "work of two"]
    assert night.git("merge-base", "main", made.tip) == moved
    assert night.git("rev-parse", "orch/integration") == integration
    assert night.candidate().tip == made.tip, "where nothing has changed it stays as it is"
    night.now("two", state=State.APPROVED)
    merge(night.workspace)
    assert night.git("rev-parse", "orch/integration^{tree}") == made.tree


def test_it_is_made_again_when_the_base_moves(night: Night) -> None:
    """Although no task has changed."""
    merged_once(night)
    night.task("two", {"two.txt": "x\n"})
    first = night.candidate()
    again = commit(night.folder, "mine again", {"again.txt": "x\n"})
    made = night.candidate()
    assert made.tip != first.tip
    assert night.git("merge-base", "main", made.tip) == again


def test_a_base_that_conflicts_holds_everything(night: Night) -> None:
    """Where a merge would move nothing, nothing goes in, with the merge's reason; it goes on once that is over."""
    merged_once(night, "mine.txt")
    night.task("two", {"two.txt": "x\n"})
    made = night.candidate()
    reason = "orch/integration conflicts in mine.txt with main, which moved on"
    assert made.tip == night.git("rev-parse", "orch/integration")
    assert [(one.task, one.reason) for one in made.left_out] == [("two", reason)]
    night.now("two", state=State.APPROVED)
    with MemoryReplayer(night.workspace.repository) as replayer:
        held = services.merging.merge.plan_merge(night.workspace, replayer, None).blocked
    assert [(one.task.id, one.reason) for one in held] == [("two", reason)]
    night.git("reset", "--quiet", "--hard", "HEAD~1")
    assert list(night.candidate().tasks) == ["two"]


def test_a_conflict_with_the_base_that_was_solved_before_is_none(night: Night) -> None:
    """A merge solves it from memory, so the candidate does."""
    merged_once(night, "mine.txt")
    night.task("two", {"two.txt": "x\n"})
    assert list(night.candidate().tasks) == []
    blobs = [night.git("rev-parse", f"{name}:mine.txt") for name in ("main", "orch/integration")]
    solved = git("hash-object", "-w", "--stdin", cwd=night.folder, input=b"both\n")
    ours, theirs = map(Oid, blobs)
    FileResolutions(night.workspace.repository).learn({Sides(None, ours, theirs): Oid(solved)})
    commit(night.folder, "more", {"more.txt": "x\n"})
    made = night.candidate()
    assert list(made.tasks) == ["two"]
    assert night.git("show", f"{made.tip}:mine.txt") == "both"


def test_an_integration_branch_that_stays_where_it_is_is_built_upon(night: Night) -> None:
    """Its commits are on a branch of the user's, so that a merge leaves them: so does the candidate."""
    merged_once(night)
    night.git("branch", "mine", "orch/integration")
    night.task("two", {"two.txt": "x\n"})
    made = night.candidate()
    assert made.onto == night.git("rev-parse", "orch/integration")
    assert list(made.tasks) == ["two"]


def test_a_candidate_that_is_checked_out_stays_where_it_is(night: Night, tmp_path: Path) -> None:
    """Somebody tries the night out: their worktree stays clean, the record says why, and later it goes on."""
    night.task("one", {"one.txt": "x\n"})
    first = night.candidate()
    place = tmp_path / "try it"
    night.git("worktree", "add", "--quiet", str(place), "orch/candidate")
    night.task("two", {"two.txt": "x\n"})
    made = night.candidate()
    assert night.tip() == first.tip
    assert str(place) in made.not_updated
    assert list(made.tasks) == ["one", "two"]
    assert git("status", "--porcelain", cwd=place) == ""
    git("switch", "--quiet", "--detach", cwd=place)
    made = night.candidate()
    assert (made.not_updated, made.tip) == ("", night.tip())
    assert night.subjects() == ["work of one", "work of two"]


def test_what_somebody_committed_on_it_is_kept(night: Night) -> None:
    """A commit that is not gitorch's own is put aside before the branch is made again."""
    night.task("one", {"one.txt": "x\n"})
    night.candidate()
    night.git("checkout", "--quiet", "orch/candidate")
    theirs = commit(night.folder, "my own", {"mine.txt": "x\n"})
    night.git("checkout", "--quiet", "main")
    night.task("two", {"two.txt": "x\n"})
    night.candidate()
    assert night.trash() == [theirs]
    assert night.subjects() == ["work of one", "work of two"]


@pytest.mark.parametrize("moved", [False, True])
def test_cut_short_between_record_and_branch(night: Night, moved: bool) -> None:
    """Whichever of the two was written last before a kill: the next look makes it whole, and nothing is put aside."""
    night.task("one", {"one.txt": "x\n"})
    first = night.candidate()
    night.task("two", {"two.txt": "x\n"})
    second = night.candidate()
    record, tip = (first, second.tip) if moved else (second, first.tip)
    if moved:
        record = msgspec.structs.replace(record, tip=second.tip)  # it is written before the branch moves
    (night.workspace.folder / "candidate.json").write_bytes(encoded(record))
    night.git("update-ref", CANDIDATE, tip)
    made = night.candidate()
    assert list(made.tasks) == ["one", "two"]
    assert (night.tip(), night.trash()) == (made.tip, [])


def test_a_record_of_another_version_is_made_again(night: Night) -> None:
    """What cannot be read says nothing, and is in nobody's way."""
    night.task("one", {"same.txt": "one\n"})
    night.task("two", {"same.txt": "two\n"})
    night.candidate()
    for name in ("candidate.json", "forecast.json"):
        (night.workspace.folder / name).write_bytes(b'{"branch": 1')
    assert services.merging.forecast_record.saved_candidate(night.workspace) is None
    assert services.merging.forecast_record.saved_conflicts(night.workspace) == ()
    assert list(night.candidate().tasks) == ["one"]
    assert len(services.merging.forecast_record.saved_conflicts(night.workspace)) == 1


def test_a_name_that_is_no_utf8(night: Night) -> None:
    """The paths of a conflict keep their bytes in the record."""
    name = os.fsdecode(b"caf\xe9.txt")
    night.task("one", {name: "one\n"})
    night.task("two", {name: "two\n"})
    assert night.candidate().left_out[0].paths == (name,)
    assert services.merging.forecast_record.saved_conflicts(night.workspace)[0].paths == (name,)


_LOOP = """
import sys
from pathlib import Path
from tests.integration.test_candidate import Night, State
night = Night(Path(sys.argv[1]))
for round in range(1000):
    night.now("two", state=State.REJECTED if round % 2 else State.FINISHED)
    print(services.candidate.refresh(night.workspace), flush=True)
"""


def test_killed_at_any_moment(night: Night) -> None:
    """kill -9 while it is made again and again: branch and record are whole after the next look, nothing is lost."""
    night.task("one", {"one.txt": "x\n"})
    night.task("two", {"two.txt": "x\n"})
    dice = random.Random(7)
    for _ in range(scaled(4)):
        loop = subprocess.Popen(
            [sys.executable, "-c", _LOOP, str(night.folder)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        assert loop.stdout is not None
        loop.stdout.readline()
        time.sleep(dice.random())
        loop.send_signal(signal.SIGKILL)
        loop.communicate()
        night = Night(night.folder)
        night.now("two", state=State.FINISHED)
        made = night.candidate()
        assert (list(made.tasks), made.tip) == (["one", "two"], night.tip())
        assert night.git("fsck", "--connectivity-only", "--no-dangling", CANDIDATE) == ""
    assert night.trash() == []


# ------------------------------------------------------------------------------------- what is not committed yet


def running(night: Night, name: str) -> Path:
    """Add a running task with a worktree; return the worktree's folder."""
    task = night.task(name, {f"{name}.txt": "x\n"})
    place = night.folder.parent / "trees" / name
    linked_worktrees.add(night.workspace.repository, place, task.branch, "test")
    last = Attempt(number=1, agent="sh", phase=Phase.WORKING)
    night.now(name, state=State.RUNNING, worktree=str(place), attempt=last)
    return place


def test_uncommitted_work_counts(night: Night) -> None:
    """It is saved without touching worktree, index or branch, meets the others, and is not saved twice."""
    night.task("done", {"README.md": "other\n"})
    place = running(night, "busy")
    task = night.workspace.tasks[TaskId("busy")]
    assert services.merging.forecast.save_uncommitted(night.workspace.repository, task) is None
    night.candidate()
    assert services.merging.forecast_record.saved_conflicts(night.workspace) == ()

    (place / "README.md").write_text("mine\n")
    (place / "new.txt").write_text("staged\n")
    git("add", "new.txt", cwd=place)
    before = git("status", "--porcelain", cwd=place), (place / ".git").read_bytes(), night.git("rev-parse", "orch/busy")
    saved = services.merging.forecast.save_uncommitted(night.workspace.repository, task)
    assert saved == night.git("rev-parse", rescue_ref("busy"))
    assert git("show", f"{saved}:README.md", cwd=place) == "mine"
    after = git("status", "--porcelain", cwd=place), (place / ".git").read_bytes(), night.git("rev-parse", "orch/busy")
    assert before == after
    assert services.merging.forecast.save_uncommitted(night.workspace.repository, task) == saved
    night.candidate()
    (found,) = services.merging.forecast_record.saved_conflicts(night.workspace)
    assert (found.tasks, found.paths) == (("done", "busy"), ("README.md",))

    git("checkout", "--quiet", "HEAD", "--", "README.md", cwd=place)
    git("commit", "--quiet", "-am", "more", cwd=place)
    night.candidate()
    assert services.merging.forecast_record.saved_conflicts(night.workspace) == (), (
        "what was saved before is of work that has been committed since"
    )


def test_saving_at_the_same_time(night: Night) -> None:
    """Two that save one worktree at once come to one rescue point, and neither fails."""
    from concurrent.futures import ThreadPoolExecutor

    place = running(night, "busy")
    task = night.workspace.tasks[TaskId("busy")]
    for text in ("1", "2", "3"):
        (place / "busy.txt").write_text(text)
        with ThreadPoolExecutor(4) as pool:
            saved = set(
                pool.map(
                    lambda _: services.merging.forecast.save_uncommitted(night.workspace.repository, task), range(4)
                )
            )
        (one,) = saved
        assert night.git("show", f"{one}:busy.txt") == text
    left = list((night.folder / ".git" / "worktrees" / "busy").glob("gitorch-rescue-index-*"))
    assert left == []


def test_a_worktree_that_is_gone(night: Night) -> None:
    """There is nothing to save of it."""
    place = running(night, "busy")
    shutil.rmtree(place)
    assert (
        services.merging.forecast.save_uncommitted(night.workspace.repository, night.workspace.tasks[TaskId("busy")])
        is None
    )


def test_nothing_is_called_checked_that_was_not(night: Night) -> None:
    """Made by hand, it waits for a run to check it, or says that there is no check."""
    night.task("one", {"one.txt": "x\n"})
    assert (night.candidate().status, night.candidate().reason) == (CheckStatus.UNCHECKED, "no checks are configured")
    night.workspace = open_workspace(night.folder, ["checks.test=true"], {})
    night.task("two", {"two.txt": "x\n"})
    assert (night.candidate().status, night.candidate().reason) == (CheckStatus.UNCHECKED, "the next run checks it")


def test_a_tree_that_passed_is_not_unchecked_again(night: Night) -> None:
    """After an undo of a checked merge the candidate is the tree that passed; one that failed waits for a run."""
    night.workspace = open_workspace(night.folder, ["checks.test=test ! -e red.txt"])
    night.task("one", {"one.txt": "x\n"}, state=State.APPROVED)
    night.task("two", {"two.txt": "x\n"}, state=State.APPROVED)
    plan = gitorch.plan_merge(night.workspace)
    gitorch.publish_merge(night.workspace, plan)
    assert services.merging.candidate.refresh(night.workspace) == []
    gitorch.undo(night.workspace)
    again = night.candidate()
    assert (again.tree, again.status, again.reason) == (plan.results[0].tree, CheckStatus.GREEN, "")
    assert again.results == plan.results
    night.task("red", {"red.txt": "x\n"}, state=State.APPROVED)
    assert len(gitorch.plan_merge(night.workspace).failures) == 1
    assert (night.candidate().status, night.candidate().results) == (CheckStatus.UNCHECKED, ())
