"""The files of your checkout that every new worktree gets by `prepare.copy`: git may ignore them, agents obey them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from gitorch.config import Config
from gitorch.git.protected import file_state
from gitorch.git.repository import Repository
from gitorch.rooms.prepare import files_to_copy
from gitorch.rooms.protocol import RoomError

_MOST_FILES = 50_000
"""How many files of a folder are looked at."""


def states(repository: Repository, config: Config) -> dict[str, str]:
    """Return the states of these files and folders, by what is said of them; of a folder by sizes and times."""
    try:
        sources = files_to_copy(repository, config)
    except RoomError:  # an attempt says so
        return {}
    return dict(_state(file_state.printable(name), path) for name, path in sources)


def _state(name: str, path: Path) -> tuple[str, str]:
    if path.is_dir() and not path.is_symlink():
        return f"folder {name}", _below(path)
    return f"file {name}", file_state.quick_digest(path)


def _below(top: Path) -> str:
    digest, count = hashlib.sha256(), 0
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            count += 1
            if count > _MOST_FILES:
                return digest.hexdigest()
            path = Path(folder, name)
            try:
                status = path.lstat()
            except OSError:
                continue  # it has just been removed
            identity = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            digest.update(os.fsencode(path) + repr(identity).encode())
    return digest.hexdigest()
