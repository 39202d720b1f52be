"""How commits travel to other machines and back: leases, mirrors, pushes that are refused, bundles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gitorch.git.attempt_exchange import (
    ExchangeFailed,
    Mirror,
    delivery_ref,
    import_bundle,
    is_delivery_ref,
    lease_ref,
    take_lease,
)
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, Ref
from tests.support.git import git

INCOMING = Ref("refs/gitorch/incoming/t")


@pytest.fixture
def home(repository_folder: Path) -> Repository:
    return Repository.discover(repository_folder)


@pytest.fixture
def start(home: Repository) -> Oid:
    commit = home.resolve("main")
    assert commit is not None
    return commit


@pytest.fixture
def mirror(home: Repository, tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "mirrors" / "m.git", str(home.common_dir))


def worked(mirror: Mirror, folder: Path, start: Oid, token: str = "a1") -> Oid:
    """Let somebody commit in a borrowed repository, and take the commit into the mirror."""
    repository = mirror.borrow(folder / f"{token}.git", "Some Body", "some@body")
    tree = repository.tree(start)
    tip = git("commit-tree", tree, "-p", start, "-m", f"work of {token}", cwd=repository.common_dir)
    git("update-ref", "refs/heads/orch/t", tip, cwd=repository.common_dir)
    assert mirror.take(repository, "orch/t", token) == tip
    return Oid(tip)


def test_each_submission_takes_the_lease_and_a_repeated_one_keeps_it(home: Repository) -> None:
    """Epochs count up, also when many take it at once; the same token has the same lease."""
    first = take_lease(home, "t", "a1")
    assert (first.epoch, take_lease(home, "t", "a1")) == (1, first)
    with ThreadPoolExecutor(4) as pool:
        leases = [*pool.map(lambda number: take_lease(home, "t", f"b{number}"), range(8))]
    assert sorted(lease.epoch for lease in leases) == [*range(2, 10)]
    assert home.read_ref(lease_ref("t")) == max(leases, key=lambda lease: lease.epoch).commit


def test_work_is_delivered_once_and_a_repeated_delivery_changes_nothing(
    home: Repository, mirror: Mirror, start: Oid, tmp_path: Path
) -> None:
    """A ref is made, never moved; branches and everything else stay as they are."""
    lease = take_lease(home, "t", "a1")
    mirror.fetch(start, lease.commit)
    ref = delivery_ref("t", lease.epoch, 1)
    assert is_delivery_ref(ref)
    before = home.refs("refs/heads")
    tip, other = worked(mirror, tmp_path, start), worked(mirror, tmp_path, start, "a2")
    mirror.push(tip, ref, lease_ref("t"), lease.commit)
    mirror.push(tip, ref, lease_ref("t"), lease.commit)
    with pytest.raises(ExchangeFailed, match="could not push"):
        mirror.push(other, ref, lease_ref("t"), lease.commit)
    assert home.read_ref(ref) == tip
    assert home.refs("refs/heads") == before


def test_a_stale_submission_cannot_deliver(home: Repository, mirror: Mirror, start: Oid, tmp_path: Path) -> None:
    """Once another submission has the lease, the push of an earlier one is refused as a whole."""
    stale = take_lease(home, "t", "a1")
    mirror.fetch(start, stale.commit)
    tip = worked(mirror, tmp_path, start)
    current = take_lease(home, "t", "a2")
    ref = delivery_ref("t", stale.epoch, 1)
    with pytest.raises(ExchangeFailed, match="could not push"):
        mirror.push(tip, ref, lease_ref("t"), stale.commit)
    assert home.read_ref(ref) is None
    assert home.read_ref(lease_ref("t")) == current.commit


def test_a_bundle_brings_the_same_commit(home: Repository, mirror: Mirror, start: Oid, tmp_path: Path) -> None:
    """Twice is as once; a limit is kept; a damaged one is refused with a reason."""
    mirror.fetch(start)
    tip = worked(mirror, tmp_path, start)
    bundle = mirror.bundle("a1", start, 1_000_000)
    assert [import_bundle(home, bundle, INCOMING) for _ in range(2)] == ["", ""]
    assert home.read_ref(INCOMING) == tip
    assert import_bundle(home, bundle[:60], INCOMING)
    with pytest.raises(ExchangeFailed, match="use a push"):
        mirror.bundle("a1", start, 10)


def test_a_borrowed_repository_has_no_way_back(mirror: Mirror, start: Oid, tmp_path: Path) -> None:
    """It has no remote, and commits in the name of the user at home."""
    mirror.fetch(start)
    repository = mirror.borrow(tmp_path / "b.git", "Some Body", "some@body")
    assert repository.exists(start)
    assert git("remote", cwd=repository.common_dir) == ""
    assert repository.committer().startswith("Some Body <some@body>")


@pytest.mark.parametrize("origin", ["--upload-pack=touch x", "ext::sh -c true", "relative/path", "git://host/x", ""])
def test_an_origin_that_is_none(tmp_path: Path, origin: str) -> None:
    """Neither an option nor a program nor a protocol without encryption."""
    with pytest.raises(ExchangeFailed):
        Mirror(tmp_path / "m.git", origin)


def test_a_commit_that_the_origin_does_not_have(mirror: Mirror) -> None:
    """The reason says from where it was to come."""
    with pytest.raises(ExchangeFailed, match="could not fetch from /"):
        mirror.fetch(Oid("1" * 40))


def test_old_history_with_faults_is_fetched(home: Repository, mirror: Mirror, start: Oid) -> None:
    """As in repositories whose first commits were made by other programs: it is the user's own."""
    assert home.work_tree is not None
    blob = git("rev-parse", f"{start}:README.md", cwd=home.work_tree)
    content = b"0100644 README.md\0" + bytes.fromhex(blob)
    words = ("hash-object", "--literally", "-t", "tree", "-w", "--stdin")
    tree = git(*words, cwd=home.work_tree, input=content)
    tip = Oid(git("commit-tree", tree, "-p", start, "-m", "zero-padded", cwd=home.work_tree))
    git("update-ref", "refs/heads/old", tip, cwd=home.work_tree)
    with pytest.raises(AssertionError, match="zeroPaddedFilemode"):
        git("fsck", "--strict", cwd=home.work_tree)
    mirror.fetch(tip)
