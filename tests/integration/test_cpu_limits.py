"""Patterns that keep git busy for ever: what an agent leaves in its worktree costs a bounded processor time, once."""

from __future__ import annotations

import math
import os
import re
import resource
import signal
import threading
from pathlib import Path

import psutil
import pytest

from gitorch.git import cpu_limits, process
from gitorch.git.layout import TRASH
from gitorch.git.repository import NeedsTooLong, Repository
from gitorch.git.worktree_list import Worktree
from gitorch.git.worktrees import linked_worktrees, worktree_status
from gitorch.git.worktrees.rescue_points import rescue
from gitorch.model.naming import rescue_ref
from gitorch.rooms.protocol import Rejected
from tests.support import sandbox
from tests.support.git import git

FOLDERS = "a/" * 60
PATTERN = "**/a/" * 14 + "b"


@pytest.fixture
def frugal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give git less processor time than in a run: the honest work of a test needs a fraction of it."""
    monkeypatch.setattr(process, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(process, "_CPU_TICK_SECONDS", 0.2)
    monkeypatch.setattr(cpu_limits, "READ_SECONDS", 3.0)
    monkeypatch.setattr(cpu_limits, "PACK_SECONDS", 3.0)


def added(repo: Repository) -> Worktree:
    assert repo.work_tree is not None
    git("branch", "orch/t", "main", cwd=repo.work_tree)
    return linked_worktrees.add(repo, repo.work_tree.parent / "trees" / "t", "orch/t", "test")


def bomb(folder: Path, name: str = ".gitignore") -> Path:
    (folder / FOLDERS).mkdir(parents=True)
    (folder / FOLDERS / "c").touch()
    (folder / "sub").mkdir()
    (folder / "sub" / ".gitignore").write_text("*.pyc\n")
    path = folder / name
    path.write_text(PATTERN + " text\n" * (name == ".gitattributes"))
    return path


def _words(process: psutil.Process) -> list[str]:
    return [] if process.status() == psutil.STATUS_ZOMBIE else process.cmdline()


def children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


@pytest.mark.usefixtures("frugal")
def test_patterns_are_named_and_remembered(repo: Repository) -> None:
    """The error names the file; no later call pays again until it has changed, and what reads no patterns works."""
    worktree = added(repo)
    path = bomb(worktree.path)
    what = f"git needed more than 3 s of processor time for {worktree.path}"
    for _ in range(2):
        with pytest.raises(NeedsTooLong, match=re.escape(what)) as caught:
            worktree_status.read(repo, worktree)
        assert caught.value.why == f"do patterns in {path} repeat ** or *?"
        assert caught.value.fix == (f"correct or remove {path}",)
    before = children_seconds()
    with pytest.raises(NeedsTooLong):
        rescue(repo, worktree, rescue_ref("t"), "m", complete=True)
    with pytest.raises(NeedsTooLong):  # as the watch for changes does
        repo.git("ls-files", "--others", "--exclude-standard", cwd=worktree.path, git_dir=worktree.admin)
    assert children_seconds() - before < 1
    assert worktree.git(repo, "rev-parse", "HEAD").text == git("rev-parse", "main", cwd=worktree.path)
    path.write_text("*.pyc\n")
    assert worktree_status.read(repo, worktree).uncommitted.paths
    assert rescue(repo, worktree, rescue_ref("t"), "m", complete=True)


@pytest.mark.usefixtures("frugal")
def test_patterns_in_the_users_own_checkout(repository_folder: Path, repo: Repository) -> None:
    """A call with no worktree of gitorch's is bounded as well, and leaves no lock of the index."""
    path = bomb(repository_folder)
    with pytest.raises(NeedsTooLong) as caught:
        repo.git("add", "--all", cwd=repository_folder)
    assert caught.value.cause == path
    assert not (repo.common_dir / "index.lock").exists()


