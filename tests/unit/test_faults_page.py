"""docs/faults.md names a test for nearly every fault, and each of these tests exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| ([A-Z]\d\d) \|.*\| ([^|]+) \|$", (ROOT / "docs/faults.md").read_text("utf-8"), re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)` `(test_\w+)`")


def test_every_row_has_a_test_that_exists_or_a_reason() -> None:
    """A test is named by its file and its function."""
    missing = []
    for number, cell in ROWS:
        if match := _TEST.fullmatch(cell):
            path, name = match.groups()
            body = ast.parse((ROOT / path).read_text("utf-8")).body
            functions = {node.name for node in body if isinstance(node, ast.FunctionDef)}
            missing += [] if name in functions else [f"{number}: {path}::{name}"]
        elif not cell.startswith("not tested: "):
            missing.append(f"{number}: {cell}")
    assert missing == []


def test_the_catalogue_is_whole() -> None:
    """Each fault has one row, and at least a hundred have a test."""
    numbers = [number for number, _ in ROWS]
    assert len(set(numbers)) == len(numbers) >= 123
    assert sum(_TEST.fullmatch(cell) is not None for _, cell in ROWS) >= 100
