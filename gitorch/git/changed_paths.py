"""The paths that branches change, for many in one process."""

from __future__ import annotations

from collections.abc import Iterable

from gitorch.git.file_changes import CommitPair
from gitorch.git.repository import Repository


def changed_paths(repository: Repository, pairs: Iterable[CommitPair]) -> dict[CommitPair, frozenset[str]]:
    """Return the paths that differ between the commits of each pair; without pairs that have no such commits."""
    unique = list(dict.fromkeys(pairs))
    if not unique:
        return {}
    request = "".join(f"{tip} {base}\n" for base, tip in unique).encode()
    options = ("-r", "-z", "--raw", "--no-renames", "--always")
    fields = iter(repository.git("diff-tree", "--stdin", *options, input=request).fields())
    requests = iter(unique)
    paths: dict[CommitPair, set[str]] = {}
    current: set[str] = set()
    for field in fields:
        if field.startswith(":"):
            current.add(next(fields))
        else:  # the id of a tip; git leaves out what is no commit
            pair = next((pair for pair in requests if pair[1] == field), None)
            current = paths.setdefault(pair, set()) if pair else set()
    return {pair: frozenset(names) for pair, names in paths.items()}
