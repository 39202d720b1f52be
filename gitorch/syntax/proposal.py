"""A merged file, and what a reviewer has to know about it."""

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
