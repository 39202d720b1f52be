"""The listing of an index is remembered, and never longer than it is true."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitorch.git.protected import index_listing
from gitorch.git.protected.index_listing import IndexListing
from gitorch.git.repository import Repository
from tests.support.git import git


def listed(repo: Repository) -> IndexListing:
    assert repo.work_tree is not None
    return index_listing.read(repo, repo.work_tree, repo.common_dir)


def processes(repo: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    """Return how many processes of git it takes to list the index now."""
    trace = tmp_path / "trace"
    trace.unlink(missing_ok=True)
    with monkeypatch.context() as patch:
        patch.setenv("GIT_TRACE2_EVENT", str(trace))
        listed(repo)
    return trace.read_text().count('"event":"start"') if trace.exists() else 0


def test_the_same_index_is_listed_once(repo: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Git is asked again only after the file has changed."""
    assert [processes(repo, monkeypatch, tmp_path) for _ in range(3)] == [1, 0, 0]
    git("rm", "-q", "--cached", "run.sh", cwd=repo.common_dir.parent)
    assert [processes(repo, monkeypatch, tmp_path) for _ in range(2)] == [1, 0]


def test_a_changed_index_of_the_same_size_and_times_is_noticed(repo: Repository) -> None:
    """An agent can set the times of a file back."""
    folder, index = repo.common_dir.parent, repo.common_dir / "index"
    for change in ("--chmod=-x", "--chmod=+x"):  # from now on, the index has no trees of commits, and its size stays
        git("update-index", change, "run.sh", cwd=folder)
    before, status = listed(repo), index.stat()
    git("update-index", "--chmod=-x", "run.sh", cwd=folder)
    os.utime(index, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert index.stat().st_size == status.st_size
    assert listed(repo).digest != before.digest
    git("update-index", "--chmod=+x", "run.sh", cwd=folder)
    assert listed(repo) == before


def test_entries_that_git_passes_over_are_named(repo: Repository) -> None:
    """With the flag that an agent can set on a file, to hide what it does to it."""
    folder = repo.common_dir.parent
    assert listed(repo).flagged == ()
    git("update-index", "--assume-unchanged", "docs/naïve file.md", cwd=folder)
    assert listed(repo).flagged == ("docs/naïve file.md".encode(),)
    git("update-index", "--skip-worktree", "run.sh", cwd=folder)
    assert set(listed(repo).flagged) == {"docs/naïve file.md".encode(), b"run.sh"}


def test_a_listing_that_depends_on_more_than_the_index_is_asked_for_each_time(
    repo: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a sparse checkout git shows an entry by whether the file is there; a split index is in two files."""
    folder = repo.common_dir.parent
    git("update-index", "--refresh", cwd=folder)  # the files are copies: git would take them for changed
    git("sparse-checkout", "set", "docs", cwd=folder)
    absent = listed(repo)
    assert b"src/app.py" in absent.flagged
    (folder / "src").mkdir()
    (folder / "src/app.py").write_text("here\n")
    assert b"src/app.py" not in listed(repo).flagged
    git("sparse-checkout", "disable", cwd=folder)
    git("update-index", "--index-version=2", "--split-index", cwd=folder)
    assert [processes(repo, monkeypatch, tmp_path) for _ in range(2)] == [1, 1]


def test_an_index_that_is_a_link_is_not_remembered(
    repo: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where it leads can change while the link stays."""
    index = repo.common_dir / "index"
    index.rename(tmp_path / "elsewhere")
    index.symlink_to(tmp_path / "elsewhere")
    assert [processes(repo, monkeypatch, tmp_path) for _ in range(2)] == [1, 1]
