"""`git worktree list` as values: odd paths, lock reasons, and worktrees without a branch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gitorch.git.protected import refs_and_settings, repository_state
from gitorch.git.repository import Repository
from gitorch.git.worktree_entries import WorktreeEntry
from gitorch.git.worktree_list import checked_out, find, linked_folders, list_entries
from gitorch.model.naming import Ref, branch_ref
from tests.support import fingerprints
from tests.support.git import git


def test_every_worktree_is_listed_once_with_its_branch(repo: Repository, tmp_path: Path) -> None:
    """The main one comes first; paths and lock reasons may hold newlines; a detached HEAD has no branch."""
    assert repo.work_tree is not None
    odd, detached = tmp_path / "new\nline ünï", tmp_path / "detached"
    git("worktree", "add", "--quiet", "-b", "other", "--lock", "--reason", "why\n\nnot", str(odd), cwd=repo.work_tree)
    git("worktree", "add", "--quiet", "--detach", str(detached), cwd=repo.work_tree)
    main, *linked = list_entries(repo)
    assert main == WorktreeEntry(repo.work_tree, branch_ref("main"))
    assert set(linked) == {WorktreeEntry(odd, branch_ref("other"), is_locked=True), WorktreeEntry(detached, None)}
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


def test_linked_folders_are_those_of_git(repo: Repository, tmp_path: Path) -> None:
    """The git folder says the same as `git worktree list`, for worktrees that are gone and ones that moved too."""
    assert repo.work_tree is not None
    for name in ("plain", "gone", "new\nnäme"):
        git("worktree", "add", "--quiet", "--detach", str(tmp_path / name), cwd=repo.work_tree)
    git("worktree", "move", str(tmp_path / "plain"), str(tmp_path / "moved"), cwd=repo.work_tree)
    shutil.rmtree(tmp_path / "gone")
    assert sorted(linked_folders(repo)) == sorted(entry.path for entry in list_entries(repo)[1:])
    assert len(linked_folders(repo)) == 3


def test_a_comparison_of_a_run_starts_four_git_processes(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refs, settings, index entries and the status of the checkout: everything else is read without git."""
    traces = tmp_path / "traces"
    traces.mkdir()
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(traces))
    present = refs_and_settings.read(repo)
    fingerprints.fingerprint(repo, present=present)
    repository_state.config_keys(repo, present)
    assert repository_state.misplaced(repo, present) == {}
    assert repository_state.other_worktrees(repo, set(), present) == {}
    assert len([*traces.iterdir()]) == 4
