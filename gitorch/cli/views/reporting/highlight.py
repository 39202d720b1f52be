"""Lines of a diff with the syntax of their language as HTML classes."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.token import Comment, Keyword, Name, Number, String

from gitorch.cli.views.reporting.lexers import lexer_class
from gitorch.git.diff.patch_lines import LineKind, PatchLine

_MAX_LINES = 500
"""Lines of one file that are highlighted: more would take seconds."""

_LONGEST = 400
_CLASSES = ((Comment, "c"), (String, "s"), (Number, "m"), (Keyword, "k"), (Name.Function, "f"), (Name.Class, "f"))


def highlighted(path: str, lines: Sequence[tuple[PatchLine, str]]) -> list[tuple[PatchLine, str]]:
    """Return lines with their text as HTML: everything in it is escaped, and words carry the classes of their kind."""
    lexer = _lexer(path) if len(lines) <= _MAX_LINES else None
    return [(line, _html(lexer, line, text)) for line, text in lines]


def _lexer(path: str) -> Lexer | None:
    kind = lexer_class(path.rpartition("/")[2])
    return kind(stripnl=False, ensurenl=False) if kind else None


def _html(lexer: Lexer | None, line: PatchLine, text: str) -> str:
    html: str = escape(text)
    if lexer is not None and len(text) <= _LONGEST and line.kind not in (LineKind.HUNK, LineKind.META):
        html = Markup("").join(_word(kind, word) for kind, word in lexer.get_tokens(text))
    return html


def _word(kind: object, word: str) -> str:
    name = next((name for parent, name in _CLASSES if kind in parent), "")
    html: str = Markup('<span class="{}">{}</span>').format(name, word) if name else escape(word)
    return html
