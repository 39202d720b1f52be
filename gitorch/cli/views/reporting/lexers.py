"""Which pygments lexer reads a file, by its name.

`pygments.lexers.get_lexer_for_filename` compiles the patterns of all its lexers, 900 regular expressions, and scans the
installed packages for plug-ins: 0.2 s for the first file. Nearly all patterns are a name or `*` and a suffix.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache

from pygments import lexers
from pygments.lexer import LexerMeta

_WILDCARDS = frozenset("*?[")


@lru_cache(256)
def lexer_class(name: str) -> LexerMeta | None:
    """Return the lexer that pygments chooses for a file of this name, without plug-ins; None if it knows none."""
    matches = [
        (lexer, pattern)
        for lexer, _, patterns, _ in lexers.get_all_lexers(plugins=False)
        for pattern in patterns
        if _matches(name, pattern)
    ]
    classes = [(lexers.find_lexer_class(lexer), pattern) for lexer, pattern in matches]
    return max(classes, key=_rating, default=(None, ""))[0]


def _matches(name: str, pattern: str) -> bool:
    suffix = pattern[1:] if pattern.startswith("*") else pattern
    if not _WILDCARDS.isdisjoint(suffix):
        return fnmatchcase(name, pattern)
    return name.endswith(suffix) if pattern.startswith("*") else name == pattern


def _rating(match: tuple[LexerMeta, str]) -> tuple[float, str]:
    """Order lexers as pygments does: by priority, where a pattern without `*` counts half a point more."""
    lexer, pattern = match
    return lexer.priority + (0.5 if "*" not in pattern else 0.0), lexer.__name__
