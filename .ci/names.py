"""Count names that do not say what they hold, per 1,000 bound names; fail above a limit.

    python .ci/names.py [-v] [--limit 15] [PATH ...]

A bound name is a function, a class, a parameter, or a local variable (once for each function that binds it).
`-v` lists each vague one with its file, line and function.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path

VAGUE = frozenset(
    """
    one found told said at here there made known look place places own wanted ended left below above chosen seen what
    asked rest why kept taken done whole fresh others shown who ours theirs beside again every given gone hold
    near most when where thing things way ways turn means begun held judged moved reached solved spent
    named more inside plain towards
    """.split()
)
# git's own names for the two sides of a merge, in the package that merges
SIDES = frozenset({"ours", "theirs"})
MERGERS = Path("gitorch/syntax")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
Binding = tuple[str, int, str]
"""A bound name, its line, and the function that binds it."""


def bindings(tree: ast.AST, owner: str = "") -> Iterator[Binding]:
    """Yield every bound name of a module: each local once for each function."""
    names: set[str] = set()
    for node in walk_scope(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, node.lineno, owner
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield from bindings(node, getattr(node, "name", owner))
        name = node.arg if isinstance(node, ast.arg) else node.id if stores(node) else None
        if name is not None and name not in names:
            names.add(name)
            yield name, node.lineno, owner


def stores(node: ast.AST) -> bool:
    """Return whether a node binds a plain name."""
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def walk_scope(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of one scope; a nested function or class is yielded, and not entered."""
    pending = [*ast.iter_child_nodes(tree)]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))


def main() -> int:
    """Print the count, and return 1 when it is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", default=[Path("gitorch")], type=Path)
    parser.add_argument("--limit", type=float, default=15.0, help="vague names allowed per 1,000")
    parser.add_argument("-v", "--verbose", action="store_true", help="list every vague name")
    options = parser.parse_args()
    total = vague = 0
    for path in options.paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            names = VAGUE - SIDES if MERGERS in file.parents else VAGUE
            for name, line, owner in bindings(ast.parse(file.read_text("utf-8"))):
                total += 1
                if name.strip("_") in names:
                    vague += 1
                    if options.verbose:
                        print(f"{file}:{line} {owner or '(module)'}: {name}")
    rate = 1000 * vague / max(total, 1)
    print(f"{vague} vague names of {total}: {rate:.1f} per 1,000 (limit {options.limit:g})")
    return int(rate > options.limit)


if __name__ == "__main__":
    sys.exit(main())
