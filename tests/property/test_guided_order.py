"""The order to read a branch in: complete, each file once, what others use before its users, tests later."""

from __future__ import annotations

from hypothesis import given, strategies as st

from gitorch.flow.review.guided_order import group, guided
from gitorch.git.diff.file_patches import BranchPatch, FilePatch, Hunk
from gitorch.git.diff.patch_lines import LineKind, PatchLine

_PATHS = st.sampled_from(
    ["src/store.py", "src/cart.py", "src/web.py", "tests/test_cart.py", "uv.lock", "docs/a.md", "dist/x.js", "old.py"]
)
_WORDS = st.lists(
    st.sampled_from(["def total(x):", "total(1)", "class Store:", "Store()", "import cart", "x"]), max_size=4
)


def _file(path: str, lines: list[str], status: str = "M") -> FilePatch:
    added = tuple(PatchLine(LineKind.ADDED, text, new=number) for number, text in enumerate(lines, start=1))
    hunks = (Hunk("@@ -1 +1 @@", 1, 1, added),) if added else ()
    return FilePatch(path=path, old_path=path, status=status, old_mode="100644", new_mode="100644", hunks=hunks)


@given(st.lists(st.builds(_file, _PATHS, _WORDS, st.sampled_from("MR")), max_size=8))
def test_every_file_is_there_exactly_once(files: list[FilePatch]) -> None:
    """Whatever uses whatever, also in circles: a permutation, by groups."""
    ordered = guided(BranchPatch(tuple(files))).files
    assert sorted(map(repr, ordered)) == sorted(map(repr, files))
    groups = [("code", "test", "document", "generated", "renamed").index(group(file)) for file in ordered]
    assert groups == sorted(groups)


def test_what_others_use_comes_first() -> None:
    """Definitions, then callers, tests, documents; generated and only renamed files last."""
    files = [
        _file("CHANGES.rst", ["total"]),
        _file("AGENTS.md", ["x"]),
        _file("uv.lock", ["x"]),
        _file("tests/test_web.py", ["from web import page"]),
        _file("src/a_page.py", ["from web import page", "total(Store())"]),
        _file("src/cart.py", ["def total(store):", "    return store.sum"]),
        _file("src/moved.py", [], "R"),
        _file("src/store.py", ["class Store:"]),
        _file("src/web.py", ["total(Store())", "def page():"]),
    ]
    assert [file.path for file in guided(BranchPatch(tuple(files))).files] == [
        "AGENTS.md",
        "src/cart.py",
        "src/store.py",
        "src/web.py",
        "src/a_page.py",
        "tests/test_web.py",
        "CHANGES.rst",
        "uv.lock",
        "src/moved.py",
    ]
