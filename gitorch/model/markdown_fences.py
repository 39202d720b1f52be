"""Text of others in Markdown: it stays what it is, whatever fences it opens or closes."""

from __future__ import annotations

import re


def fenced(text: str) -> str:
    """Return text in a code fence that is longer than any fence inside it."""
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}"


_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)")


def closed(text: str) -> str:
    """Return text with an open code fence closed, so that later text is not read as code.

    Follows CommonMark (section 4.5).
    """
    fence = ""
    for line in re.split(r"\r\n|\r|\n", text):
        match = _FENCE.fullmatch(line)
        if match and not fence:
            fence = match[1]
        elif match and match[1].startswith(fence) and not match[2].strip():
            fence = ""
    return f"{text}\n{fence}" if fence else text
