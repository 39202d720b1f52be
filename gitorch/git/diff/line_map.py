"""Where lines of a file are in another version of it, as git's diff says."""

from __future__ import annotations

import re

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid

_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")


def moved_lines(repository: Repository, old: Oid, new: Oid, first: int, last: int) -> tuple[int, int] | None:
    """Return where the lines `first` to `last` of the blob `old` are in the blob `new`.

    None if one of them has changed, or something was added between them.
    """
    if old == new:
        return first, last
    options = ("--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--text")
    diff = repository.git("diff", *options, old, new)
    shift = 0
    for line in diff.stdout.split(b"\n"):
        match = _HUNK.match(line)
        if match is None:
            continue
        start, removed, added = int(match[1]), int(match[2] or 1), int(match[3] or 1)
        if removed == 0:  # added after the line `start`
            start += 1
        if start + removed <= first:
            shift += added - removed
        elif start <= last:
            return None
    return first + shift, last + shift
