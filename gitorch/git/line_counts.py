"""The lines that branches add and remove, for many in one process."""

from __future__ import annotations

from collections.abc import Iterable

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid

CommitPair = tuple[Oid, Oid]
"""The base and the tip of a branch."""

LineCounts = tuple[int, int]
"""Lines added and removed; binary files have none."""


def line_counts(repository: Repository, pairs: Iterable[CommitPair]) -> dict[CommitPair, LineCounts]:
    """Return the line counts of each branch, without rename detection; without those that have no such commits."""
    unique = list(dict.fromkeys(pairs))
    if not unique:
        return {}
    request = "".join(f"{tip} {base}\n" for base, tip in unique).encode()
    options = ("-r", "-z", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv", "--always")
    fields = repository.git("diff-tree", "--stdin", *options, input=request).fields()
    return _by_pair(fields, unique)


def _by_pair(fields: Iterable[str], pairs: Iterable[CommitPair]) -> dict[CommitPair, LineCounts]:
    """Read `diff-tree --stdin -z`: the id of a tip, then a field for each file. Git leaves out what is no commit."""
    counts: dict[CommitPair, LineCounts] = {}
    requests = iter(pairs)
    current: CommitPair | None = None
    for field in fields:
        added, is_file, rest = field.partition("\t")
        if not is_file:
            current = next((pair for pair in requests if pair[1] == field), None)
            if current is not None:
                counts[current] = (0, 0)
        elif current is not None:
            removed = rest.partition("\t")[0]
            counts[current] = (counts[current][0] + _number(added), counts[current][1] + _number(removed))
    return counts


def _number(text: str) -> int:
    return 0 if text == "-" else int(text)
