"""Locks that a killed git leaves: those that are provably ours are removed by the next command, others never."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gitorch import services
from gitorch.errors import GitorchError
from gitorch.git import lockfiles
from gitorch.model import naming
from gitorch.model.naming import Ref, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.services.open import open_workspace
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import difference
from tests.faults.killing import work_and_exit
from tests.support.days import WHO, approve, finished, merge
from tests.support.git import git, run

LONG_AGO = 1_700_000_000.0
BRANCH, KEPT = branch_ref("orch/a"), Ref(naming.trash_ref("a", "x"))


@pytest.fixture
def library(repository_folder: Path) -> Workspace:
    """A rejected task with a branch of our own, to be cleaned up."""
    library = finished(repository_folder, "a")
    git("branch", "orch/a", "work/a", cwd=repository_folder)
    library.store.save(
        [msgspec.structs.replace(services.lookup.find_task(library, "a"), branch="orch/a", adopted=False)]
    )
    services.reviewing.review.reject(library, services.lookup.find_task(library, "a"), WHO)
    return library


def lock(folder: Path, name: str, when: float = LONG_AGO) -> Path:
    """Leave a lock, as a git that was killed does."""
    place = folder / ".git" / f"{name}.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    os.utime(place, (when, when))
    return place


def cut_short(library: Workspace, *, moved: bool) -> None:
    """Leave a clean-up as one that was killed within its transaction, which had kept the branch's commits or not."""
    tip = library.repository.read_ref(BRANCH)
    assert tip is not None
    library.operations.open(
        "cleanup",
        [RefUpdate(KEPT, tip, None), RefUpdate(BRANCH, None, tip)],
        [difference(services.lookup.find_task(library, "a"), None)],
    )
    if moved:
        library.repository.update_refs([RefUpdate(KEPT, tip, None)], "as far as it came")


