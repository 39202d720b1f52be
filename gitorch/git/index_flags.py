"""What a worktree's index hides from git, and copies of an index in which nothing is hidden.

`git update-index --assume-unchanged` and `--skip-worktree` tell git not to look at a file: it says that the worktree is
clean, whatever the file holds, and resets and commits pass over it. A sparse checkout marks the files that it leaves
out in the same way: where there is no file, nothing was deleted.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gitorch.git.repository import Repository

if TYPE_CHECKING:
    from gitorch.git.worktrees import Dirt, Worktree

_COPY = "gitorch-rescue-index-"
_LEFT_SECONDS = 3600.0


class Hidden(msgspec.Struct, frozen=True):
    """The paths that git was told not to look at: those that it takes for unchanged, those that it takes for left out
    of the checkout although something is there, and those that are left out."""

    assumed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


class Staged(msgspec.Struct, frozen=True):
    """An entry of an index that is not as HEAD has it."""

    mode: str
    blob: str
    path: str


def hidden(repository: Repository, worktree: Worktree, index: Path | None = None) -> Hidden:
    """Return what a worktree's index hides (or another `index` of it)."""
    listing = worktree.git(repository, "ls-files", "-v", "-z", env=_using(index)).stdout
    # almost always all are plain: a letter and a space, and no path is worth decoding
    told = [os.fsdecode(entry) for entry in listing.split(b"\0") if entry and not entry.startswith((b"H ", b"M "))]
    assumed = [entry[2:] for entry in told if entry[0].islower()]
    left_out = [entry[2:] for entry in told if entry[0] in "Ss"]
    there = set(_present(worktree.path, left_out))
    return Hidden(
        assumed=tuple(dict.fromkeys(assumed)),
        skipped=tuple(path for path in left_out if path in there),
        absent=tuple(path for path in left_out if path not in there),
    )


def uncover(
    repository: Repository, worktree: Worktree, index: Path | None = None, found: Hidden | None = None
) -> Hidden:
    """Let git see what an index hides, as `found` or as it is now; return what that was.

    What is left out of the checkout stays so.
    """
    found = found or hidden(repository, worktree, index)
    _clear(repository, worktree, index, "--no-assume-unchanged", found.assumed)
    _clear(repository, worktree, index, "--no-skip-worktree", found.skipped)
    return found


def bring_back(repository: Repository, worktree: Worktree) -> None:
    """Write the files that are left out of a checkout, unless it is a sparse one, which somebody wants so."""
    asked = ("config", "--type=bool", "--get", "core.sparseCheckout")
    if worktree.git(repository, *asked, ok=(0, 1)).text == "true":
        return
    paths = hidden(repository, worktree).absent
    _clear(repository, worktree, None, "--no-skip-worktree", paths)
    worktree.git(repository, "checkout-index", "--quiet", "--index", "-z", "--stdin", input=_lines(paths))


def stage(repository: Repository, worktree: Worktree, found: Dirt, *, index: Path | None = None) -> None:
    """Put all uncommitted files into the index (or into a private one), except repositories inside.

    What the index hides from git is hidden no longer.
    """
    uncover(repository, worktree, index)
    patterns = [b":(top)"] + [b":(top,exclude,literal)" + os.fsencode(path.rstrip("/")) for path in found.nested]
    worktree.git(
        repository,
        "add",
        "--all",
        "--sparse",  # new files beside what a sparse checkout has, too
        "--pathspec-from-file=-",
        "--pathspec-file-nul",
        input=b"\0".join(patterns),
        env=_using(index),
    )


def snapshot(repository: Repository, worktree: Worktree, found: Dirt) -> tuple[str, str]:
    """Return HEAD's commit (empty: not born) and the tree of all files as they are, by way of a private index."""
    head = worktree.git(repository, "rev-parse", "--verify", "--quiet", "HEAD", ok=(0, 1)).text
    # the worktree's own index knows when files were last read: what has not changed since is not read again
    with copied(worktree) as index:
        env = _using(index) | repository.identity()
        if worktree.git(repository, "read-tree", *_onto(head), env=env, ok=(0, 128)).code:
            index.unlink(missing_ok=True)  # the copy was of no use: begin with none
            worktree.git(repository, "read-tree", *_onto(head), env=env)
        stage(repository, worktree, found, index=index)
        _overlay(repository, worktree, index, found.staged)
        return head, worktree.git(repository, "write-tree", env=env).text


def _onto(head: str) -> tuple[str, ...]:
    return ("--reset", head) if head else ("--empty",)


@contextmanager
def copied(worktree: Worktree) -> Iterator[Path]:
    """Lend a copy of a worktree's index (of none: a name where one can be made), and remove it."""
    for left in worktree.admin.glob(f"{_COPY}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _LEFT_SECONDS:  # of one that was killed
                left.unlink()
    index = worktree.admin / f"{_COPY}{uuid.uuid4().hex}"
    try:
        with contextlib.suppress(FileNotFoundError):
            _copy(worktree.admin / "index", index)
        yield index
    finally:
        index.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file:
        target.write_bytes(file.read())
        times = os.fstat(file.fileno())
    # by its index's time git knows which files may have changed in the very moment in which it saw them
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextmanager
def honest(repository: Repository, worktree: Worktree) -> Iterator[tuple[Mapping[str, str], Hidden]]:
    """Lend the environment in which git sees a worktree as it is, with what its index hides.

    The index is not changed, and copied only where it hides something.
    """
    found = hidden(repository, worktree)
    if not (found.assumed or found.skipped):
        yield {}, found
        return
    with copied(worktree) as index:
        uncover(repository, worktree, index, found)
        yield _using(index), found


def _overlay(repository: Repository, worktree: Worktree, index: Path, staged: Iterable[Staged]) -> None:
    """Take over into a private index what was put into the worktree's own, and is in no file that git would add.

    That is what git ignores, as it is now; and, without a file, what is left out of the checkout.
    """
    every = {one.path: one for one in staged}
    there = set(_present(worktree.path, every))
    env = _using(index)
    if files := [path for path in there if _is_plain(worktree.path / path)]:
        worktree.git(repository, "update-index", "--add", "-z", "--stdin", input=_lines(files), env=env)
    if entries := [f"{one.mode} {one.blob}\t{path}\0" for path, one in every.items() if path not in there]:
        asked = os.fsencode("".join(entries))
        worktree.git(repository, "update-index", "-z", "--index-info", input=asked, env=env)


def _is_plain(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _clear(repository: Repository, worktree: Worktree, index: Path | None, mark: str, paths: Iterable[str]) -> None:
    # git clears one mark at a time
    if paths := tuple(paths):
        worktree.git(repository, "update-index", mark, "-z", "--stdin", input=_lines(paths), env=_using(index))


def _using(index: Path | None) -> dict[str, str]:
    return {"GIT_INDEX_FILE": str(index)} if index else {}


def _lines(paths: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def _present(top: Path, paths: Iterable[str]) -> list[str]:
    """Return the paths at which something is. What lies behind a link is not in the worktree."""
    folders: dict[str, bool] = {"": True}
    return [path for path in paths if _is_there(top, path, folders)]


def _is_there(top: Path, path: str, folders: dict[str, bool]) -> bool:
    folder = path.rpartition("/")[0]
    if folder not in folders:
        parts = folder.split("/")
        for depth in range(1, len(parts) + 1):
            here, above = "/".join(parts[:depth]), "/".join(parts[: depth - 1])
            if here not in folders:
                folders[here] = folders[above] and _is_folder(top / here)
    return folders[folder] and os.path.lexists(top / path)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
