"""Rescue points: whatever a worktree holds is saved or listed, and nothing in it is followed, run or waited for."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitorch.git.lockfiles import SCRATCH
from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.git.worktrees.rescue_points import LIMITS, rescue, skipped_of
from gitorch.model.naming import Oid, rescue_ref
from tests.support.git import commit, git

REF = rescue_ref("t")


def added(repo: Repository) -> Worktree:
    assert repo.work_tree is not None
    git("branch", "orch/t", "main", cwd=repo.work_tree)
    return linked_worktrees.add(repo, repo.work_tree.parent / "trees" / "t", "orch/t", "test")


def saved(repo: Repository, worktree: Worktree, complete: bool = False) -> tuple[Oid, list[str]]:
    """Make a rescue point; return it, and what it lists as not saved."""
    oid = rescue(repo, worktree, REF, "m", complete=complete)
    assert oid is not None
    return oid, skipped_of(repo.commits([oid])[0].message)


def test_ignored_files_are_saved_with_the_rest(repo: Repository) -> None:
    """A complete rescue point has ignored files, one of the running work does not; neither changes the worktree."""
    worktree = added(repo)
    (worktree.path / "debug.log").write_text("ignored")
    assert rescue(repo, worktree, REF, "m") is None
    oid, skipped = saved(repo, worktree, complete=True)
    assert repo.file(oid, "debug.log") == b"ignored"
    assert repo.file(oid, "README.md") == (worktree.path / "README.md").read_bytes()
    assert skipped == []
    assert git("status", "--porcelain", cwd=worktree.path) == ""
    assert rescue(repo, worktree, REF, "m", complete=True) == oid


def test_what_is_too_large_is_listed(repo: Repository) -> None:
    """Ignored files over the limit of a file, or of all of them, are named with the reason."""
    worktree = added(repo)
    for name in ("a.log", "b.log", "c.log"):
        (worktree.path / name).write_text("x" * 60)
    limits = msgspec.structs.replace(LIMITS, extra_bytes=100)
    oid = rescue(repo, worktree, REF, "m", complete=True, limits=limits)
    assert oid is not None
    assert repo.file(oid, "a.log") == b"x" * 60
    assert skipped_of(repo.commits([oid])[0].message) == ['"b.log" 60 bytes', '"c.log" 60 bytes']


def test_a_huge_sparse_file_and_special_files(repo: Repository) -> None:
    """They are listed within seconds: no FIFO is waited for, no device read, no 20 GB stored."""
    worktree = added(repo)
    with (worktree.path / "sparse").open("wb") as file:
        file.truncate(20 << 30)
    os.mkfifo(worktree.path / "pipe")
    (worktree.path / "deep").mkdir()
    os.mkfifo(worktree.path / "deep/pipe.log")
    (worktree.path / "README.md").unlink()
    os.mkfifo(worktree.path / "README.md")
    (worktree.path / "new").write_text("work")
    here = Path.cwd()
    os.chdir(worktree.path)  # a socket's address is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("sock")
    finally:
        os.chdir(here)
    oid, skipped = saved(repo, worktree, complete=True)
    assert repo.file(oid, "new") == b"work"
    assert skipped == [
        '"README.md" a FIFO',
        '"deep/pipe.log" a FIFO',
        '"pipe" a FIFO',
        '"sock" a socket',
        '"sparse" 21474836480 bytes',
    ]


def test_a_repository_inside_is_saved_whole(repo: Repository) -> None:
    """Its files and its commits: from the saved files, git can read them again. So is one in an ignored folder."""
    worktree = added(repo)
    for name in ("vendor/in side", "x.log/deep"):
        inside = worktree.path / name
        inside.mkdir(parents=True)
        git("init", "--quiet", cwd=inside)
        commit(inside, "precious", {"x": "x"})
        (inside / "y").write_text("not committed")
    oid, _ = saved(repo, worktree, complete=True)
    for name in ("vendor/in side", "x.log/deep"):
        tip = git("rev-parse", "HEAD", cwd=worktree.path / name)
        assert repo.file(oid, f"{name}/y") == b"not committed"
        path = f"{name}/.git-saved/objects/{tip[:2]}/{tip[2:]}"
        assert repo.file(oid, path) == (worktree.path / name / ".git/objects" / tip[:2] / tip[2:]).read_bytes()


def test_a_submodule_is_saved_whole(repo: Repository, tmp_path: Path) -> None:
    """Files and commits inside a submodule are nowhere else."""
    library = tmp_path / "lib"
    library.mkdir()
    git("init", "--quiet", cwd=library)
    commit(library, "first", {"a": "a"})
    worktree = added(repo)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib", cwd=worktree.path)
    git("commit", "--quiet", "-m", "add", cwd=worktree.path)
    tip = commit(worktree.path / "lib", "fix", {"a": "fixed"})
    (worktree.path / "lib/new-module").write_text("only here")
    oid, _ = saved(repo, worktree, complete=True)
    assert repo.file(oid, "lib/new-module") == b"only here"
    assert repo.file(oid, "lib/a") == b"fixed"
    assert repo.file(oid, f".git-saved-modules/lib/objects/{tip[:2]}/{tip[2:]}")


def test_a_link_in_the_way_is_not_followed(repo: Repository, tmp_path: Path) -> None:
    """A folder that became a link is saved as the link, and nothing behind it is read."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "app.py").write_text("TOP SECRET")
    worktree = added(repo)
    (worktree.path / "src").rename(worktree.path / "moved")
    (worktree.path / "src").symlink_to(secret)
    (worktree.path / "also.log").symlink_to(secret / "app.py")
    oid, _ = saved(repo, worktree, complete=True)
    assert repo.file(oid, "src") == os.fsencode(secret)
    assert repo.file(oid, "also.log") == os.fsencode(secret / "app.py")
    assert b"TOP SECRET" not in repo.git("grep", "-h", "-e", "", oid, ok=(0, 1)).stdout


