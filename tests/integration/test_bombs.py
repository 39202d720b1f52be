"""What git could not hold, or not read in a night, is named within moments."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gitorch.errors import Refused
from gitorch.git import tree_size
from gitorch.git.collecting.collect import Rejected, collect
from gitorch.git.protected import fingerprint
from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model.naming import Oid, branch_ref
from tests.support.cli import Cli, Pipe, does, saved
from tests.support.git import commit, git


def added(repo: Repository) -> Worktree:
    assert repo.work_tree is not None
    git("branch", "orch/t", "main", cwd=repo.work_tree)
    return linked_worktrees.add(repo, repo.work_tree.parent / "trees" / "t", "orch/t", "test")


@pytest.mark.parametrize("make", ["huge", "tracked fifo"])
def test_what_git_could_not_hold(repo: Repository, make: str) -> None:
    """A huge file, or a FIFO in the place of a tracked file, is named within moments, and not read."""
    worktree = added(repo)
    base = Oid(git("rev-parse", "main", cwd=worktree.path))
    if make == "huge":
        with (worktree.path / "sparse").open("wb") as file:
            file.truncate(20 << 30)
    else:
        (worktree.path / "README.md").unlink()
        os.mkfifo(worktree.path / "README.md")
    result = collect(repo, worktree, branch=branch_ref("orch/t"), base=base, message="m")
    assert isinstance(result, Rejected)
    assert ("sparse has 20480 MB" if make == "huge" else "README.md is neither") in result.reason


def tree_bomb(folder: Path) -> str:
    """Return a commit on HEAD of a few objects, which stands for ten million files."""
    blob = git("hash-object", "-w", "--stdin", cwd=folder, input=b"x")
    tree = git("mktree", cwd=folder, input="".join(f"100644 blob {blob}\tf{n}\n" for n in range(10)).encode())
    for _ in range(6):
        tree = git("mktree", cwd=folder, input="".join(f"040000 tree {tree}\td{n}\n" for n in range(10)).encode())
    return git("commit-tree", tree, "-p", "HEAD", "-m", "bomb", cwd=folder)


def test_a_tree_bomb(repo: Repository) -> None:
    """A commit that stands for ten million files is refused by its counts: git never compares it with anything."""
    worktree = added(repo)
    base = Oid(git("rev-parse", "main", cwd=worktree.path))
    git("update-ref", "refs/heads/orch/t", tree_bomb(worktree.path), cwd=worktree.path)
    result = collect(repo, worktree, branch=branch_ref("orch/t"), base=base, message="m")
    assert isinstance(result, Rejected)
    assert "a tree stands for" in result.reason
    assert "a tree stands for" in fingerprint.checkout(repo, worktree.path, worktree.admin)["files"]
    with pytest.raises(Refused, match="cannot be read"):
        linked_worktrees.rescue(repo, worktree, branch_ref("r"), "m")


def test_only_what_differs_is_counted(repo: Repository, repository_folder: Path) -> None:
    """A large repository is no reason; a folder that grew, moved or took a file's place counts whole."""
    files = {f"{folder}/{number}": f"{number}\n" for folder in ("a", "b/c") for number in range(20)}
    base = Oid(commit(repository_folder, "Base", files))
    same = Oid(commit(repository_folder, "Same", {"a/0": "changed\n"}))
    git("mv", "b/c", "d", cwd=repository_folder)
    moved = Oid(commit(repository_folder, "Moved", {"README.md": None, "README.md/x": "x\n"}))
    # the root, and the files of `a`
    limit = len(git("ls-tree", same, cwd=repository_folder).splitlines()) + 20
    assert tree_size.comparison_problem(repo, base, same, limit) == ""
    assert f"{limit} files" in tree_size.comparison_problem(repo, base, same, limit - 1)
    assert f"{limit + 21} files" in tree_size.comparison_problem(repo, base, moved, limit)
    assert "11111" in tree_size.comparison_problem(repo, base, Oid(tree_bomb(repository_folder)))


def test_a_tree_bomb_on_the_branch_of_a_task(repository_folder: Path, tmp_path: Path) -> None:
    """No command compares it: neither while its agent runs, nor where it came to a branch that has been checked."""
    cli = Cli(repository_folder)
    bomb = tree_bomb(repository_folder)
    ready, gate = Pipe(tmp_path / "ready"), Pipe(tmp_path / "gate")
    cli.queue(
        does("One", f"git update-ref refs/heads/orch/one {bomb}", f"echo > {ready}", f"read word < {gate}"),
        does("Two", saved("two.txt", "2")),
    )
    with cli.start("run") as run:
        ready.line()
        while cli.states()["two"] != "finished":
            time.sleep(0.1)
        cli("status", "--all")
        gate.say()
        assert run.end().code == 6
    assert "a tree stands for" in cli.tasks()["one"]["reason"]
    git("update-ref", "refs/heads/orch/two", bomb, cwd=repository_folder)
    for words in (["status"], ["task", "two"], ["review", "--list"], ["merge", "-n"], ["report"]):
        cli(*words, ok=range(10))
