"""Linked worktrees with real git: made side by side, saved, removed, and made again after a kill."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gitorch.errors import Refused
from gitorch.git import layout
from gitorch.git.opened_worktree import WorktreeReplaced
from gitorch.git.repository import GitFailed, Output, Repository
from gitorch.git.worktrees import linked_worktrees, worktree_status, worktree_trash
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.git.worktrees.worktree_status import Uncommitted
from gitorch.model.naming import Oid, Ref, rescue_ref
from tests.support.git import commit, git, run
from tests.support.scale import scaled

FORK = multiprocessing.get_context("fork")
RESCUE = rescue_ref("t")


def home(repo: Repository) -> Path:
    assert repo.work_tree is not None
    return repo.work_tree


def branches(repo: Repository, count: int) -> list[str]:
    names = [f"orch/t{number}" for number in range(count)]
    for name in names:
        git("branch", name, "main", cwd=home(repo))
    return names


def added(repo: Repository, name: str = "t", place: str = "task trees/ünï") -> Worktree:
    git("branch", f"orch/{name}", "main", cwd=home(repo))
    return linked_worktrees.add(repo, home(repo).parent / place / name, f"orch/{name}", "test")


def files(folder: Path) -> dict[str, bytes | str]:
    """Return all files below a folder, links as what they point at."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if (path.is_file() or path.is_symlink()) and ".git" not in path.relative_to(folder).parts
    }


def test_a_new_worktree(repo: Repository) -> None:
    """It holds the branch's files, is locked with the reason, and is found again."""
    worktree = added(repo)
    assert files(worktree.path) == files(home(repo))
    assert git("rev-parse", "--abbrev-ref", "HEAD", cwd=worktree.path) == "orch/t"
    assert git("status", "--porcelain", cwd=worktree.path) == ""
    assert "locked test" in git("worktree", "list", "--porcelain", cwd=home(repo))
    assert linked_worktrees.find(repo, worktree.path) == worktree
    assert linked_worktrees.find(repo, worktree.path.parent) is None
    assert git("status", "--porcelain", cwd=home(repo)) == ""