def test_names_that_git_refuses_are_listed(repo: Repository) -> None:
    """They do not keep the rest from being saved."""
    worktree = added(repo)
    (worktree.path / "deep").mkdir()
    (worktree.path / "deep/git~1").write_text("x")
    (worktree.path / ".gitmodules").symlink_to("README.md")
    (worktree.path / "new").write_text("work")
    oid, skipped = saved(repo, worktree, complete=True)
    assert repo.file(oid, "new") == b"work"
    assert skipped == ['".gitmodules" git refuses this name', '"deep/git~1" git refuses this name']


def test_names_and_kinds_that_change_are_saved_as_they_are(repo: Repository) -> None:
    """A folder for a file and the other way round, names that need quotes, and two that differ in case only."""
    worktree = added(repo)
    commit(worktree.path, "Base", {"folder/a": "a", "file": "f", "gone/x": "x", "kept/y": "y"})
    # as where files are folded: git made one path of two
    git("config", "core.ignoreCase", "true", cwd=worktree.path)
    (worktree.path / "folder/a").unlink()
    (worktree.path / "folder").rmdir()
    (worktree.path / "folder").write_text("now a file")
    (worktree.path / "file").unlink()
    (worktree.path / "file").mkdir()
    (worktree.path / "gone/x").unlink()
    names = ["file/in", ' "quoted" \\n', "two\nlines", "Case", "case", "\udcff", '"', "tab\t"]
    for name in names:
        (worktree.path / name).write_text(name, errors="surrogateescape")
    oid, skipped = saved(repo, worktree)
    assert skipped == []
    listed = repo.git("ls-tree", "-r", "-z", "--name-only", oid).fields()
    before = repo.git("ls-tree", "-r", "-z", "--name-only", "main").fields()
    assert sorted(listed) == sorted([*before, *names, "folder", "kept/y"])
    assert {name: repo.file(oid, name) for name in names} == {name: os.fsencode(name) for name in names}
    git("fsck", "--strict", cwd=worktree.path)


