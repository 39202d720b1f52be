"""Boxes in repositories of every shape: the same work, and nothing that the agent did not touch comes home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitorch.rooms.protocol import Collected, RoomError
from tests.support import sandbox
from tests.support.git import commit, git

WORK = "git status --porcelain; echo more >> new.txt; git add new.txt; git commit -qm work; git status --porcelain"


def plain(folder: Path) -> Path:
    return folder


def detached(folder: Path) -> Path:
    git("checkout", "-q", "--detach", cwd=folder)
    return folder


def bare(folder: Path) -> Path:
    target = folder.parent / "bare.git"
    git("clone", "-q", "--bare", str(folder), str(target), cwd=folder)
    return target


def shallow(folder: Path) -> Path:
    commit(folder, "second", {"second": "x"})
    target = folder.parent / "shallow"
    git("clone", "-q", "--depth=1", folder.as_uri(), str(target), cwd=folder)
    return target


def sha256(folder: Path) -> Path:
    target = folder.parent / "sha256"
    git("init", "-q", "--object-format=sha256", str(target), cwd=folder.parent)
    commit(target, "first", {"a": "x"})
    return target


def sparse(folder: Path) -> Path:
    commit(folder, "folders", {"in/a": "x", "out/b": "x"})
    git("sparse-checkout", "set", "in", cwd=folder)
    return folder


def line_ends(folder: Path) -> Path:
    git("config", "core.autocrlf", "true", cwd=folder)
    commit(folder, "lines", {"text.txt": "a\r\nb\r\n"})
    return folder


def separate(folder: Path) -> Path:
    git("init", "-q", f"--separate-git-dir={folder.parent / 'elsewhere'}", cwd=folder)
    return folder


def borrowed(folder: Path) -> Path:
    target = folder.parent / "borrowed"
    git("clone", "-q", "--shared", str(folder), str(target), cwd=folder)
    return target


def split_index(folder: Path) -> Path:
    git("config", "core.splitIndex", "true", cwd=folder)
    return folder


def worktree_settings(folder: Path) -> Path:
    git("config", "extensions.worktreeConfig", "true", cwd=folder)
    git("config", "--worktree", "core.fileMode", "false", cwd=folder)
    return folder


def packed(folder: Path) -> Path:
    git("gc", "-q", cwd=folder)
    return folder


def submodule_inside(folder: Path) -> Path:
    other = folder.parent / "library"
    git("init", "-q", str(other), cwd=folder.parent)
    commit(other, "first", {"a": "x"})
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "library", cwd=folder)
    commit(folder, "add the library", {})
    return folder


def a_submodule(folder: Path) -> Path:
    outer = folder.parent / "outer"
    git("init", "-q", str(outer), cwd=folder.parent)
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(folder), "inner", cwd=outer)
    return outer / "inner"


@pytest.mark.parametrize(
    "shape",
    [
        *(plain, detached, bare, shallow, sha256, sparse, line_ends, separate, borrowed, split_index),
        *(worktree_settings, packed, submodule_inside, a_submodule),
    ],
    ids=lambda shape: shape.__name__,
)
def test_work_in_a_repository_of_this_shape(repository_folder: Path, shape: Callable[[Path], Path]) -> None:
    """The agent finds a clean checkout, commits one file, and one file comes home."""
    folder = shape(repository_folder)
    room = sandbox.room_in(folder)
    done = sandbox.act(room, WORK)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    result = room.collect("work")
    assert isinstance(result, Collected), result
    assert (result.commits, result.completed) == (1, False)
    assert git("diff", "--name-only", "HEAD", "orch/t", cwd=folder) == "new.txt"
    assert git("status", "--porcelain", cwd=room.directory) == ""
    git("fsck", cwd=folder)


@pytest.mark.parametrize("kind", ["blob:none", "tree:0"])
def test_work_in_a_partial_clone(repository_folder: Path, kind: str) -> None:
    """The agent has the base commit without its history, nothing is fetched for it, and its work comes home."""
    git("config", "uploadpack.allowFilter", "true", cwd=repository_folder)
    commit(repository_folder, "second", {"README.md": "changed"})
    target = repository_folder.parent / "partial"
    git("clone", "-q", f"--filter={kind}", repository_folder.as_uri(), str(target), cwd=repository_folder)
    repository_folder.rename(repository_folder.with_name("gone"))
    room = sandbox.room_in(target)
    done = sandbox.act(room, f"{WORK}; git log --format=%s; git fsck")
    assert (done.returncode, done.stdout) == (0, "work\nsecond\n"), done.stderr
    assert isinstance(room.collect("work"), Collected)
    assert git("diff", "--name-only", "HEAD", "orch/t", cwd=target) == "new.txt"
    assert git("rev-parse", "--is-shallow-repository", cwd=target) == "false"
    assert git("rev-parse", "orch/t~1", cwd=target) == git("rev-parse", "HEAD", cwd=target)


def test_a_sparse_partial_clone_is_refused_in_words(repository_folder: Path) -> None:
    """The base commit itself is not all there, so that no agent's repository can hold it."""
    git("config", "uploadpack.allowFilter", "true", cwd=repository_folder)
    commit(repository_folder, "folders", {"in/a": "x", "out/b": "y"})
    target = repository_folder.parent / "partial"
    source = repository_folder.as_uri()
    git("clone", "-q", "--filter=blob:none", "--sparse", source, str(target), cwd=repository_folder)
    repository_folder.rename(repository_folder.with_name("gone"))
    with pytest.raises(RoomError, match="not complete"):
        sandbox.room_in(target)


def test_a_path_with_a_line_end(repository_folder: Path) -> None:
    """The agent's repository finds the history also where a folder's name has odd characters."""
    folder = repository_folder.rename(repository_folder.parent / "a folder\nwith 'quotes' \"and\" \\ $lines")
    room = sandbox.room_in(folder)
    done = sandbox.act(room, WORK)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert isinstance(room.collect("work"), Collected)


def test_submodules_can_be_filled(repository_folder: Path) -> None:
    """`git submodule update --init` works although the configuration is read-only, and brings no change home."""
    folder = submodule_inside(repository_folder)
    git("submodule", "--quiet", "deinit", "--all", "--force", cwd=folder)
    library = folder.parent / "library"
    room = sandbox.room_in(folder, f"read = ['{library}']")
    update = "git -c protocol.file.allow=always submodule --quiet update --init"
    done = sandbox.act(room, f"{update} && cat library/a && {WORK}")
    assert (done.returncode, done.stdout) == (0, "x"), done.stderr
    assert isinstance(room.collect("work"), Collected)
    assert git("diff", "--name-only", "HEAD", "orch/t", cwd=folder) == "new.txt"


def test_addresses_of_submodules_come_without_passwords(repository_folder: Path) -> None:
    """A token in the address of a submodule stays with the user."""
    folder = submodule_inside(repository_folder)
    git("config", "submodule.library.url", "https://user:token@example.org/library.git", cwd=folder)
    room = sandbox.room_in(folder)
    done = sandbox.act(room, "git config --get-regexp ^submodule")
    assert done.stdout == "submodule.library.url https://example.org/library.git\n"
