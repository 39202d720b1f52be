"""What a replay takes and gives."""

from __future__ import annotations

import msgspec

from gitorch.model.naming import Oid


class Own(msgspec.Struct, frozen=True):
    """A branch's own commits: what `tip` reaches, and neither `base` nor any of `others` does.

    `others` are tips of branches that went in before: a stack holds their commits, and they are not its own.
    """

    base: Oid
    tip: Oid
    others: tuple[Oid, ...] = ()


class Stage(msgspec.Struct, frozen=True):
    """One side of a conflict, as git's index has it: 1 the base, 2 what is there, 3 what comes."""

    path: str
    number: int
    mode: str
    blob: Oid


class Resolved(msgspec.Struct, frozen=True):
    """A conflict that was solved on the way: the original commit, the paths, and by what (`memory`, `rerere`, ...)."""

    commit: Oid
    paths: tuple[str, ...]
    by: str


class Replayed(msgspec.Struct, frozen=True):
    """Own commits on their new parent: the new tip, and which new commit stands for which old one.

    `dropped` are those that have no pair, because their change is there already; `resolved` are the conflicts that
    were solved on the way.
    """

    tip: Oid
    pairs: tuple[tuple[Oid, Oid], ...]
    dropped: tuple[Oid, ...] = ()
    resolved: tuple[Resolved, ...] = ()


class Conflicted(msgspec.Struct, frozen=True):
    """A commit whose change cannot be combined with what is there: the commit, the paths, and their stages.

    `tree` is what git made of it, with conflict markers in the files.
    """

    commit: Oid
    paths: tuple[str, ...]
    stages: tuple[Stage, ...] = ()
    tree: Oid | None = None


class Merged(msgspec.Struct, frozen=True):
    """The tree of a merge that combined cleanly."""

    tree: Oid
