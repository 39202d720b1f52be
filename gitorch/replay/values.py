"""What a replay takes and gives."""

from __future__ import annotations

import msgspec

from gitorch.model.naming import Oid
from gitorch.model.resolution import ResolvedFile


class CommitRange(msgspec.Struct, frozen=True):
    """A branch's own commits: what `tip` reaches, and neither `base` nor any of `excluded` does.

    `excluded` are tips of branches that went in before: a stack contains their commits, and they are not its own.
    """

    base: Oid
    tip: Oid
    excluded: tuple[Oid, ...] = ()


class Stage(msgspec.Struct, frozen=True):
    """One version of a file in conflict, as git's index has it: 1 the base, 2 ours, 3 theirs."""

    path: str
    number: int
    mode: str
    blob: Oid


class Resolved(msgspec.Struct, frozen=True):
    """A conflict that was resolved on the way: the original commit, the paths, and the evidence (`memory`, ...).

    `files` are the three sides and the result of each path.
    """

    commit: Oid
    paths: tuple[str, ...]
    by: str
    files: tuple[ResolvedFile, ...] = ()


class UpstreamCommit(msgspec.Struct, frozen=True):
    """A commit below what a branch is replayed on: its parent, and the paths that it changes."""

    oid: Oid
    parent: Oid
    paths: frozenset[str]


class Replayed(msgspec.Struct, frozen=True):
    """Commits on their new parent: the new tip, and pairs of old and new commits.

    `dropped` commits have no pair, because their change is there already; `resolved` are the conflicts that were
    resolved on the way.
    """

    tip: Oid
    pairs: tuple[tuple[Oid, Oid], ...]
    dropped: tuple[Oid, ...] = ()
    resolved: tuple[Resolved, ...] = ()


class Conflicted(msgspec.Struct, frozen=True):
    """A commit whose change conflicts with the commits below: the commit, the paths, and their stages.

    `tree` is git's result, with conflict markers in the files.
    """

    commit: Oid
    paths: tuple[str, ...]
    stages: tuple[Stage, ...] = ()
    tree: Oid | None = None


class Merged(msgspec.Struct, frozen=True):
    """The tree of a clean merge."""

    tree: Oid


def parse_stage(entry: str) -> Stage:
    """Read `MODE BLOB NUMBER<TAB>PATH`, as `ls-files --unmerged` and `merge-tree` print it."""
    words, _, path = entry.partition("\t")
    mode, blob, number = words.split(" ")
    return Stage(path, int(number), mode, Oid(blob))
