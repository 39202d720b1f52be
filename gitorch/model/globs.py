r"""Globs of paths, with the syntax of .gitignore; and patterns of names.

Every setting that selects paths (`review.sensitive`, `roles.*.paths`, `merge.regenerate`, a task's `paths`) has these
rules. Paths are relative to the top of the repository.

- `*`, `?` and `[abc]` match within one name: none of them matches `/`.
- `**/` at the start, `/**/` in the middle and `/**` at the end match any number of folders.
- A pattern without `/` matches at any depth; one with `/` at its start or in the middle, from the top of the
  repository. A `/` at the end does not count: such a pattern matches folders only.
- A pattern that matches a folder matches everything in it.
- Letter case matters, and `\` makes the next character literal.
- There is no negation and no comment: a leading `!` or `#` is refused, `\!` and `\#` are literal.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from gitorch.errors import InvalidInput

_MARKS = {"!": "negation is not supported", "#": "a comment matches nothing"}


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Return whether any of these patterns matches a path. Raises `InvalidInput` for an invalid pattern."""
    relative, patterns = path.removeprefix("/"), tuple(patterns)
    possible = _possible(patterns)
    if possible is not None and not possible.search(relative):
        return False  # a branch may have 100,000 paths, and few of the 200 patterns of a review match any
    # compiling takes 0.3 ms
    return any(
        all(text in relative for text in _literals(pattern)) and _compiled(pattern).match(relative)
        for pattern in patterns
    )


@lru_cache(256)
def _possible(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return an expression that every path holds which one of the patterns matches; None if there is none."""
    texts = dict.fromkeys(max(_literals(pattern), key=len, default="") for pattern in patterns)
    return re.compile("|".join(map(re.escape, texts))) if texts and all(texts) else None


def problem(pattern: str) -> str:
    """Return why a pattern is invalid, or nothing if it is valid."""
    if not pattern.strip().strip("/"):
        return "an empty pattern matches nothing"
    if pattern[0] in _MARKS:
        return f"{_MARKS[pattern[0]]}; write \\{pattern[0]} for a name that begins with {pattern[0]}"
    if "[:" in pattern:
        return "character classes such as [:alpha:] are not supported"
    if not {".", ".."}.isdisjoint(pattern.split("/")):
        return "paths are relative to the top of the repository, without . and .."
    # all other patterns are valid, and configurations are read by commands that match no path
    if "[" in pattern or "\\" in pattern:
        return "" if _regex(pattern) else "its brackets or backslashes are incomplete"
    return ""


def matches_name(name: str, pattern: str) -> bool:
    """Return whether a pattern matches a name that is not a path (a variable, a branch): `*` matches `/` as well."""
    return fnmatchcase(name, pattern)


@lru_cache(1024)
def _literals(pattern: str) -> Sequence[str]:
    """Return texts that are in every path that a pattern matches; raise `InvalidInput` if it is not valid."""
    if reason := problem(pattern):
        raise InvalidInput("invalid-glob", f"{pattern} is not a valid glob", why=reason)
    return () if "[" in pattern or "\\" in pattern else re.split(r"[*?/]+", pattern.strip())


@lru_cache(1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    regex = _regex(pattern)
    assert regex, f"{pattern} is valid, and cannot be compiled"
    return regex


def _regex(pattern: str) -> re.Pattern[str] | None:
    # imported here: it takes 25 ms, and most commands match no path
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    try:
        regex, _ = GitIgnoreSpecPattern.pattern_to_regex(pattern)
        with warnings.catch_warnings():
            # `[[]` is a bracket; Python warns that its meaning may change
            warnings.simplefilter("ignore", FutureWarning)
            # DOTALL: a name may contain a newline
            return None if regex is None else re.compile(regex, re.DOTALL)
    except (ValueError, re.error):  # the first is what pathspec's error is
        return None
