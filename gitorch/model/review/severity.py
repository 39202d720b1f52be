"""How much a comment weighs, as its first word says: `must:`, `should:` or `note:`."""

from __future__ import annotations

import re

import msgspec

from gitorch.model.task import Comment

_SEVERITY = re.compile(r"(must|should|note):\s?(.*)", re.DOTALL)


def split_severity(text: str) -> tuple[str, str]:
    """Return the severity that a text begins with, and the words after it; an empty severity if it has none."""
    match = _SEVERITY.fullmatch(text)
    return (match[1], match[2]) if match else ("", text)


def with_severity(comment: Comment) -> Comment:
    """Return a comment with the severity that its words begin with, unless it has one or would have no words."""
    severity, words = split_severity(comment.text)
    if comment.severity or not severity or not words.strip():
        return comment
    return msgspec.structs.replace(comment, severity=severity, text=words)
