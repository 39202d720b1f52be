"""How commits travel to other machines and back: leases, mirrors, pushes that are refused, bundles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gitorch.executors.protocol import Errand
from gitorch.executors.temporal.messages import Route
from gitorch.git.exchange.attempts import (
    ExchangeFailed,
    Mirror,
    attempts_folder,
    delivery_ref,
    end_lease,
    import_bundle,
    is_delivery_ref,
    last_rescue,
    lease_ref,
    take_lease,
)
from gitorch.git.repository import Repository
from gitorch.git.worktrees.rescue_points import skipped_of
from gitorch.model.naming import Oid, Ref
from gitorch.rooms.protocol import Progress
from gitorch.services.workers.worker_rescue import Rescues
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
    repository = mirror.borrow(folder / f"{token}.git", start, "Some Body", "some@body")
    tree = repository.tree(start)
    tip = git("commit-tree", tree, "-p", start, "-m", f"work of {token}", cwd=repository.common_dir)
    git("update-ref", "refs/heads/orch/t", tip, cwd=repository.common_dir)
    assert mirror.take(repository, Ref("refs/heads/orch/t"), token) == tip
    return Oid(tip)


def test_each_submission_takes_the_lease_and_a_repeated_one_keeps_it(home: Repository) -> None:
    """Epochs count up, also when many take it at once; the same token has the same lease."""
    first = take_lease(home, "t", "a1")
    assert (first.epoch, take_lease(home, "t", "a1")) == (1, first)
    with ThreadPoolExecutor(4) as pool:
        leases = [*pool.map(lambda number: take_lease(home, "t", f"b{number}"), range(8))]
    assert sorted(lease.epoch for lease in leases) == [*range(2, 10)]
    assert home.read_ref(lease_ref("t")) == max(leases, key=lambda lease: lease.epoch).commit


def test_a_submission_that_is_over_delivers_no_more(
    home: Repository, mirror: Mirror, start: Oid, tmp_path: Path
) -> None:
    """What it delivered before is found by its epoch, also when that is asked twice; a later one is left alone."""
    lease = take_lease(home, "t", "a1")
    mirror.fetch(start, lease.commit)
    tip = worked(mirror, tmp_path, start)
    mirror.push(tip, delivery_ref("t", 1, 1), lease_ref("t"), lease.commit)
    assert (end_lease(home, "t", "a1"), end_lease(home, "t", "a1")) == (1, 1)
    with pytest.raises(ExchangeFailed):
        mirror.push(tip, delivery_ref("t", 1, 2), lease_ref("t"), lease.commit)
    assert take_lease(home, "t", "b2").epoch == 3
    assert (end_lease(home, "t", "a1"), end_lease(home, "unknown", "a1")) == (0, 0)


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


@pytest.mark.parametrize("kind", ["sha1", "sha256"])
def test_a_lease_need_not_travel(tmp_path: Path, kind: str) -> None:
    """A worker makes its commit itself, and delivers with it; one of another version is fetched."""
    git("init", "--quiet", f"--object-format={kind}", str(tmp_path / "home"), cwd=tmp_path)
    git("commit", "--quiet", "--allow-empty", "--message=start", cwd=tmp_path / "home")
    home = Repository.discover(tmp_path / "home")
    start = Oid(git("rev-parse", "HEAD", cwd=tmp_path / "home"))
    mirror = Mirror(tmp_path / "mirror.git", str(home.common_dir))
    mirror.fetch(start)
    lease, other = take_lease(home, "t", "a1"), take_lease(home, "u", "b1")
    mirror.hold(lease, "a1")
    mirror.hold(other, "not its token")
    tip = worked(mirror, tmp_path, start)
    mirror.push(tip, delivery_ref("t", 1, 1), lease_ref("t"), lease.commit)
    mirror.push(tip, delivery_ref("u", 1, 1), lease_ref("u"), other.commit)
    fetched = git("for-each-ref", "--format=%(refname)", "refs/gitorch/base", cwd=tmp_path / "mirror.git")
    assert {name.rpartition("/")[2] for name in fetched.splitlines()} == {start, other.commit}


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
    repository = mirror.borrow(tmp_path / "b.git", start, "Some Body", "some@body")
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


def progress_with(repository: Repository, start: Oid, **files: str) -> Progress:
    """Return the progress of an agent that has not committed these files; in names, `__` stands for a slash."""
    index = {"GIT_INDEX_FILE": str(repository.common_dir / "progress"), "GIT_DIR": str(repository.common_dir)}
    git("read-tree", start, cwd=repository.common_dir, env=index)
    for name, content in files.items():
        blob = git("hash-object", "-w", "--stdin", cwd=repository.common_dir, input=content.encode())
        path = name.replace("__", "/").replace("dot_", ".").replace("_saved", "-saved")
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", cwd=repository.common_dir, env=index)
    tree = git("write-tree", cwd=repository.common_dir, env=index)
    return Progress(start, Oid(tree), ('"large" it is too large',) if "large" in files else ())


def rescues(home: Repository, mirror: Mirror, start: Oid, folder: Path) -> tuple[Repository, Rescues]:
    """Begin an attempt on a worker, which has the lease."""
    lease = take_lease(home, "t", "a1")
    mirror.fetch(start, lease.commit)
    repository = mirror.borrow(folder / "borrowed.git", start, "Some Body", "some@body")
    errand = Errand(
        conflict="",
        directory="",
        state="",
        python="",
        task="t",
        attempt=1,
        agent="a",
        branch="orch/t",
        base=start,
        start=start,
        settings=b"",
    )
    route = Route(origin=str(home.common_dir), epoch=lease.epoch, lease=lease.commit)
    return repository, Rescues(mirror, repository, errand, route, "a1")


def test_a_rescue_point_is_pushed_when_something_changed(
    home: Repository, mirror: Mirror, start: Oid, tmp_path: Path
) -> None:
    """Each under a new ref; what could not be saved is named in it."""
    repository, saver = rescues(home, mirror, start, tmp_path)
    assert saver.save(progress_with(repository, start)) is None
    first = saver.save(progress_with(repository, start, large="x"))
    assert saver.save(progress_with(repository, start, large="x")) is None
    second = saver.save(progress_with(repository, start, large="y"))
    assert first is not None
    assert second is not None
    assert [first.ref, second.ref] == ["refs/gitorch/attempts/t/1-1-1", "refs/gitorch/attempts/t/1-1-2"]
    assert [is_delivery_ref(first.ref), home.read_ref(Ref(first.ref))] == [True, first.tip]
    assert git("cat-file", "blob", f"{second.tip}:large", cwd=home.common_dir) == "y"
    assert skipped_of(git("log", "-1", "--format=%B", second.tip, cwd=home.common_dir)) == ['"large" it is too large']
    assert first.is_completed


def test_a_stale_attempt_saves_nothing_at_home(home: Repository, mirror: Mirror, start: Oid, tmp_path: Path) -> None:
    """The next submission has the lease: what the earlier one pushes now is refused as a whole."""
    repository, saver = rescues(home, mirror, start, tmp_path)
    take_lease(home, "t", "b2")
    with pytest.raises(ExchangeFailed):
        saver.save(progress_with(repository, start, one="x"))
    assert git("for-each-ref", "refs/gitorch/attempts", cwd=home.common_dir) == ""


def test_a_push_whose_answer_was_lost_does_not_end_the_rescue_points(
    home: Repository, mirror: Mirror, start: Oid, tmp_path: Path
) -> None:
    """Its ref exists, which the worker does not know: the next rescue point gets another one."""
    repository, saver = rescues(home, mirror, start, tmp_path)
    git("update-ref", "refs/gitorch/attempts/t/1-1-1", start, cwd=home.common_dir)
    with pytest.raises(ExchangeFailed):
        saver.save(progress_with(repository, start, one="x"))
    saved = saver.save(progress_with(repository, start, one="x"))
    assert saved is not None
    assert saved.ref == "refs/gitorch/attempts/t/1-1-2"


def test_the_last_rescue_point_is_that_of_who_works_now(
    home: Repository, mirror: Mirror, start: Oid, tmp_path: Path
) -> None:
    """Not of another task, an earlier submission, or an agent that has delivered at its end."""
    repository, saver = rescues(home, mirror, start, tmp_path)
    saver.save(progress_with(repository, start, one="x"))
    saved = saver.save(progress_with(repository, start, one="y"))
    git("update-ref", "refs/gitorch/attempts/t2/1-1-9", start, cwd=home.common_dir)

    def last() -> Oid | None:
        return last_rescue(home, home.refs(attempts_folder("t")), "t")

    assert saved is not None
    assert last() == saved.tip
    assert last_rescue(home, {}, "t") is None
    git("update-ref", "refs/gitorch/attempts/t/1-1", start, cwd=home.common_dir)
    assert last() is None
    git("update-ref", "-d", "refs/gitorch/attempts/t/1-1", cwd=home.common_dir)
    take_lease(home, "t", "b2")
    assert last() is None


def test_a_repository_inside_is_saved_and_not_for_the_branch(
    home: Repository, mirror: Mirror, start: Oid, tmp_path: Path
) -> None:
    """Its `.git` folder is at home as files, and no branch may get it."""
    repository, saver = rescues(home, mirror, start, tmp_path)
    saved = saver.save(progress_with(repository, start, inside__one="x", inside__dot_git_saved__HEAD="x"))
    assert saved is not None
    assert (saved.tip, saved.problem.split(" (")[0]) == ("", "the worktree contains a git repository: inside")
    names = git("ls-tree", "-r", "--name-only", "refs/gitorch/attempts/t/1-1-1", cwd=home.common_dir)
    assert "inside/.git-saved/HEAD" in names
