"""Merges of conflicting files by syntax, without a model.

`propose` takes three versions of a file and returns merges that a reviewer or a test run can judge. It is pure: no I/O,
no git, no task. Languages with a table (`*.toml` in this package) and a tree-sitter grammar are merged by syntactic
unit; everything else is merged by lines and words.
"""

from __future__ import annotations

from gitorch.syntax.proposal import SyntaxProposal
from gitorch.syntax.proposals import propose

__all__ = ["SyntaxProposal", "propose"]
