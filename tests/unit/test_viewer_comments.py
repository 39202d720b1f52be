"""What external viewers write, as their own documentation shows it."""

from __future__ import annotations

import pytest

from gitorch.model.task import Comment
from gitorch.model.viewer_comments import read_viewer_comments

REVDIFF = """\
## handler.go (file-level)
consider splitting this file

## handler.go:43 (+)
use errors.Is()
## not a heading of revdiff

## store.go:18-20 (-)
don't remove this
"""
TUICR = """\
I reviewed your code and have the following comments. Please address them.

Comment types: ISSUE (problems to fix), SUGGESTION (improvements), NOTE (observations), PRAISE (positive feedback)

1. **[SUGGESTION]** `src/auth.rs` - Consider adding unit tests
2. **[ISSUE]** `src/auth.rs:42` - Magic number should be
   a named constant
3. **[NOTE]** `src/auth.rs:~7` - Why was this removed?
4. **[ISSUE]** - The whole thing is too slow
"""
DIFIT = f"""\
difit server started on http://localhost:4966

📝 Comments from review session:
{"=" * 50}
src/components/Button.tsx:L42
Make this variable name more descriptive
{"=" * 50}
src/components/Button.tsx:L42-L48
This section is
unnecessary
{"=" * 50}
Total comments: 2
"""


@pytest.mark.parametrize(
    ("text", "comments"),
    [
        (
            REVDIFF,
            [
                Comment(text="consider splitting this file", file="handler.go"),
                Comment(text="use errors.Is()\n## not a heading of revdiff", file="handler.go", line=43),
                Comment(text="don't remove this", file="store.go", line=18, end=20, is_old=True),
            ],
        ),
        (
            TUICR,
            [
                Comment(text="Consider adding unit tests", file="src/auth.rs", severity="should"),
                Comment(text="Magic number should be\na named constant", file="src/auth.rs", line=42, severity="must"),
                Comment(text="Why was this removed?", file="src/auth.rs", line=7, is_old=True, severity="note"),
                Comment(text="The whole thing is too slow", severity="must"),
            ],
        ),
        (
            DIFIT,
            [
                Comment(text="Make this variable name more descriptive", file="src/components/Button.tsx", line=42),
                Comment(text="This section is\nunnecessary", file="src/components/Button.tsx", line=42, end=48),
            ],
        ),
        ("", []),
        ("Nothing that anybody documents\n", []),
    ],
)
def test_comments_are_read(text: str, comments: list[Comment]) -> None:
    """Each format gives the places, the words and the severity that the tool documents."""
    assert read_viewer_comments(text) == comments
    assert read_viewer_comments(text.replace("\n", "\r\n")) == comments
