"""Names of a file: what others can use, and what it uses."""

from __future__ import annotations

import pytest

from gitorch.syntax.names import count_names, has_names, public_names, used_names

PYTHON = b'''\
"""About parse_price."""
import json

TABLE = {}


class Shop:
    def total(self):
        def helper_inside():
            return 1
        return helper_inside() + other_shop.count_items()

    def _private(self):
        return self.no_call  # parse_price


@decorator
def open_shop(path):
    return json.load(path)
'''


def test_public_names_of_python() -> None:
    """Functions, classes and members; nothing private, nothing inside of a function."""
    assert public_names("shop.py", PYTHON) == {"Shop", "total", "open_shop"}


def test_used_names_are_code() -> None:
    """Not what comments and strings mention."""
    used = used_names("shop.py", PYTHON)
    assert {"count_items", "other_shop", "json", "load", "no_call"} <= used
    assert "parse_price" not in used
    assert count_names(PYTHON)["parse_price"] == 2


@pytest.mark.parametrize(
    ("path", "source", "names"),
    [
        (
            "a.go",
            b"package a\n\nfunc ParsePrice() int { return 1 }\n\nfunc (s *Shop) Total() int { return 2 }\n",
            "ParsePrice",
        ),
        (
            "a.ts",
            b"export function parsePrice(): number { return 1 }\nclass Shop { total() { return 2 } }\n",
            "parsePrice",
        ),
        ("a.rs", b"pub fn parse_price() -> i32 { 1 }\nstruct Shop { x: i32 }\n", "parse_price"),
        ("A.java", b"class Shop { int total() { return 1; } }\n", "total"),
    ],
)
def test_public_names_of_other_languages(path: str, source: bytes, names: str) -> None:
    assert names in public_names(path, source)


def test_without_a_table_nothing_is_known() -> None:
    assert not has_names("notes.txt")
    assert not has_names("data.json")
    assert public_names("notes.txt", b"def total(): pass") == used_names("notes.txt", b"total") == frozenset()
