"""The sizes of the binary files that a branch changes: of these, a reviewer sees nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gitorch.git.diff.file_changes import FileChange
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid


def with_sizes(repository: Repository, base: Oid, tip: Oid, changes: Sequence[FileChange]) -> tuple[FileChange, ...]:
    """Return the changes of a branch, the binary ones with the sizes of the file at its base and at its tip."""
    if all(change.added is not None for change in changes):
        return tuple(changes)
    fields = iter(repository.git("diff-tree", "-r", "-z", "--raw", "--no-renames", base, tip).fields())
    blobs: dict[str, tuple[str, str]] = {}
    for entry in fields:
        *_, old_blob, blob, _ = entry.split(" ")
        blobs[next(fields)] = old_blob, blob
    before = {path: pair[0] for path, pair in blobs.items() if pair[0].strip("0")}
    after = {path: pair[1] for path, pair in blobs.items() if pair[1].strip("0")}
    binary = [change for change in changes if change.added is None]
    names = {name for change in binary for name in (before.get(_old_path(change)), after.get(change.path)) if name}
    sizes: dict[str | None, int] = dict(zip(names, repository.object_sizes(names), strict=True))
    return tuple(
        change
        if change.added is not None
        else msgspec.structs.replace(
            change, old_size=sizes.get(before.get(_old_path(change))), size=sizes.get(after.get(change.path))
        )
        for change in changes
    )


def _old_path(change: FileChange) -> str:
    return change.old_path or change.path