@contextlib.contextmanager
def living(folder: Path, *words: str) -> Iterator[None]:
    """Have a git at work there."""
    with subprocess.Popen(["git", *words], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        yield
        assert process.stdin is not None
        process.stdin.close()


WRITING = ("update-ref", "--stdin")


@pytest.mark.parametrize("moved", [False, True])
def test_a_lock_on_packed_refs_is_not_left(library: Workspace, repository_folder: Path, moved: bool) -> None:
    """Killed while it deletes a branch: the next command ends it, and the user's own git can delete and pack again."""
    cut_short(library, moved=moved)
    left = [lock(repository_folder, name) for name in (KEPT, BRANCH, "packed-refs")]
    again = open_workspace(repository_folder)
    ended = "finished now" if moved else "rolled back"
    assert again.store.notices == [f"cleanup was interrupted: {ended}"]
    assert [place for place in left if place.exists()] == []
    assert (again.repository.read_ref(BRANCH) is None) == moved
    git("branch", "--delete", "--force", "work/a", cwd=repository_folder)
    git("pack-refs", "--all", cwd=repository_folder)


def test_a_lock_that_nothing_tells_of_is_not_touched(library: Workspace, repository_folder: Path) -> None:
    """An operation was cut short, and the lock could be anybody's: it stays, and the error says which file it is."""
    cut_short(library, moved=True)
    packed = lock(repository_folder, "packed-refs")
    with pytest.raises(GitorchError) as caught:
        open_workspace(repository_folder)
    assert packed.exists()
    assert caught.value.code == "refs-locked"
    assert str(packed) in caught.value.what
    assert f"rm {packed}" in caught.value.fix
    packed.unlink()
    assert open_workspace(repository_folder).store.notices == ["cleanup was interrupted: finished now"]


@pytest.mark.parametrize("later", [-1.0, 60.0])
def test_a_lock_of_another_moment_is_not_ours(library: Workspace, repository_folder: Path, later: float) -> None:
    """git takes it right after the locks of the refs that it deletes: one from before, or from later, is another's."""
    cut_short(library, moved=True)
    packed = lock(repository_folder, "packed-refs", LONG_AGO + later)
    lock(repository_folder, BRANCH)
    with pytest.raises(GitorchError, match=r"packed-refs\.lock"):
        open_workspace(repository_folder)
    assert packed.exists()


def test_while_a_git_is_at_work_nothing_shared_is_removed(library: Workspace, repository_folder: Path) -> None:
    """It may be the one that holds the lock; one that reads, or is elsewhere, does not count."""
    cut_short(library, moved=True)
    packed, branch = lock(repository_folder, "packed-refs"), lock(repository_folder, BRANCH)
    with living(repository_folder / "src", *WRITING), pytest.raises(GitorchError, match=r"packed-refs\.lock"):
        open_workspace(repository_folder)
    outside = ("--git-dir", str(repository_folder / ".git"), *WRITING)
    with living(repository_folder.parent, *outside), pytest.raises(GitorchError, match=r"packed-refs\.lock"):
        open_workspace(repository_folder)
    assert packed.exists()
    assert branch.exists()
    elsewhere = repository_folder.parent / "elsewhere"
    git("init", "--quiet", str(elsewhere), cwd=repository_folder)
    with living(repository_folder, "cat-file", "--batch"), living(elsewhere, *WRITING):
        open_workspace(repository_folder)
    assert not packed.exists()


def test_a_lock_that_notes_have_left_is_removed(library: Workspace, repository_folder: Path) -> None:
    """Building notes ends with deleting a scratch ref, which takes the lock on packed refs, outside of operations."""
    left = [lock(repository_folder, name) for name in (lockfiles.SCRATCH, "packed-refs")]
    assert open_workspace(repository_folder).store.notices == []
    assert [place for place in left if place.exists()] == []
    packed = lock(repository_folder, "packed-refs")
    open_workspace(repository_folder)
    assert packed.exists(), "nothing tells that it is ours"


def test_a_refusal_names_the_lock(library: Workspace, repository_folder: Path) -> None:
    """A clean-up that meets somebody's lock moves nothing, says which file it is, and works once that is gone."""
    packed = lock(repository_folder, "packed-refs")
    with pytest.raises(GitorchError) as caught:
        list(services.maintenance.cleanup(library, [services.lookup.find_task(library, "a")]))
    assert (caught.value.code, packed.exists()) == ("refs-locked", True)
    assert library.repository.read_ref(BRANCH)
    packed.unlink()
    again = open_workspace(repository_folder)
    assert again.store.notices == []
    list(services.maintenance.cleanup(again, [services.lookup.find_task(again, "a")]))
    assert again.repository.read_ref(BRANCH) is None


@pytest.mark.parametrize("at_work", [False, True])
def test_locks_on_a_branch_of_the_users(repository_folder: Path, at_work: bool) -> None:
    """A killed `merge --into` that moved nothing stops no commit of the user's; while a git is at work they stay."""
    library = finished(repository_folder, "a")
    approve(library, "a")
    merge(library)
    tip, main = services.branches.own_branches.integration_tip(library), library.repository.read_ref(branch_ref("main"))
    library.operations.open("merge --into", [RefUpdate(branch_ref("main"), tip, main)], [])
    left = [lock(repository_folder, name) for name in ("refs/heads/main", "HEAD")]
    if at_work:
        with living(repository_folder, *WRITING), pytest.raises(GitorchError, match=r"HEAD\.lock|main\.lock"):
            open_workspace(repository_folder)
        assert all(place.exists() for place in left)
        return
    assert open_workspace(repository_folder).store.notices == ["merge --into was interrupted: rolled back"]
    git("commit", "--quiet", "--allow-empty", "-m", "mine", cwd=repository_folder)


def test_git_killed_with_the_lock_in_its_hand(library: Workspace, repository_folder: Path) -> None:
    """No stand-in: a clean-up and its git are killed while git writes a long list of packed refs anew."""
    tip = git("rev-parse", "main", cwd=repository_folder)
    refs = "".join(f"{tip} refs/tags/t{number:06}\n" for number in range(150_000))
    packed = repository_folder / ".git/packed-refs"
    at = git("rev-parse", "work/a", cwd=repository_folder)
    git("update-ref", "-d", BRANCH, cwd=repository_folder)
    packed.write_text(f"# pack-refs with: peeled fully-peeled sorted \n{at} {BRANCH}\n{refs}")
    held = packed.with_name("packed-refs.lock")
    assert _killed_holding(library, held)
    assert held.exists()
    assert run("update-ref", "-d", "refs/tags/t000001", cwd=repository_folder, ok=(0, 1, 128)).returncode != 0
    again = open_workspace(repository_folder)
    assert again.store.notices[0].startswith("cleanup was interrupted: ")
    assert not held.exists()
    assert not packed.with_name("packed-refs.new").exists()
    git("update-ref", "-d", "refs/tags/t000001", cwd=repository_folder)
    if "a" in again.tasks:
        list(services.maintenance.cleanup(again, [services.lookup.find_task(again, "a")]))
    assert again.repository.read_ref(BRANCH) is None
    assert again.repository.refs("refs/gitorch/trash")
    assert again.operations.is_settled()


def _killed_holding(library: Workspace, held: Path) -> bool:
    """Clean up in a child, and kill it and its git as soon as the lock is there; return whether it is left."""
    child = os.fork()
    if not child:
        os.setsid()
        work_and_exit(lambda: list(services.maintenance.cleanup(library, [services.lookup.find_task(library, "a")])))
    while not held.exists() and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.0005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)
    time.sleep(0.2)  # git is another process, and dies by itself
    return held.exists()