@pytest.mark.usefixtures("frugal")
def test_a_retry_puts_the_worktree_aside(repo: Repository) -> None:
    """No rescue point can be made of it; its files are in the trash, and the next worktree is a new one."""
    worktree = added(repo)
    path = bomb(worktree.path)
    with pytest.raises(NeedsTooLong):
        worktree_status.read(repo, worktree)
    linked_worktrees.take_away(repo, worktree.path, rescue_ref("t"), "m")
    assert not worktree.path.exists()
    (kept,) = (worktree.path.parent / TRASH).iterdir()
    assert (kept / path.name).read_text() == PATTERN
    again = linked_worktrees.add(repo, worktree.path, "orch/t", "test")
    assert worktree_status.read(repo, again).uncommitted.paths == ()


@pytest.mark.usefixtures("frugal")
def test_nothing_is_written_into_a_worktree_of_the_users(repository_folder: Path, repo: Repository) -> None:
    """What took too long is only recorded where gitorch made the worktree."""
    path = repository_folder.parent / "mine"
    git("worktree", "add", "--quiet", "--detach", str(path), cwd=repository_folder)
    bomb(path)
    admin = repo.common_dir / "worktrees/mine"
    before = sorted(admin.iterdir())
    with pytest.raises(NeedsTooLong):
        repo.git("status", cwd=path, git_dir=admin)
    assert sorted(admin.iterdir()) == before


def test_a_run_that_is_asked_to_stop(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends a git that has had its fifth, and the git is gone."""
    monkeypatch.setattr(process, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(process, "_CPU_TICK_SECONDS", 0.2)
    monkeypatch.setattr(cpu_limits, "READ_SECONDS", 10.0)
    worktree = added(repo)
    bomb(worktree.path)
    stop = threading.Event()
    repo.hurry_when(stop)
    stop.set()
    with pytest.raises(NeedsTooLong, match="more than 2 s"):
        worktree_status.read(repo, worktree)
    # a git that answered requests may not have been waited for yet
    assert [child for child in psutil.Process().children() if "status" in _words(child)] == []


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux can bound a process from outside")
def test_a_git_whose_run_was_killed(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system ends it where nobody watches it any more."""
    monkeypatch.setattr(cpu_limits, "READ_SECONDS", 1.0)
    monkeypatch.setattr(cpu_limits, "_GRACE_SECONDS", 1)
    worktree = added(repo)
    bomb(worktree.path)
    monkeypatch.setattr(process.GitRunner, "_require_frugal", lambda *_: None)
    with pytest.raises(process.GitFailed, match=f"git status ended with exit code -{signal.SIGKILL:d}"):
        worktree_status.read(repo, worktree)


@pytest.mark.parametrize("name", [".gitignore", ".gitattributes"])
@pytest.mark.parametrize("mode", ["private", "off", "bwrap"])
@pytest.mark.usefixtures("frugal")
def test_an_agent_that_leaves_such_patterns(repository_folder: Path, mode: str, name: str) -> None:
    """What it did is refused, with the name of the file."""
    room = sandbox.room_in(repository_folder, mode=mode)
    script = f"mkdir -p {FOLDERS}; touch {FOLDERS}/c; echo '{PATTERN} text' > .gitattributes"
    if name == ".gitignore":
        script = f"mkdir -p {FOLDERS}; touch {FOLDERS}/c; echo '{PATTERN}' > .gitignore"
    sandbox.act(room, script)
    before = children_seconds()
    result = room.collect("work")
    assert isinstance(result, Rejected)
    assert f"{room.directory / name} repeat" in result.reason
    assert children_seconds() - before < 10


@pytest.mark.parametrize("word", ["fetch", "push", "rev-parse", "rebase"])
def test_what_may_take_longer(word: str) -> None:
    """Packing objects for a remote takes its time, also in a work tree."""
    assert cpu_limits.seconds_for(word, is_hurried=True) == math.inf
