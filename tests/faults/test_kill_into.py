"""kill -9 in the middle of `merge --into`: branches, tasks and the user's checkout are all there, or none of it is."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from gitorch import services
from gitorch.errors import Refused
from gitorch.git.repository import Repository
from gitorch.git.worktrees import checkouts
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.task import State, Task
from gitorch.replay import MemoryReplayer
from gitorch.services.open import open_workspace
from gitorch.services.workspace import Workspace
from tests.faults.killing import killed, killed_at, put_back
from tests.faults.test_kill import chance
from tests.support.cli import Pipe
from tests.support.git import commit, git
from tests.support.scale import scaled
from tests.support.tasks import make_task

__all__ = ["chance"]

FILES = 40


class Morning:
    """Approved tasks, `main` checked out and clean, and one commit on `main` since the first task was merged."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.top, self.before = repository, folder / "before"
        first = self._task("first", 1, {f"old/{number}": f"{number}\n" * 500 for number in range(FILES)})
        library = self.open()
        library.store.save([first])
        self.publish("")
        commit(self.top, "Mine\n", {"mine.txt": "m\n"})
        changed: dict[str, str | bytes | None] = {f"old/{number}": f"new {number}\n" * 500 for number in range(FILES)}
        self._task("second", 2, {**changed, "README.md": None, "added/deep/file": "x\n"}, "orch/first")
        library = self.open()
        library.store.save([self._task("second", 2, {}, "orch/second")])
        # what is planned before a kill is part of what was there before
        self.library = self.open()
        self.replayer = MemoryReplayer(self.library.repository)
        self.plan = services.merging.merge.plan_merge(self.library, self.replayer, None, into="main")
        assert self.plan.steps
        self.replayer.keep(self.plan.tip)
        self.tip = self.library.repository.tree(self.plan.tip)
        shutil.copytree(self.top, self.before, symlinks=True)

    def _task(self, name: str, number: int, files: dict[str, str | bytes | None], start: str = "main") -> Task:
        base = Oid(git("rev-parse", "orch/first" if number == 2 else "main", cwd=self.top))
        git("checkout", "-q", "-B", f"orch/{name}", start, cwd=self.top)
        if files:
            commit(self.top, f"Work of {name}\n", files)
        tip = Oid(git("rev-parse", "HEAD", cwd=self.top))
        git("checkout", "-q", "main", cwd=self.top)
        after = (TaskId("first"),) if number == 2 else ()
        return make_task(
            id=TaskId(name),
            number=number,
            title=name,
            prompt=name,
            state=State.APPROVED,
            branch=f"orch/{name}",
            base=base,
            tip=tip,
            after=after,
        )

    def open(self) -> Workspace:
        return open_workspace(self.top)

    def publish(self, into: str = "main") -> None:
        library = self.open()
        with services.merging.replaying.open_replayer(library) as replayer:
            services.merging.merge.publish(
                library, replayer, services.merging.merge.plan_merge(library, replayer, None, into=into)
            )

    def publish_plan(self) -> None:
        services.merging.merge.publish(self.library, self.replayer, self.plan)

    def reset(self) -> None:
        put_back(self.top, self.before)

    def happened(self) -> bool:
        """Return whether it has happened, after the next command; everything must agree."""
        library = self.open()
        assert library.store.notices in ([], ["merge --into was interrupted: finished now"]) or (
            library.store.notices == ["merge --into was interrupted: rolled back"]
        )
        states = {task.state for task in library.tasks.values()}
        main, integration = (git("rev-parse", name, cwd=self.top) for name in ("main", "orch/integration"))
        assert git("status", "--porcelain", "--ignored", cwd=self.top) == ""
        assert git("write-tree", cwd=self.top) == git("rev-parse", "main^{tree}", cwd=self.top)
        assert not (self.top / ".git/index.lock").exists()
        assert library.operations.is_settled()
        if State.APPROVED in states:
            assert main != integration
            assert git("log", "-1", "--format=%s", "main", cwd=self.top) == "Mine"
            return False
        assert states == {State.MERGED}
        assert main == integration
        assert git("rev-parse", "main^{tree}", cwd=self.top) == self.tip
        git("rev-parse", "--verify", "refs/heads/main~2^{commit}", cwd=self.top)
        assert git("for-each-ref", "refs/gitorch/orig", cwd=self.top)
        return True


@pytest.fixture
def morning(tmp_path: Path, repository_folder: Path) -> Morning:
    return Morning(tmp_path, repository_folder)


def test_killed_at_any_step_it_happened_or_did_not(morning: Morning) -> None:
    """Before each of its steps outwards in turn: the next command finds the old state or the new one, whole."""
    outcomes = Counter[bool]()
    step = 1
    while killed_at(morning.publish_plan, step):
        outcomes[morning.happened()] += 1
        morning.reset()
        step += 1
    print(f"{outcomes[False]} times nothing had moved, {outcomes[True]} times it was finished")
    assert outcomes[True]
    assert outcomes[False]


