"""What else a git folder holds that is the user's: its modes, its other files, and the git folders of submodules."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from gitorch.git import fence

_FOLDERS = (".", "hooks", "info", "objects", "refs")
_UNWATCHED = ("HEAD", "index", "packed-refs", "gc.pid", "gc.log", "COMMIT_EDITMSG")
"""Compared by what git says of them, or written by git as it likes."""

_UNWATCHED_SUFFIXES = (".lock", ".new")
_UNWATCHED_PREFIXES = ("sharedindex.", "fsmonitor--daemon")
_OF_MODULES = ("objects", "logs", "refs", "lfs")
"""Folders in the git folder of a submodule that hold its history, not its settings."""

_MOST_FILES = 10_000


def states(common_dir: Path) -> dict[str, str]:
    """Return the states of folders and files, by their paths in the git folder."""
    modes = {f"mode of .git/{name}".removesuffix("/."): _mode(common_dir / name) for name in _FOLDERS}
    found = {fence.printable(str(path.relative_to(common_dir))): fence.digest(path) for path in _files(common_dir)}
    return {name: state for name, state in {**modes, **found}.items() if state}


def locks(common_dir: Path) -> dict[str, str]:
    """Return the files with which git makes others wait, each with what identifies it."""
    folders = (common_dir, *map(common_dir.joinpath, ("refs/heads", "refs/tags", "objects/info")))
    paths = [path for folder in folders for path in folder.glob("*.lock")]
    return {fence.printable(str(path.relative_to(common_dir))): _identity(path) for path in paths}


def _files(common_dir: Path) -> Iterator[Path]:
    with os.scandir(common_dir) as entries:
        names = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
    for name in names:
        if (
            name not in _UNWATCHED
            and not name.endswith(_UNWATCHED_SUFFIXES)
            and not name.startswith(_UNWATCHED_PREFIXES)
        ):
            yield common_dir / name
    for number, path in enumerate(_files_of_modules(common_dir / "modules")):
        if number == _MOST_FILES:
            return
        yield path


def _files_of_modules(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _OF_MODULES]
        yield from (Path(root, name) for name in names if name != "index" and not name.endswith(_UNWATCHED_SUFFIXES))


def _mode(path: Path) -> str:
    try:
        return f"{stat.S_IMODE(path.lstat().st_mode):o}"
    except OSError:
        return ""


def _identity(path: Path) -> str:
    try:
        status = path.lstat()
    except OSError:
        return ""
    return f"{status.st_ino} {status.st_mtime_ns}"
