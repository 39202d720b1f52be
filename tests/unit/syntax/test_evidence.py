"""What a reviewer is told about a proposal."""

from __future__ import annotations

import subprocess
import sys

from gitorch.syntax.proposals import propose

BASE = b"def edit(a):\n    return a\n"


def test_the_order_of_insertions_is_named_with_their_place() -> None:
    first, second = propose("a.py", BASE, BASE.replace(b"(a)", b"(a, b=1)"), BASE.replace(b"(a)", b"(a, c=2)"))
    assert first.kind == second.kind == "structure"
    assert first.evidence == (
        "merged by structure (python)",
        "both insertions kept: ours first, parameters in edit",
    )
    assert second.evidence[1] == "both insertions kept: theirs first, parameters in edit"
    assert second.content == b"def edit(a, c=2, b=1):\n    return a\n"


def test_a_renamed_variable_is_named_and_attributes_keep_their_name() -> None:
    base = b"def f(a):\n    return [g(x) for x in sorted(a)]\n"
    ours = b"def f(a):\n    first = [g(x) for x in sorted(a)]\n    log(first)\n    return first\n"
    theirs = b"def f(a):\n    rows = [g(x) for x in sorted(a)]\n    a.rows = send(rows, rows=1)\n    return rows\n"
    proposal = propose("a.py", base, ours, theirs)[0]
    assert proposal.kind == "renamed"
    assert "“rows” is renamed to “first”: both sides name the same value in f" in proposal.evidence
    assert b"    a.rows = send(first, rows=1)\n" in proposal.content


def test_a_change_that_follows_moved_code_is_named() -> None:
    base = b"def f(x):\n    start()\n    run(x)\n    stop()\n"
    ours = b"def f(x):\n    start()\n    if x:\n        run(x)\n    stop()\n"
    theirs = base.replace(b"run(x)", b"run(x, fast=True)")
    proposal = propose("a.py", base, ours, theirs)[0]
    assert proposal.evidence[1:] == ("a change follows code that the other side moved in f",)


def test_an_import_of_both_sides_is_named() -> None:
    proposal = propose("a.py", b"from m import p\n", b"from m import O, p\n", b"from m import p, O\n")[0]
    assert proposal.evidence[1:] == ("what both sides import is there once",)


def test_the_rung_of_lines_says_so() -> None:
    proposal = propose("notes", b"a\n", b"a\nb\n", b"a\nc\n")[0]
    assert (proposal.kind, proposal.evidence[0]) == ("both", "merged by lines")


def test_there_are_no_more_proposals_than_asked_for() -> None:
    ours, theirs = b"import b\nx = 1\nz()\n", b"import c\nx = 1\ny()\n"
    assert len(propose("a.py", b"x = 1\n", ours, theirs)) == 4
    assert len(propose("a.py", b"x = 1\n", ours, theirs, limit=2)) == 2


WITHOUT_GRAMMARS = """
import sys
sys.modules["tree_sitter"] = None
from gitorch.syntax.proposals import propose
proposal = propose("a.py", b"import a\\n", b"import a\\nimport b\\n", b"import a\\nimport c\\n")[0]
print(proposal.content, proposal.kind, proposal.evidence[0], sep="|")
"""
UNUSED = """
import sys
from gitorch.syntax.proposals import propose
propose("notes", b"a\\n", b"a\\nb\\n", b"a\\nc\\n")
print([name for name in sys.modules if name.startswith("tree_sitter")])
"""


def output_of(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_without_the_extra_files_are_merged_by_lines_and_the_evidence_says_why() -> None:
    content, kind, sentence = output_of(WITHOUT_GRAMMARS).split("|")
    assert content == repr(b"import a\nimport b\nimport c\n")
    assert kind == "both"
    assert sentence.endswith("tree_sitter_python is not installed: pip install 'gitorch[resolve]'")


def test_a_file_too_large_for_a_grammar_is_merged_by_lines_and_the_evidence_says_why() -> None:
    start = b"import a\n" * 50_000
    proposal = propose("a.py", start, start + b"import b\n", start + b"import c\n")[0]
    assert proposal.evidence[0].endswith("it is too large to parse")


def test_a_grammar_is_imported_for_a_file_in_its_language_only() -> None:
    assert output_of(UNUSED) == "[]"