def test_killed_with_its_git_it_happened_or_did_not(morning: Morning, chance: random.Random) -> None:
    """The same at random moments, where git dies while it writes the user's files; a second merge completes it."""
    begun = time.perf_counter()
    morning.publish()
    seconds = time.perf_counter() - begun
    outcomes = Counter[bool]()
    for _ in range(scaled(8)):
        morning.reset()
        killed(morning.publish, chance.uniform(0.4, 1.1) * seconds)
        outcomes[happened := morning.happened()] += 1
        if not happened:
            morning.publish()
            assert morning.happened()
    print(dict(outcomes))


def test_a_lock_on_head_is_not_left(morning: Morning) -> None:
    """git locks HEAD, too, where it moves the branch that is checked out: a killed one's lock stops no command."""
    (morning.top / ".git/HEAD.lock").touch()
    os.utime(morning.top / ".git/HEAD.lock", (1, 1))
    morning.publish()
    assert morning.happened()
    assert not (morning.top / ".git/HEAD.lock").exists()


def test_files_that_git_had_begun_to_write_are_completed(morning: Morning) -> None:
    """Whatever a killed checkout left of the user's files is made whole; what the user changed since stays."""
    library = morning.open()
    repository: Repository = library.repository
    old = Oid(git("rev-parse", "main", cwd=morning.top))
    new = Oid(git("rev-parse", "orch/second", cwd=morning.top))
    git("update-ref", branch_ref("main"), new, cwd=morning.top)
    wanted = "new 0\n" * 500
    (morning.top / "old").mkdir()
    (morning.top / "old/0").write_text(wanted)
    (morning.top / "old/1").write_text("new 1\nnew")
    (morning.top / "old/2").write_text("")
    (morning.top / "old/3").write_text("somebody's own\n")
    (morning.top / "README.md").unlink()
    left = checkouts.fast_forward(repository, branch_ref("main"), old, new)
    assert left == [str(morning.top / "old/3")]
    assert git("status", "--porcelain", cwd=morning.top) == " M old/3"
    assert (morning.top / "old/3").read_text() == "somebody's own\n"
    assert checkouts.fast_forward(repository, branch_ref("main"), old, new) == []
    assert (morning.top / "old/3").read_text() == "somebody's own\n"


def test_the_users_own_lock_on_the_index_is_not_removed(morning: Morning) -> None:
    """A git of the user's holds it for as long as its editor is open: nothing is written until it has ended."""
    library = morning.open()
    old = Oid(git("rev-parse", "main", cwd=morning.top))
    new = Oid(git("rev-parse", "orch/second", cwd=morning.top))
    lock, ready = morning.top / ".git/index.lock", Pipe(morning.top.parent / "ready")
    (morning.top / "README.md").write_text("the user's\n")
    editor = {**os.environ, "GIT_EDITOR": f"sh -c 'echo ready > {ready}; cat > /dev/null; exit 1' --"}
    words = ["git", "commit", "--quiet", "--all"]
    with subprocess.Popen(words, cwd=morning.top, env=editor, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as mine:
        ready.line()
        os.utime(lock, (1, 1))
        git("update-ref", branch_ref("main"), new, cwd=morning.top)
        with pytest.raises(Refused, match=r"index\.lock"):
            checkouts.fast_forward(library.repository, branch_ref("main"), old, new)
        assert lock.exists()
        assert mine.stdin is not None
        mine.stdin.close()
    mine_too = str(morning.top / "README.md")
    assert checkouts.fast_forward(library.repository, branch_ref("main"), old, new) == [mine_too]
    assert (morning.top / "README.md").read_text() == "the user's\n"
    assert git("status", "--porcelain", cwd=morning.top) == "?? README.md"


def test_a_checkout_that_went_elsewhere_is_left_alone(morning: Morning) -> None:
    """After a crash the user may have gone on: a checkout that is on another branch, or further, is not touched."""
    library = morning.open()
    old = Oid(git("rev-parse", "main", cwd=morning.top))
    new = Oid(git("rev-parse", "orch/second", cwd=morning.top))
    files = (morning.top / "README.md").read_text()
    assert checkouts.fast_forward(library.repository, branch_ref("main"), old, new) == []
    git("update-ref", "--no-deref", "HEAD", old, cwd=morning.top)
    git("switch", "--quiet", "--detach", old, cwd=morning.top)
    git("update-ref", branch_ref("main"), new, cwd=morning.top)
    assert checkouts.fast_forward(library.repository, branch_ref("main"), old, new) == []
    assert (morning.top / "README.md").read_text() == files
