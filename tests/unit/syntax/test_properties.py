"""What holds for every file: printing gives back the bytes, one changed side is taken, words are conserved."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings, strategies as st

from gitorch.syntax.admissible import parse_versions
from gitorch.syntax.languages import language_of
from gitorch.syntax.nodes import Node
from gitorch.syntax.proposals import propose
from gitorch.syntax.words import conserved
from tests.unit.syntax.test_structure import CASES
from tests.unit.syntax.test_traps import TRAPS

STATEMENTS = [
    "import os",
    "from m import a, b",
    "x = f(1, k=2)",
    'd = {"a": 1, "b": [2, 3]}',
    "# a remark",
    "def g(a, b=1):\n    return a + b",
    'class C:\n    """Doc."""\n\n    x = 1\n\n    def h(self):\n        pass',
    "if x:\n    y()\nelse:\n    z()",
    "try:\n    y()\nexcept E:\n    pass",
    "@cache\ndef w():\n    return 1",
]
FILES = st.lists(st.sampled_from(STATEMENTS), max_size=8).map(lambda lines: "".join(f"{line}\n" for line in lines))


def printed(node: Node) -> bytes:
    """Print a node from its leaves, all of it opened."""
    if not node.children:
        return node.text
    return b"".join(child.lead + printed(child) + child.separator for child in node.children) + node.tail


def every_file() -> Iterable[tuple[str, bytes]]:
    for path, *texts in [*CASES.values(), *TRAPS.values()]:
        if language_of(path) is not None:
            yield from ((path, text.encode()) for text in texts)


def test_printing_gives_back_every_file_byte_for_byte() -> None:
    for path, source in every_file():
        for content in (
            source,
            source.replace(b"\n", b"\r\n"),
            source.replace(b"    ", b"\t"),
            b"\xef\xbb\xbf" + source,
        ):
            language = language_of(path)
            assert language is not None
            versions = parse_versions((content, content, content), language)
            assert versions is not None
            assert printed(versions.roots[0]) == content


@pytest.mark.parametrize("path", ["a.py", "a.js", "a.txt"])
@given(base=FILES, ours=FILES)
@settings(max_examples=20, deadline=None)
def test_what_one_side_alone_changed_is_taken(path: str, base: str, ours: str) -> None:
    old, new = base.encode(), ours.encode()
    assert [proposal.content for proposal in propose(path, old, new, old)] == [new]
    assert [proposal.content for proposal in propose(path, old, old, new)] == [new]
    assert [proposal.content for proposal in propose(path, old, new, new)] == [new]


@given(base=FILES, ours=FILES, theirs=FILES)
@settings(max_examples=60, deadline=None)
def test_every_proposal_conserves_the_words_of_both_sides(base: str, ours: str, theirs: str) -> None:
    versions = (base.encode(), ours.encode(), theirs.encode())
    proposals = propose("a.py", *versions)
    assert len(proposals) <= 6
    assert len({proposal.content for proposal in proposals}) == len(proposals)
    for proposal in proposals:
        if proposal.kind != "renamed":
            assert conserved(*versions, proposal.content)


@given(base=st.binary(max_size=200), ours=st.binary(max_size=200), theirs=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_bytes_raise(base: bytes, ours: bytes, theirs: bytes) -> None:
    for path in ("a.py", "a.ts", "a.yaml", "a.md", "a"):
        propose(path, base, base + ours, theirs + base)
        propose(path, None, ours, theirs)


DEEP = b"x = " + b"[" * 5_000 + b"1" + b"]" * 5_000 + b"\n"
NESTED = b"".join(b" " * depth + b"if x:\n" for depth in range(200)) + b" " * 200 + b"a()\n"
LONG = b"x = '" + b"a b " * 1_250_000 + b"'\n"
REPEATED = b"f(x)\n" * 5_000
HOSTILE = {
    "deep brackets": (DEEP, DEEP.replace(b"1", b"2"), DEEP.replace(b"1", b"3")),
    "deep blocks": (NESTED, NESTED + b" " * 200 + b"b()\n", NESTED + b" " * 200 + b"c()\n"),
    "a line of 5 MB": (LONG, LONG.replace(b"'a", b"'b a"), LONG + b"y = 1\n"),
    "many equal statements": (REPEATED, b"a()\n" + REPEATED, REPEATED + b"b()\n"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_take_a_bounded_time(name: str) -> None:
    used = time.process_time()
    for path in ("a.py", "a"):
        propose(path, *HOSTILE[name])
    assert time.process_time() - used < 20


def test_a_file_that_both_sides_add_is_united_by_its_common_lines() -> None:
    ours, theirs = b"import os\n\n\ndef f():\n    pass\n", b"import os\n\n\ndef g():\n    pass\n"
    contents = [proposal.content for proposal in propose("a.py", None, ours, theirs)]
    assert contents[0] == b"import os\n\n\ndef f():\n    pass\n\n\ndef g():\n    pass\n"
