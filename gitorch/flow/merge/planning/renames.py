"""Renames between trees, and the paths that they explain: git follows renames when it replays a commit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePosixPath

import msgspec

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid

Rename = tuple[str, str]
"""The old and the new path of a file."""


class Renames(msgspec.Struct, frozen=True):
    """Files that were renamed since the original's parent: on the branch below, and by the original commit itself."""

    on_branch: tuple[Rename, ...]
    by_commit: tuple[Rename, ...]

    def explain(self, path: str, original_paths: Collection[str], extra_paths: Collection[str]) -> bool:
        """Return whether renames explain a path that a new commit changes and its original does not.

        Either the branch renamed one of the original's paths to it, or the commit renamed a folder and takes along a
        file that is new in it. Such a file disappears in one folder and appears in the other: both paths are among
        the `extra_paths`.
        """
        if any(new == path and old in original_paths for old, new in self.on_branch):
            return True
        if any(_replace_folder(path, new, old) in original_paths for old, new in _folders(self.on_branch)):
            return True
        both_ways = (pair for old, new in _folders(self.by_commit) for pair in ((old, new), (new, old)))
        return any(_replace_folder(path, source, target) in extra_paths for source, target in both_ways)


def renames_between(repository: Repository, trees: Sequence[tuple[Oid, Oid]]) -> list[tuple[Rename, ...]]:
    """Return the renames from the first to the second commit of each pair, in one process."""
    if not trees:
        return []
    listing = "".join(f"{new} {old}\n" for old, new in trees).encode()
    options = ("--stdin", "--always", "-r", "-z", "--raw", "-M", "-l0")
    fields = iter(repository.git("diff-tree", *options, input=listing).fields())
    renames: list[list[Rename]] = []
    for field in fields:
        if not field.startswith(":"):
            renames.append([])
        elif field.rpartition(" ")[2].startswith("R"):
            renames[-1].append((next(fields), next(fields)))
        else:
            next(fields)
    return [tuple(pairs) for pairs in renames]


def _folders(renames: Iterable[Rename]) -> set[Rename]:
    """Return the folders that were renamed, as far as the files show, each with a trailing slash ("" is the top)."""
    folders: set[Rename] = set()
    for old_path, new_path in renames:
        old, new = PurePosixPath(old_path).parent, PurePosixPath(new_path).parent
        while old != new:
            folders.add((_with_slash(old), _with_slash(new)))
            if old.name != new.name or not old.name:
                break
            old, new = old.parent, new.parent
    return folders


def _with_slash(folder: PurePosixPath) -> str:
    return "" if folder == PurePosixPath() else f"{folder}/"


def _replace_folder(path: str, source: str, target: str) -> str | None:
    """Return a path with its folder replaced; None if it is not in the source folder."""
    return target + path[len(source) :] if path.startswith(source) else None
