"""What external viewers write, as their own documentation and sources show it."""

from __future__ import annotations

import pytest

from gitorch.model.review.viewer_comments import read_viewer_comments
from gitorch.model.task import Comment

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
TUICR_RANGE = """\
## Session: agavra/tuicr@main/worktree

I reviewed your code and have the following comments. Please address them.

Reviewing commits: 1a2b3c4, 5d6e7f8

## Local tuicr Comments

1. `Review Comment (scope: selected commit range)` - Split this
2. `src/auth.rs:42-44` (commit 1a2b3c4) - Use this:
   ```suggestion
       return 1
   ```

   Thanks
3. `src/auth.rs:~7-~9` - 1. `a.rs` - is a list
4. **[QUESTION]** `src/auth.rs:3` - why
5. **[NIT PICK]** `src/a - b.rs:1` - naming
7. `src/auth.rs:5` - not in the order of the list

## Existing GitHub Comments

1. `src/lib.rs:10` @alice - of somebody else
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
            TUICR_RANGE,
            [
                Comment(text="Split this"),
                Comment(
                    text="Use this:\n```suggestion\n    return 1\n```\n\nThanks", file="src/auth.rs", line=42, end=44
                ),
                Comment(text="1. `a.rs` - is a list", file="src/auth.rs", line=7, end=9, is_old=True),
                Comment(text="?? why", file="src/auth.rs", line=3),
                Comment(text="nit pick: naming", file="src/a - b.rs", line=1),
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
