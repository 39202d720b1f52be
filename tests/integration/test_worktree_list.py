"""`git worktree list` as values: odd paths, lock reasons, and worktrees without a branch."""

from __future__ import annotations

from pathlib import Path

from gitorch.git.repository import Repository
from gitorch.git.worktree_list import WorktreeEntry, checked_out, find, list_entries
from gitorch.model.naming import Ref, branch_ref
from tests.support.git import git


def test_every_worktree_is_listed_once_with_its_branch(repo: Repository, tmp_path: Path) -> None:
    """The main one comes first; paths and lock reasons may hold newlines; a detached HEAD has no branch."""
    assert repo.work_tree is not None
    odd, detached = tmp_path / "new\nline ünï", tmp_path / "detached"
    git("worktree", "add", "--quiet", "-b", "other", "--lock", "--reason", "why\n\nnot", str(odd), cwd=repo.work_tree)
    git("worktree", "add", "--quiet", "--detach", str(detached), cwd=repo.work_tree)
    main, *linked = list_entries(repo)
    assert main == WorktreeEntry(repo.work_tree, branch_ref("main"))
    assert set(linked) == {WorktreeEntry(odd, branch_ref("other")), WorktreeEntry(detached, None)}
    assert checked_out(repo) == {Ref("refs/heads/main"): repo.work_tree, Ref("refs/heads/other"): odd}
    found = find(repo, odd)
    assert found is not None
    assert found.path == odd


def test_a_bare_repository_has_an_entry_without_a_branch(repo: Repository, tmp_path: Path) -> None:
    """Its own folder is listed, and nothing is checked out there."""
    assert repo.work_tree is not None
    git("clone", "--quiet", "--bare", str(repo.work_tree), str(tmp_path / "bare.git"), cwd=tmp_path)
    bare = Repository.discover(tmp_path / "bare.git")
    assert list_entries(bare) == [WorktreeEntry(tmp_path / "bare.git", None)]
    assert checked_out(bare) == {}
