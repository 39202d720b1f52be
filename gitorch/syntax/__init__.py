"""Merges of conflicting files by syntax, without a model.

`proposals.propose` takes three versions of a file and returns merges that a reviewer or a test run can judge. It is
pure: no I/O, no git, no task. Languages with a table (`*.toml` in this package) and a tree-sitter grammar are merged by
syntactic unit; everything else is merged by lines and words.

`proposals` is imported when it is first used (PEP 562): a run without conflicts saves 10 ms.
"""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.syntax import proposals as proposals
else:  # a type checker would accept any attribute
    __getattr__ = lazy.submodules(__name__)
