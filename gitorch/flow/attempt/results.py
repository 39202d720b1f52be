"""The file in which a command agent says how it ended: written by the agent, so nothing about it is sure."""

from __future__ import annotations

import os
from pathlib import Path

from gitorch.agents.declared import LARGEST
from gitorch.git import tree_files

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def result_file(folder: Path, round_number: int) -> Path:
    """Return where the agent of an attempt writes the result of one round."""
    return folder / f"result-{round_number}.json"


def clear_results(folder: Path) -> None:
    """Remove the results of an earlier attempt with the same folder."""
    for path in folder.glob("result-*.json"):
        if path.is_symlink() or path.is_file():
            path.unlink(missing_ok=True)


def read_result(folder: Path, round_number: int) -> bytes | None:
    """Return the result of a round; None if there is none. No link is followed; what is no file is empty."""
    try:
        top = os.open(folder, _FOLDER)
    except OSError:
        return None
    try:
        entry = tree_files.read(top, result_file(folder, round_number).name, LARGEST)
    finally:
        os.close(top)
    if entry is None:
        return None
    return entry.content if isinstance(entry, tree_files.FileContent) and entry.mode != "120000" else b""
