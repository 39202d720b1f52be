"""The store of a repository's history: it holds the bases with all that they need, and no other commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.git.history_store import HistoryStore
from gitorch.git.repository import GitFailed, Repository
from gitorch.model.naming import Oid
from tests.support.git import git


def commit(folder: Path, name: str) -> Oid:
    """Commit a file of this name, and return the commit."""
    (folder / name).write_text(name)
    git("add", name, cwd=folder)
    git("commit", "--quiet", "-m", name, cwd=folder)
    return Oid(git("rev-parse", "HEAD", cwd=folder))


@pytest.fixture
def store(repo: Repository, tmp_path: Path) -> HistoryStore:
    return HistoryStore(repo, tmp_path / "store.git")


@pytest.fixture
def folder(repository_folder: Path) -> Path:
    return repository_folder


def objects(store: HistoryStore) -> set[str]:
    """Return all objects of the store."""
    words = ("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    return set(git(*words, cwd=store.folder).split())


def packs(store: HistoryStore) -> list[Path]:
    return sorted((store.objects / "pack").glob("*.pack"))


def test_it_holds_the_history_of_a_base_and_nothing_else(store: HistoryStore, folder: Path) -> None:
    """A base is complete by itself; another branch, a stash and a file that was only staged are not in it."""
    base = commit(folder, "base")
    git("checkout", "--quiet", "-b", "secret", cwd=folder)
    secret = commit(folder, "secret")
    (folder / "base").write_text("stashed")
    git("stash", cwd=folder)
    git("checkout", "--quiet", base, cwd=folder)
    store.provide(base)
    git("fsck", "--connectivity-only", cwd=store.folder)
    assert git("rev-list", "--count", base, cwd=store.folder) == git("rev-list", "--count", base, cwd=folder)
    assert objects(store) == set(git("rev-list", "--objects", "--no-object-names", base, cwd=folder).split())
    assert secret not in objects(store)


def test_a_further_base_adds_only_what_is_new(store: HistoryStore, folder: Path) -> None:
    """The second pack has the new commit, its tree and its file; an older base adds no pack."""
    base = commit(folder, "base")
    older = Oid(git("rev-parse", f"{base}~", cwd=folder))
    store.provide(base)
    before = objects(store)
    store.provide(older)
    assert len(packs(store)) == 1
    new = commit(folder, "new")
    store.provide(new, base)
    assert len(packs(store)) == 2
    assert len(objects(store) - before) == 3
    git("fsck", "--connectivity-only", cwd=store.folder)


def test_a_base_that_the_repository_lost_is_no_obstacle(store: HistoryStore, folder: Path) -> None:
    """After a rewrite and `gc --prune=now` the store still has the old base, and takes the new one."""
    lost = commit(folder, "lost")
    store.provide(lost)
    git("reset", "--quiet", "--hard", "HEAD~", cwd=folder)
    git("reflog", "expire", "--expire=now", "--all", cwd=folder)
    git("gc", "--quiet", "--prune=now", cwd=folder)
    new = commit(folder, "new")
    store.provide(new)
    assert {lost, new} <= objects(store)
    git("fsck", "--connectivity-only", cwd=store.folder)


def test_an_incomplete_history_is_refused_and_leaves_no_base(store: HistoryStore, folder: Path) -> None:
    """The store says that it has a base only when all of it is there; when the object is back, it takes it."""
    base = commit(folder, "base")
    blob = git("rev-parse", "HEAD:base", cwd=folder)
    missing = folder / ".git" / "objects" / blob[:2] / blob[2:]
    content = missing.read_bytes()
    missing.unlink()
    with pytest.raises(GitFailed):
        store.provide(base)
    missing.write_bytes(content)
    store.provide(base)
    git("fsck", "--connectivity-only", cwd=store.folder)
    assert base in objects(store)


@pytest.mark.parametrize("clone", ["--depth=2", "--filter=blob:none"])
def test_of_a_clone_without_all_objects_it_holds_what_there_is(folder: Path, tmp_path: Path, clone: str) -> None:
    """A shallow clone gives its commits; of a partial clone the base alone is needed."""
    for name in ("one", "two", "three"):
        commit(folder, name)
    git("config", "uploadpack.allowFilter", "true", cwd=folder)
    copy = tmp_path / "copy"
    git("clone", "--quiet", clone, f"file://{folder}", str(copy), cwd=tmp_path)
    store = HistoryStore(Repository.discover(copy), tmp_path / "store.git")
    base = Oid(git("rev-parse", "HEAD", cwd=copy))
    store.provide(base)
    assert store.shallow()
    assert git("show", f"{base}:three", cwd=store.folder) == "three"
    assert git("rev-list", "--count", base, cwd=store.folder) == ("2" if "depth" in clone else "1")
