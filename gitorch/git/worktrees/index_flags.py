"""Paths that a worktree's index hides from git, and copies of an index without these flags.

`git update-index --assume-unchanged` and `--skip-worktree` tell git to ignore a file: it reports the worktree as clean,
whatever the file holds, and resets and commits skip it. A sparse checkout flags the files it leaves out in the same
way: if there is no file, nothing was deleted.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gitorch.git.repository import Repository
from gitorch.git.worktree_list import Worktree

_COPY_PREFIX = "gitorch-rescue-index-"
_STALE_COPY_SECONDS = 3600.0


class FlaggedPaths(msgspec.Struct, frozen=True):
    """The paths that an index hides from git: `assumed` unchanged, `skipped` although there is a file, and `absent`.

    Absent ones are left out of the checkout.
    """

    assumed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


class StagedEntry(msgspec.Struct, frozen=True):
    """An index entry that differs from HEAD."""

    mode: str
    blob: str
    path: str


def read_flags(repository: Repository, worktree: Worktree, index: Path | None = None) -> FlaggedPaths:
    """Return the paths that a worktree's index, or another `index` of it, hides from git."""
    listing = worktree.git(repository, "ls-files", "-v", "-z", env=_index_env(index)).stdout
    # almost always all entries are plain (`H PATH`), and no path is worth decoding
    entries = (entry for entry in listing.split(b"\0") if entry and not entry.startswith((b"H ", b"M ")))
    return _flagged(worktree, [(chr(entry[0]), os.fsdecode(entry[2:])) for entry in entries])


def flags_and_submodules(repository: Repository, worktree: Worktree) -> tuple[FlaggedPaths, list[str]]:
    """Return the paths that a worktree's index hides from git, and those of submodules, in one call of git."""
    listing = worktree.git(repository, "ls-files", "-v", "--stage", "-z").stdout
    flagged, submodules = [], []
    for entry in listing.split(b"\0"):
        if entry and not entry.startswith((b"H 1006", b"H 1007", b"H 12")):
            head, _, path = entry.partition(b"\t")
            flagged.append((chr(head[0]), os.fsdecode(path)))
            submodules += [os.fsdecode(path)] if head[2:].startswith(b"160000") else []
    return _flagged(worktree, [entry for entry in flagged if entry[0] not in "HM"]), submodules


def _flagged(worktree: Worktree, entries: Sequence[tuple[str, str]]) -> FlaggedPaths:
    """Sort entries by the letter that `ls-files -v` gives them."""
    skipped = [path for letter, path in entries if letter in "Ss"]
    existing = set(_existing(worktree.path, skipped))
    return FlaggedPaths(
        assumed=tuple(dict.fromkeys(path for letter, path in entries if letter.islower())),
        skipped=tuple(path for path in skipped if path in existing),
        absent=tuple(path for path in skipped if path not in existing),
    )


def clear_flags(
    repository: Repository, worktree: Worktree, index: Path | None = None, flagged: FlaggedPaths | None = None
) -> FlaggedPaths:
    """Clear the flags of paths that have a file, as `flagged` or as read now; return the flags as they were.

    Paths that are left out of the checkout keep theirs.
    """
    flagged = flagged or read_flags(repository, worktree, index)
    _clear(repository, worktree, index, "--no-assume-unchanged", flagged.assumed)
    _clear(repository, worktree, index, "--no-skip-worktree", flagged.skipped)
    return flagged


def restore_absent(repository: Repository, worktree: Worktree) -> None:
    """Write the files that are left out of a checkout, unless its config says that it is a sparse one."""
    sparse = worktree.git(repository, "config", "--type=bool", "--get", "core.sparseCheckout", ok=(0, 1))
    if sparse.text == "true":
        return
    paths = read_flags(repository, worktree).absent
    _clear(repository, worktree, None, "--no-skip-worktree", paths)
    worktree.git(repository, "checkout-index", "--quiet", "--index", "-z", "--stdin", input=_nul_separated(paths))


def stage(repository: Repository, worktree: Worktree, excluded: Iterable[str]) -> None:
    """Add all uncommitted files to the index, except the `excluded` paths.

    The index flags are cleared.
    """
    clear_flags(repository, worktree)
    patterns = [b":(top)"] + [b":(top,exclude,literal)" + os.fsencode(path.rstrip("/")) for path in excluded]
    worktree.git(
        repository,
        "add",
        "--all",
        "--sparse",  # also new files outside of a sparse checkout
        "--pathspec-from-file=-",
        "--pathspec-file-nul",
        input=b"\0".join(patterns),
    )


@contextmanager
def copied_index(worktree: Worktree) -> Iterator[Path]:
    """Yield a copy of a worktree's index (if it has none, a free path for one), and remove it afterwards."""
    for copy in worktree.admin.glob(f"{_COPY_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - copy.stat().st_mtime > _STALE_COPY_SECONDS:  # its process was killed
                copy.unlink()
    index = worktree.admin / f"{_COPY_PREFIX}{uuid.uuid4().hex}"
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
    # git compares file times with the index's own time to find files that changed while it was written
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextmanager
def with_clean_index(repository: Repository, worktree: Worktree) -> Iterator[tuple[Mapping[str, str], FlaggedPaths]]:
    """Yield an environment in which git sees a worktree without index flags, and the flags.

    The index is not changed, and copied only if it hides an existing file.
    """
    flagged = read_flags(repository, worktree)
    if not (flagged.assumed or flagged.skipped):
        yield {}, flagged
        return
    with copied_index(worktree) as index:
        clear_flags(repository, worktree, index, flagged)
        yield _index_env(index), flagged


def _clear(repository: Repository, worktree: Worktree, index: Path | None, flag: str, paths: Collection[str]) -> None:
    # git clears one flag at a time
    if paths:
        worktree.git(
            repository, "update-index", flag, "-z", "--stdin", input=_nul_separated(paths), env=_index_env(index)
        )


def _index_env(index: Path | None) -> dict[str, str]:
    return {"GIT_INDEX_FILE": str(index)} if index else {}


def _nul_separated(paths: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def _existing(top: Path, paths: Iterable[str]) -> list[str]:
    """Return the paths that exist. A path behind a symbolic link is not in the worktree."""
    folders: dict[str, bool] = {"": True}
    return [path for path in paths if _exists(top, path, folders)]


def _exists(top: Path, path: str, folders: dict[str, bool]) -> bool:
    parent = path.rpartition("/")[0]
    if parent not in folders:
        parts = parent.split("/")
        for depth in range(1, len(parts) + 1):
            folder, outer = "/".join(parts[:depth]), "/".join(parts[: depth - 1])
            if folder not in folders:
                folders[folder] = folders[outer] and _is_folder(top / folder)
    return folders[parent] and os.path.lexists(top / path)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