@pytest.mark.skipif(os.cpu_count() == 1, reason="one processor writes them all")
def test_many_files_are_written_in_parallel(repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By more than one process of git, whatever the user has set for their own checkouts."""
    commit(home(repo), "many", {f"f{number}.txt": f"{number}\n" for number in range(120)})
    git("config", "checkout.workers", "1", cwd=home(repo))
    (tmp_path / "traces").mkdir()
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(tmp_path / "traces"))
    worktree = added(repo)
    monkeypatch.delenv("GIT_TRACE2_EVENT")
    assert sum("checkout--worker" in trace.read_text() for trace in (tmp_path / "traces").iterdir()) > 1
    assert files(worktree.path) == files(home(repo))


@pytest.mark.parametrize("name", ["with space", "línea\nnueva", "--force", "'\"`;$(x)", "t.lock", "a" * 200])
def test_any_path(repo: Repository, name: str) -> None:
    """A worktree can be at any path that the file system takes."""
    git("branch", "orch/t", "main", cwd=home(repo))
    path = home(repo).parent / name / name
    worktree = linked_worktrees.add(repo, path, "orch/t", "why `not`;\nthough")
    assert linked_worktrees.find(repo, path) == worktree
    (path / "new").write_text("x")
    assert worktree_status.uncommitted(repo, worktree) == Uncommitted(("new",), ())
    (path / "new").unlink()
    linked_worktrees.take_away(repo, worktree.path, RESCUE, "m")
    assert not path.exists()


def test_a_path_through_a_link(repo: Repository) -> None:
    """A folder that is reached through a symbolic link is the same worktree."""
    real = home(repo).parent / "real"
    real.mkdir()
    (home(repo).parent / "link").symlink_to(real)
    git("branch", "orch/t", "main", cwd=home(repo))
    worktree = linked_worktrees.add(repo, home(repo).parent / "link" / "t", "orch/t", "test")
    assert linked_worktrees.find(repo, real / "t") is not None
    assert files(worktree.path) == files(home(repo))


def test_what_is_in_the_way_stays(repo: Repository) -> None:
    """A folder that is not empty is not written into."""
    path = home(repo).parent / "t"
    path.mkdir()
    (path / "precious").write_text("mine")
    git("branch", "orch/t", "main", cwd=home(repo))
    with pytest.raises(Refused, match="exists and is not empty"):
        linked_worktrees.add(repo, path, "orch/t", "test")
    assert (path / "precious").read_text() == "mine"


def test_a_folder_that_was_removed_by_hand(repo: Repository) -> None:
    """Where a person removed the folder, the worktree is made again."""
    worktree = added(repo)
    shutil.rmtree(worktree.path)
    assert linked_worktrees.find(repo, worktree.path) is None
    again = linked_worktrees.add(repo, worktree.path, "orch/t", "test")
    assert files(again.path) == files(home(repo))


def test_sixteen_threads(repo: Repository) -> None:
    """Worktrees made at the same time by threads all succeed."""
    names = branches(repo, 16)
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda name: linked_worktrees.add(repo, home(repo).parent / name, name, "test"), names))
    assert all(files(one.path) == files(home(repo)) for one in made)
    assert [git("symbolic-ref", "--short", "HEAD", cwd=one.path) for one in made] == names


def test_sixteen_processes(repo: Repository) -> None:
    """So do those made by processes, also while others are removed."""
    names = branches(repo, 16)
    old = [added(repo, f"old{number}") for number in range(2)]

    def make(name: str) -> None:
        linked_worktrees.add(repo, home(repo).parent / name, name, "test")

    def drop(worktree: Worktree) -> None:
        linked_worktrees.take_away(repo, worktree.path, RESCUE, "m")

    children = [FORK.Process(target=make, args=(name,)) for name in names]
    children += [FORK.Process(target=drop, args=(one,)) for one in old]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 18
    assert all(files(home(repo).parent / name) == files(home(repo)) for name in names)


ODD_NAMES = [
    "new",
    "spa ce",
    "new\nline",
    "ünï/çode 🚀",
    '"quoted"',
    "-dash",
    ":(top)x",
    "*glob?[a]",
    "tab\t",
    "#x",
    "a\\b",
]


def make_dirty(folder: Path) -> dict[str, bytes | str]:
    """Change, add and delete files of all kinds, staged and not; return what the folder holds now."""
    for name in ODD_NAMES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"new \r\n\x00 " + name.encode())
    Path(os.fsdecode(os.fsencode(folder) + b"/not-utf8-\xff")).write_bytes(b"bytes")
    (folder / "src/app.py").write_text("changed\n")
    (folder / "src/lib.py").unlink()
    (folder / "link").unlink()
    (folder / "link").symlink_to("src/app.py")
    (folder / "run.sh").chmod(0o644)
    (folder / "debug.log").write_text("ignored")
    git("rm", "--quiet", "data.bin", cwd=folder)
    git("add", "src/app.py", "new", cwd=folder)
    (folder / "new").write_text("staged, and changed since")
    git("mv", "README.md", "READ ME.md", cwd=folder)
    return files(folder)


def test_rescue_saves_everything_and_changes_nothing(repo: Repository) -> None:
    """New, changed and deleted files with any name are in the rescue point; branch, index and files are as before."""
    worktree = added(repo)
    before = make_dirty(worktree.path)
    tip, index = git("rev-parse", "HEAD", cwd=worktree.path), (worktree.admin / "index").read_bytes()
    oid = linked_worktrees.rescue(repo, worktree, RESCUE, "uncommitted `files`\n")
    assert oid is not None
    assert (worktree.admin / "index").read_bytes() == index
    assert files(worktree.path) == before
    assert git("rev-parse", "orch/t", cwd=home(repo)) == tip
    assert sorted(path.name for path in worktree.admin.iterdir() if "rescue" in path.name) == []
    assert checked_out(repo, oid) == {name: content for name, content in before.items() if name != "debug.log"}
    assert git("log", "-1", "--format=%B", oid, cwd=home(repo)) == "uncommitted `files`"
    assert git("ls-tree", oid, "run.sh", cwd=home(repo)).startswith("100644")


def checked_out(repo: Repository, oid: Oid) -> dict[str, bytes | str]:
    folder = home(repo).parent / f"seen-{oid}"
    git("worktree", "add", "--quiet", "--detach", str(folder), oid, cwd=home(repo))
    found = files(folder)
    git("worktree", "remove", "--force", str(folder), cwd=home(repo))
    return found


def test_nothing_to_rescue(repo: Repository) -> None:
    """A clean worktree, or one with ignored files alone, needs no rescue point."""
    worktree = added(repo)
    (worktree.path / "debug.log").write_text("ignored")
    assert linked_worktrees.rescue(repo, worktree, RESCUE, "m") is None
    assert repo.refs(RESCUE) == {}


def test_earlier_rescue_points_stay(repo: Repository) -> None:
    """Each rescue point can be reached from the one after it."""
    worktree = added(repo)
    (worktree.path / "a").write_text("1")
    first = linked_worktrees.rescue(repo, worktree, RESCUE, "one")
    (worktree.path / "a").write_text("2")
    second = linked_worktrees.rescue(repo, worktree, RESCUE, "two")
    assert first is not None
    assert second is not None
    assert git("log", "--first-parent", "--format=%s", second, cwd=home(repo)).split("\n")[:2] == ["two", "one"]
    assert repo.file(first, "a") == b"1"
    assert repo.refs(RESCUE) == {RESCUE: second}


def test_rescue_in_the_middle_of_a_conflict(repo: Repository) -> None:
    """Files with conflict markers are saved as they are, and the merge stays half done."""
    worktree = added(repo)
    commit(home(repo), "theirs", {"README.md": "theirs\n"})
    commit(worktree.path, "ours", {"README.md": "ours\n"})
    run("merge", "main", cwd=worktree.path, ok=(1,))
    oid = linked_worktrees.rescue(repo, worktree, RESCUE, "m")
    assert oid is not None
    assert b"<<<<<<<" in (repo.file(oid, "README.md") or b"")
    assert git("ls-files", "--unmerged", cwd=worktree.path) != ""
    assert (worktree.admin / "MERGE_HEAD").exists()


def test_commits_on_no_branch_are_saved(repo: Repository) -> None:
    """Work that was committed on a detached HEAD would go with the worktree: it is in the rescue point, once."""
    worktree = added(repo)
    git("checkout", "--quiet", "--detach", cwd=worktree.path)
    assert linked_worktrees.rescue(repo, worktree, RESCUE, "m") is None
    loose = commit(worktree.path, "loose", {"a": "1"})
    oid = linked_worktrees.rescue(repo, worktree, RESCUE, "m")
    assert oid is not None
    assert repo.is_ancestor(Oid(loose), oid)
    assert linked_worktrees.rescue(repo, worktree, RESCUE, "m") is None
    last = commit(worktree.path, "looser", {"a": "2"})
    linked_worktrees.take_away(repo, worktree.path, RESCUE, "m")
    assert repo.is_ancestor(Oid(last), repo.refs(RESCUE)[RESCUE])


def test_a_rebase_that_was_left_half_done_is_over(repo: Repository) -> None:
    """Bringing a worktree to a commit ends whatever was begun there: the next attempt is not told of it."""
    worktree = added(repo)
    base = git("rev-parse", "HEAD", cwd=worktree.path)
    commit(worktree.path, "one", {"a": "1"})
    run("rebase", "--exec", "false", "HEAD~1", cwd=worktree.path, ok=(1,))
    linked_worktrees.restore(repo, worktree, branch="orch/t", commit=base)
    assert git("status", "--porcelain", "--branch", cwd=worktree.path) == "## orch/t"
    assert not (worktree.admin / "rebase-merge").exists()
    assert git("rev-parse", "orch/t", cwd=worktree.path) == base


def test_rescue_without_a_commit(repo: Repository) -> None:
    """Work on a branch that has no commit yet is saved, too."""
    worktree = added(repo)
    git("checkout", "--quiet", "--orphan", "fresh", cwd=worktree.path)
    (worktree.path / "a").write_text("1")
    oid = linked_worktrees.rescue(repo, worktree, RESCUE, "m")
    assert oid is not None
    assert repo.file(oid, "a") == b"1"


def test_a_replaced_git_file_changes_nothing(repo: Repository) -> None:
    """What an agent writes into `.git` of its worktree does not decide which repository is looked at."""
    worktree = added(repo)
    other = home(repo).parent / "other"
    other.mkdir()
    git("init", "--quiet", cwd=other)
    (worktree.path / ".git").write_text(f"gitdir: {other}/.git\n")
    (worktree.path / "a").write_text("1")
    oid = linked_worktrees.rescue(repo, worktree, RESCUE, "m")
    assert oid is not None
    assert repo.file(oid, "a") == b"1"


def in_trash(worktree: Worktree) -> Path:
    """Return where a worktree that was taken away is now."""
    (folder,) = (worktree.path.parent / layout.TRASH).iterdir()
    return folder


def test_a_repository_inside(repo: Repository) -> None:
    """A repository inside is named apart, saved in the rescue point file by file, and goes to the trash whole."""
    worktree = added(repo)
    inside = worktree.path / "vendor/in side"
    inside.mkdir(parents=True)
    git("init", "--quiet", cwd=inside)
    commit(inside, "precious", {"x": "x"})
    (worktree.path / "a").write_text("1")
    assert worktree_status.uncommitted(repo, worktree) == Uncommitted(("a",), ("vendor/in side/",))
    oid = linked_worktrees.rescue(repo, worktree, RESCUE, "m")
    assert oid is not None
    assert repo.file(oid, "vendor/in side/x") == b"x"
    tip = git("rev-parse", "HEAD", cwd=inside)
    assert repo.file(oid, f"vendor/in side/.git-saved/objects/{tip[:2]}/{tip[2:]}")
    linked_worktrees.take_away(repo, worktree.path, RESCUE, "m")
    assert git("log", "--format=%s", cwd=in_trash(worktree) / "vendor/in side") == "precious"


def test_a_repository_inside_that_was_added_as_a_link(repo: Repository) -> None:
    """So is one that an agent committed as a bare link, whose commits are nowhere else."""
    worktree = added(repo)
    inside = worktree.path / "vendor"
    inside.mkdir()
    git("init", "--quiet", cwd=inside)
    commit(inside, "precious", {"x": "x"})
    git("add", "--all", cwd=worktree.path)
    git("commit", "--quiet", "-m", "add", cwd=worktree.path)
    linked_worktrees.take_away(repo, worktree.path, RESCUE, "m")
    assert git("log", "--format=%s", cwd=in_trash(worktree) / "vendor") == "precious"


def test_take_away(repo: Repository) -> None:
    """Taking away saves what is uncommitted first, keeps the branch, and every file in the trash."""
    worktree = added(repo)
    before = make_dirty(worktree.path)
    linked_worktrees.take_away(repo, worktree.path, RESCUE, "m")
    assert not worktree.path.exists()
    assert not worktree.admin.exists()
    assert files(in_trash(worktree)) == before
    assert checked_out(repo, repo.refs(RESCUE)[RESCUE]) == before
    assert Ref("refs/heads/orch/t") in repo.refs()


def replace_by_link(folder: Path, home: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(home)


def replace_by_repository(folder: Path, home: Path) -> None:
    folder.rename(folder.with_name("moved"))
    shutil.copytree(home, folder, symlinks=True)


def replace_by_other_worktree(folder: Path, home: Path) -> None:
    git("worktree", "add", "--quiet", "--detach", str(folder.with_name("other")), cwd=home)
    folder.rename(folder.with_name("moved"))
    folder.with_name("other").rename(folder)


def replace_by_file(folder: Path, home: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.write_text("x")


def remove(folder: Path, home: Path) -> None:
    folder.rename(folder.with_name("moved"))


REPLACED: dict[Callable[[Path, Path], None], str] = {
    replace_by_link: "it is a link to",
    replace_by_repository: "its .git is not a file",
    replace_by_other_worktree: "its .git file names another repository",
    replace_by_file: "it is not a folder",
    remove: "it is gone",
}


@pytest.mark.parametrize(("replace", "reason"), REPLACED.items(), ids=REPLACED.values())
def test_what_takes_a_worktrees_place_is_never_touched(
    repo: Repository, replace: Callable[[Path, Path], None], reason: str
) -> None:
    """Git works in the folder that it made, or not at all: the user's files would be reset or committed."""
    worktree = added(repo)
    (home(repo) / "unsaved").write_text("precious")
    replace(worktree.path, home(repo))
    (worktree.path.with_name("moved") / "a").write_text("1")
    for call in (
        lambda: linked_worktrees.rescue(repo, worktree, RESCUE, "m"),
        lambda: linked_worktrees.restore(repo, worktree),
        lambda: worktree.git(repo, "clean", "--quiet", "-d", "--force"),
    ):
        with pytest.raises(WorktreeReplaced, match=reason):
            call()
    assert linked_worktrees.find(repo, worktree.path) is None
    assert (home(repo) / "unsaved").read_text() == "precious"
    assert repo.refs(RESCUE) == {}
    # the link itself is taken away; anything else that is not gitorch's stays
    is_foreign = worktree.path.exists() and not worktree.path.is_symlink()
    linked_worktrees.take_away(repo, worktree.path, RESCUE, "m")
    assert worktree.path.exists() == is_foreign
    assert not worktree.path.is_symlink()
    assert not worktree.admin.exists()
    assert (worktree.path.with_name("moved") / "a").read_text() == "1"


def test_a_worktree_is_known_without_its_git_file(repo: Repository) -> None:
    """An agent that removes or swaps the `.git` file loses nothing: the folder is the one that was made."""
    worktree = added(repo)
    (worktree.path / ".git").unlink()
    (worktree.path / "a").write_text("1")
    oid = linked_worktrees.rescue(repo, worktree, RESCUE, "m")
    assert oid is not None
    assert repo.file(oid, "a") == b"1"


class SwappingRepository(Repository):
    """A repository in which a link takes a worktree's place just before git starts."""

    worktree: Path

    def git(self, *args: str, **options: Any) -> Output:
        replace_by_link(self.worktree, home(self))
        return super().git(*args, **options)


def test_git_stays_in_the_folder_that_was_opened(repo: Repository) -> None:
    """A link that takes the folder's place after the look at it does not lead git elsewhere."""
    worktree = added(repo)
    (home(repo) / "unsaved").write_text("precious")
    (worktree.path / "a").write_text("1")
    swapping = SwappingRepository.discover(home(repo))
    assert isinstance(swapping, SwappingRepository)
    swapping.worktree = worktree.path
    worktree.git(swapping, "clean", "--quiet", "-d", "--force")
    assert (home(repo) / "unsaved").read_text() == "precious"
    assert not (worktree.path.with_name("moved") / "a").exists()


def test_the_trash_is_emptied_by_age(tmp_path: Path) -> None:
    """What is older than the limit goes, with folders that refuse their owner; what has no stamp stays."""
    trash = tmp_path / "trash"
    old, new = "20200101T000000000000Z", worktree_trash.new_stamp()
    for name in (f"one-{old}", f"two-{new}", old, "precious", f"a\nb-{old}"):
        (trash / name / "in side").mkdir(parents=True)
    (tmp_path / "kept").write_text("x")
    (trash / f"link-{old}").symlink_to(tmp_path / "kept")
    (trash / f"one-{old}" / "link").symlink_to(tmp_path)
    assert list(worktree_trash.expire([trash, tmp_path / "missing"], 3600)) == []
    assert {path.name for path in trash.iterdir()} == {f"two-{new}", "precious"}
    assert (tmp_path / "kept").read_text() == "x"


def _kill(target: Callable[[], object], seconds: float, *, git_too: bool) -> None:
    """Run something in a process, and kill it after some time: alone, or with the git that it started."""

    def alone() -> None:
        os.setsid()
        target()

    child = FORK.Process(target=alone)
    child.start()
    time.sleep(seconds)
    assert child.pid is not None
    try:
        (os.killpg if git_too else os.kill)(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(child.pid, signal.SIGKILL)  # it has no session of its own yet
    child.join()


@pytest.mark.parametrize("git_too", [True, False])
def test_killed_while_a_worktree_is_made(repo: Repository, git_too: bool) -> None:
    """Killed at any moment of `add`, with git or with git living on, what is half made is removed, and made again."""
    dice = random.Random(3)
    git("branch", "orch/t", "main", cwd=home(repo))
    user = home(repo).parent / "unplugged"
    git("worktree", "add", "--quiet", "--detach", str(user), cwd=home(repo))
    user.rename(home(repo).parent / "elsewhere")  # as if on a disk that is not there now
    path = home(repo).parent / "task tree"
    for _ in range(scaled(15)):
        _kill(lambda: linked_worktrees.add(repo, path, "orch/t", "test"), dice.uniform(0, 0.08), git_too=git_too)
        linked_worktrees.discard_unfinished(repo, path)
        worktree = linked_worktrees.add(repo, path, "orch/t", "test")
        assert files(path) == files(home(repo))
        assert worktree_status.uncommitted(repo, worktree) == Uncommitted((), ())
        linked_worktrees.discard_unfinished(repo, path)
        assert not path.exists()
    listed = git("worktree", "list", "--porcelain", cwd=home(repo))
    assert str(user) in listed, "another worktree of the user was pruned"
    assert listed.count("worktree ") == 2
    assert [found.name for found in (repo.common_dir / "gitorch").iterdir()] == ["worktrees.lock"]


def test_a_lock_on_the_branch_of_a_git_that_was_killed(repo: Repository) -> None:
    """Killed while it wrote files, git leaves the branch locked, also when its worktree has gone: it is made again."""
    git("branch", "orch/t", "main", cwd=home(repo))
    path = home(repo).parent / "task tree"
    linked_worktrees.add(repo, path, "orch/t", "test")
    lock = repo.common_dir / "refs/heads/orch/t.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    linked_worktrees.discard_unfinished(repo, path)
    linked_worktrees.add(repo, path, "orch/t", "test")
    assert not lock.exists()
    git("commit", "--quiet", "--allow-empty", "--message", "the agent's", cwd=path)


PARTS = {"locked": "test\n", "gitdir": "", "HEAD": f"{'0' * 40}\n", "commondir": "../..\n"}


@pytest.mark.parametrize("person", [False, True])
@pytest.mark.parametrize("last", PARTS)
@pytest.mark.parametrize("cut", [False, True])
def test_what_git_left_unfinished_is_in_nobodys_way(repo: Repository, last: str, cut: bool, person: bool) -> None:
    """Wherever git was killed, other worktrees can be made, and then this one; what a person's git makes stays."""
    names, path = branches(repo, 2), home(repo).parent / "here/t"
    admin = repo.common_dir / "worktrees/t"
    admin.mkdir(parents=True)
    parts = PARTS | {"gitdir": f"{path}/.git\n"} | ({"locked": "initializing\n"} if person else {})
    for name, content in parts.items():
        (admin / name).write_text("" if cut and name == last else content)
        if name == last:
            break
    if last in ("HEAD", "commondir"):
        path.mkdir(parents=True)
        (path / ".git").write_text(f"gitdir: {admin}\n")
    if person:
        run("worktree", "add", "-q", str(home(repo).parent / "x"), names[0], cwd=home(repo), ok=(0, 128))
        with contextlib.suppress(GitFailed):
            linked_worktrees.add(repo, home(repo).parent / "other", names[1], "test")
        assert admin.is_dir()
        return
    assert files(linked_worktrees.add(repo, home(repo).parent / "other", names[0], "test").path) == files(home(repo))
    linked_worktrees.discard_unfinished(repo, path)
    assert files(linked_worktrees.add(repo, path, names[1], "test").path) == files(home(repo))


def test_discarding_twice(repo: Repository) -> None:
    """There may be nothing to discard."""
    path = home(repo).parent / "t"
    linked_worktrees.discard_unfinished(repo, path)
    path.mkdir()
    linked_worktrees.discard_unfinished(repo, path)
    assert not path.exists()


def test_two_worktrees_of_one_name(repo: Repository) -> None:
    """Discarding one leaves alone another of the same name somewhere else."""
    one = added(repo, "t", "here")
    git("branch", "other", "main", cwd=home(repo))
    two = linked_worktrees.add(repo, home(repo).parent / "there/t", "other", "test")
    linked_worktrees.discard_unfinished(repo, two.path)
    assert linked_worktrees.find(repo, one.path) == one
    assert linked_worktrees.find(repo, two.path) is None
    assert files(one.path) == files(home(repo))