def test_nothing_is_committed_yet(repo: Repository) -> None:
    """Without a commit the rescue point has the files alone; nothing but a list of what was not saved is one, too."""
    worktree = added(repo)
    git("switch", "-q", "--orphan", "fresh", cwd=worktree.path)
    (worktree.path / "new").write_text("new")
    oid, _ = saved(repo, worktree)
    assert git("ls-tree", "--name-only", oid, cwd=worktree.path) == "new"
    (worktree.path / "new").unlink()
    with (worktree.path / "large").open("wb") as file:
        file.truncate(LIMITS.file_bytes + 1)
    oid, skipped = saved(repo, worktree)
    assert skipped == [f'"large" {LIMITS.file_bytes + 1} bytes']
    assert git("ls-tree", "--name-only", oid, cwd=worktree.path) == ""


def test_no_ref_but_its_own_is_locked(repo: Repository) -> None:
    """Several processes save at once: a lock of the scratch ref, by one of them, stops nobody."""
    worktree = added(repo)
    lock = repo.common_dir / f"{SCRATCH}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    (worktree.path / "new").write_text("new")
    oid, _ = saved(repo, worktree)
    assert repo.file(oid, "new") == b"new"
    assert repo.read_ref(SCRATCH) is None


def test_a_thousand_files_are_streamed_to_one_process(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more processes are started for a thousand new files than for one."""
    started = list[object]()

    class Counted(subprocess.Popen[bytes]):
        def __init__(self, arguments: Any, *others: Any, **options: Any) -> None:
            started.append(arguments)
            super().__init__(arguments, *others, **options)

    worktree = added(repo)
    monkeypatch.setattr(subprocess, "Popen", Counted)
    (worktree.path / "f0").write_text("0\n")
    saved(repo, worktree)
    for_one = len(started)
    for number in range(1_000):
        (worktree.path / f"f{number}").write_text(f"{number + 1}\n")
    oid, _ = saved(repo, worktree)
    assert for_one > 0
    assert len(started) <= 2 * for_one
    assert repo.file(oid, "f999") == b"1000\n"


def _prune_before(name: str, patch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    """Let the user's git remove what has no ref just before a method of `Repository` runs; return the calls."""
    original, calls = getattr(Repository, name), list[str]()

    def pruned(self: Repository, *args: Any, **options: Any) -> Any:
        if name != "git" or args[0] in ("write-tree", "commit-tree", "pack-objects"):
            calls.append(str(args[0]))
            for words in (("gc", "-q", "--prune=now"), ("prune", "--expire=now")):
                git(*words, cwd=folder)
        return original(self, *args, **options)

    patch.setattr(Repository, name, pruned)
    return calls


@pytest.mark.parametrize("method", ["git", "update_refs"])
def test_the_users_gc_takes_nothing_of_a_rescue_point(
    repo: Repository, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Whenever it runs between the writing of the objects and the move of the ref, the whole chain is there."""
    worktree = added(repo)
    assert repo.work_tree is not None
    # of an earlier, killed command: the same content, which no ref leads to
    git("hash-object", "-w", "--stdin", cwd=repo.work_tree, input=b"two")
    calls = _prune_before(method, monkeypatch, repo.work_tree)
    (worktree.path / "deep/er").mkdir(parents=True)
    (worktree.path / "deep/er/one.txt").write_text("one")
    first, _ = saved(repo, worktree)
    (worktree.path / "deep/er/one.txt").unlink()
    (worktree.path / "deep/er/two.txt").write_text("two")
    second, _ = saved(repo, worktree)
    assert len(calls) >= 2
    monkeypatch.undo()
    git("gc", "-q", "--prune=now", cwd=repo.work_tree)
    git("fsck", "--strict", cwd=repo.work_tree)
    assert (repo.file(first, "deep/er/one.txt"), repo.file(second, "deep/er/two.txt")) == (b"one", b"two")
    assert repo.file(second, "deep/er/one.txt") is None
    assert list((repo.common_dir / "objects").glob("**/*.keep")) == []
    assert list((repo.common_dir / "objects").glob("gitorch-*")) == []
