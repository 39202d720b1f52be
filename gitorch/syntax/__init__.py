"""Merges of conflicting files by syntax, without a model.

`propose` takes three versions of a file and returns merges that a reviewer or a test run can judge. It is pure: no I/O,
no git, no task. Languages with a table (`*.toml` in this package) and a tree-sitter grammar are merged by syntactic
unit; everything else is merged by lines and words.

Both names are imported when they are first used (PEP 562): a run without conflicts saves 10 ms.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitorch.syntax.proposal import SyntaxProposal
    from gitorch.syntax.proposals import propose

__all__ = ["SyntaxProposal", "propose"]

_MODULES = {"SyntaxProposal": "proposal", "propose": "proposals"}


if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
