"""What else a git folder holds that is the user's: its modes, its other files, and the git folders of submodules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from gitorch.git.protected import file_state
from gitorch.regular_files import read_start

_FOLDERS = (".", "gitorch", "hooks", "info", "objects", "objects/pack", "refs", "refs/heads", "refs/tags")
_UNWATCHED = ("HEAD", "index", "packed-refs", "COMMIT_EDITMSG")
"""Compared by what git says of them, or written by git as it likes."""

_UNWATCHED_SUFFIXES = (".lock", ".new")
_UNWATCHED_PREFIXES = ("sharedindex.", "fsmonitor--daemon")
_OF_MODULES = ("objects", "logs", "refs", "lfs")
"""Folders in the git folder of a submodule that hold its history, not its settings."""

_OWN_FOLDERS = ("gitorch", "hooks", "info", "logs", "lfs", "modules", "objects", "refs", "worktrees")
"""Folders that hold history, or are compared in another way. All others make git do something: a half-done rebase with
its commands, remembered resolutions, remotes in files of their own."""

_GC_LOCK = "gc.pid"
"""Names the process that holds it; while that lives, and for twelve hours, no other `git gc` begins."""

_LONGEST_LOCK = 1_000

_MOST_FILES = 10_000


def states(common_dir: Path) -> dict[str, str]:
    """Return the states of folders and files, by their paths in the git folder."""
    modes = {f"mode of .git/{name}".removesuffix("/."): file_state.permissions(common_dir / name) for name in _FOLDERS}
    file_states = {
        file_state.printable(str(path.relative_to(common_dir))): file_state.quick_digest(path)
        for path in _files(common_dir)
    }
    return {name: state for name, state in {**modes, **file_states}.items() if state}


def locks(common_dir: Path) -> dict[str, str]:
    """Return the files with which git makes others wait, each with what identifies it."""
    patterns = ("*.lock", "objects/info/*.lock", "worktrees/*/*.lock")
    paths = [path for pattern in patterns for path in common_dir.glob(pattern)]
    for root, _, names in os.walk(common_dir / "refs"):
        paths += [Path(root, name) for name in names if name.endswith(".lock")]
    return {file_state.printable(str(path.relative_to(common_dir))): _identity(path) for path in paths}


def _files(common_dir: Path) -> Iterator[Path]:
    names: list[str] = []
    folders: list[str] = []
    with os.scandir(common_dir) as entries:
        for entry in entries:
            (folders if entry.is_dir(follow_symlinks=False) else names).append(entry.name)
    for name in names:
        if (
            name not in _UNWATCHED
            and not name.endswith(_UNWATCHED_SUFFIXES)
            and not name.startswith(_UNWATCHED_PREFIXES)
            and not (name == _GC_LOCK and _is_of_git(common_dir / name))
        ):
            yield common_dir / name
    other_folders = (common_dir / name for name in folders if name not in _OWN_FOLDERS)
    nested_files = chain(_files_of_modules(common_dir / "modules"), *map(_files_below, other_folders))
    yield from islice(nested_files, _MOST_FILES)


def _is_of_git(lock: Path) -> bool:
    """Return whether a git that runs holds the lock of `git gc`: as any other, it says so itself, and goes away."""
    try:
        pid = int(read_start(lock, _LONGEST_LOCK).split(b" ")[0])
        return Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").startswith("git")
    except (OSError, ValueError):
        return False


def _files_below(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root, name) for name in names if not name.endswith(_UNWATCHED_SUFFIXES))


def _files_of_modules(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _OF_MODULES]
        yield from (Path(root, name) for name in names if name != "index" and not name.endswith(_UNWATCHED_SUFFIXES))


def _identity(path: Path) -> str:
    try:
        status = path.lstat()
    except OSError:
        return ""
    return f"{status.st_ino} {status.st_mtime_ns}"
