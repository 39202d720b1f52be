"""What comes of a merge of three versions of a file: a proposal, or the reason why there is none."""

from __future__ import annotations

import msgspec


class SyntaxProposal(msgspec.Struct, frozen=True):
    """A merge of three versions of one file that no syntactic rule refuses.

    `kind` is "structure" (merged by syntactic unit), "both" (by lines, both insertions kept) or "renamed" (two names
    for the same value became one). `evidence` has plain sentences for a reviewer.
    """

    content: bytes
    kind: str
    evidence: tuple[str, ...]


class Unresolved(Exception):
    """No rule merges these versions; the text says where the rules ended."""


class Refused(Unresolved):
    """A rule says that no merge of this code is right; other rules are not tried on it."""
