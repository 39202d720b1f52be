"""Paths of files that a person types while in a folder of a work tree."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import Path

from gitorch.git.layout import path_in_work_tree


def from_top(path: str, folder: Path, is_there: Callable[[str], bool]) -> str:
    """Return a typed path from the top of the repository: as it is, or else from the folder that it was typed in.

    One that begins with a dot and a slash, or two dots, is from that folder. If nothing is there, it is returned as it
    is.
    """
    if path.startswith((":", "/")):  # magic of a pathspec, or no path of a repository
        return path
    if not path.startswith(("./", "../")) and is_there(path):
        return path
    other = posixpath.normpath(posixpath.join(path_in_work_tree(folder), path))
    return other if not other.startswith("..") and is_there(other) else path
