"""The review file: what is written into it is read back, and quoted lines decide what a comment is about."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from unidiff.patch import PatchSet

from gitorch.cli.views.reviewing.review_file import SEVERITIES, parse, quoted_lines, render
from gitorch.errors import InvalidInput
from gitorch.git.diff.file_patches import BranchPatch, FilePatch, Hunk
from gitorch.git.diff.hunk_ids import hunk_patches
from gitorch.git.diff.patch_lines import LineKind, PatchLine
from gitorch.model.task import Comment

_ODD = [
    ">",
    "> +x",
    "#",
    "# x",
    "\\",
    "@ a.py",
    "@gitorch revise",
    "```suggestion",
    "```",
    "must: x",
    "note:",
    "??",
    "?? x",
    " ",
    "é🦀",
]
_LINES = st.sampled_from(_ODD) | st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12
)
_TEXTS = (
    st.lists(_LINES, min_size=1, max_size=4)
    .map("\n".join)
    .filter(lambda text: text == text.strip("\n") and text.strip())
)


def _file(path: str, first: int) -> FilePatch:
    lines = (
        PatchLine(LineKind.CONTEXT, "same", old=first, new=first),
        PatchLine(LineKind.REMOVED, "> must: old", old=first + 1),
        PatchLine(LineKind.ADDED, "# new", new=first + 1),
        PatchLine(LineKind.ADDED, "", new=first + 2),
        PatchLine(LineKind.META, "\\ No newline at end of file"),
    )
    header = f"@@ -{first},2 +{first},3 @@ def x():"
    modes = {"old_mode": "100644", "new_mode": "100644"}
    return FilePatch(path=path, old_path=path, status="M", hunks=(Hunk(header, first, first, lines),), **modes)


QUOTED = quoted_lines(hunk_patches(BranchPatch((_file("a.py", 3), _file("b c.py", 7)))))


@st.composite
def _comments(draw: st.DrawFn) -> list[Comment]:
    places: list[dict[str, Any]] = [{"file": line.file, "line": line.line, "is_old": line.is_old} for line in QUOTED]
    places += [
        {},
        {"file": "else.py", "line": 40},
        {"file": "a.py", "line": 3, "end": 5},
        {"file": 'o"dd:1', "line": 2},
    ]
    comments = [
        Comment(
            text=draw(_TEXTS),
            severity=draw(st.sampled_from(["", *SEVERITIES])),
            suggestion=draw(st.none() | st.lists(_LINES, max_size=3).map("\n".join)),
            **place,
        )
        for place in draw(st.lists(st.sampled_from(places), max_size=4))
    ]
    return comments


@given(_comments(), st.sampled_from(["comment", "revise", "approve", "reject"]))
def test_comments_survive_the_file(comments: list[Comment], verdict: str) -> None:
    """Any words, severities and suggestions at any place come back as they were."""
    read = parse(render("Review of x", QUOTED, comments, verdict), QUOTED)
    assert read.verdict == verdict
    assert sorted(map(repr, read.comments)) == sorted(map(repr, comments))


@given(_comments())
def test_what_is_quoted_is_the_diff(comments: list[Comment]) -> None:
    """Another parser of diffs reads the quoted lines: the same files, and the same lines added and removed."""
    text = render("Review of x", QUOTED, comments)
    patch = PatchSet("".join(f"{line[2:]}\n" for line in text.split("\n") if line.startswith("> ")))
    assert [file.path for file in patch] == ["a.py", "b c.py"]
    assert [str(line.value).rstrip("\n") for file in patch for hunk in file for line in hunk if line.is_removed] == [
        "> must: old"
    ] * 2
    assert (patch.added, patch.removed) == (4, 2)


def test_words_between_lines_are_about_the_line_above() -> None:
    """New lines, removed ones, files, the task; quoted lines may be deleted."""
    text = """\
# help
@gitorch revise
Fine overall.

> diff --git a/a.py b/a.py
about the file
> -> must: old
must: keep it
note: twice
> +# new
why?
```suggestion
# newer
```
> diff --git a/b c.py b/b c.py
> +# new
last
@ c.py:2-4
there
"""
    read = parse(text, QUOTED)
    assert read.verdict == "revise"
    assert [(comment.place, comment.is_old, comment.severity, comment.text) for comment in read.comments] == [
        ("", False, "", "Fine overall."),
        ("a.py", False, "", "about the file"),
        ("a.py:4", True, "must", "keep it"),
        ("a.py:4", True, "note", "twice"),
        ("a.py:4", False, "", "why?"),
        ("b c.py:8", False, "", "last"),
        ("c.py:2-4", False, "", "there"),
    ]
    assert read.comments[4].suggestion == "# newer"


@pytest.mark.parametrize(
    "text", ["> +changed\n", "> +# new\n> -> must: old\n> same but not there\n", "@gitorch maybe\n"]
)
def test_a_changed_quote_is_an_error(text: str) -> None:
    """A comment never lands on another line than the reviewer saw."""
    with pytest.raises(InvalidInput, match="review file"):
        parse(text, QUOTED)
