"""Lines of styled text in columns: small and quick, because `status` must not wait for a table library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gitorch.cli.terminal.sanitize import cells, clip, safe, safe_block

Piece = tuple[str, str]
"""Text, which is harmless already, and its style: words of `_CODES`."""

Line = list[Piece]

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
_GAP = 2
_WIDEST_TEXT = 96


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one stream can show. Without a `width` nothing is cut, and lines have the same columns always."""

    width: int | None = None
    height: int = 24
    colour: bool = False
    symbols: bool = True
    charset: str = "utf-8"

    @property
    def ellipsis(self) -> str:
        return "…" if self.symbols else "..."

    @property
    def dot(self) -> str:
        return " · " if self.symbols else " - "

    def pick(self, symbol: str, plain: str) -> str:
        """Return the symbol, or what stands for it in ASCII."""
        return symbol if self.symbols else plain

    def clean(self, text: str, width: int | None = None) -> str:
        """Return foreign text as one harmless line in characters that the stream can take."""
        shown = safe(text, width=width, ellipsis=self.ellipsis)
        if shown.isascii() or self.charset == "utf-8":
            return shown
        return shown.encode(self.charset, "backslashreplace").decode(self.charset)


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column: its title, its side, and how early it is hidden where there is no room (0: never)."""

    title: str
    right: bool = False
    hide: int = 0


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """How rows lie in the columns that have room: `kept` holds (position, width), `hidden` the titles without room."""

    columns: tuple[Column, ...]
    kept: tuple[tuple[int, int], ...]
    hidden: tuple[str, ...]
    indent: str
    natural: tuple[int, ...]
    ellipsis: str

    def header(self) -> Line:
        """Return the line of titles."""
        return self.row([(column.title, "dim") for column in self.columns], dash=False)

    def row(self, row: Sequence[Piece], *, dash: bool = True) -> Line:
        """Return one row; an empty cell of a row without a limit shows a dash, so that columns can be counted."""
        line: Line = [(self.indent, "")] if self.indent else []
        for place, (position, width) in enumerate(self.kept):
            text, style = row[position]
            text = clip(text, width, self.ellipsis) if width else text or ("-" if dash else "")
            last = place == len(self.kept) - 1
            line += _padded(text, style, self._room(position, width), self.columns[position].right, last)
        return line

    def _room(self, position: int, width: int) -> int:
        return width or self.natural[position]


def _padded(text: str, style: str, width: int, right: bool, last: bool) -> Line:
    space = " " * max(0, width - cells(text))
    line: Line = [(space, "")] if right and space else []
    if text:
        line.append((text, style))
    if not last:
        line.append(((space if not right else "") + " " * _GAP, ""))
    return line


def fit(columns: Sequence[Column], rows: Sequence[Sequence[Piece]], look: Look, indent: str = "") -> Fit:
    """Choose the columns that have room, and their widths. The last column takes what is left.

    Columns without any content are left out, those with the highest `hide` go first when there is no room; without
    a limit of width all columns stay.
    """
    natural = tuple(
        max([cells(column.title), *(cells(row[at][0]) for row in rows)]) for at, column in enumerate(columns)
    )
    every = range(len(columns))
    if look.width is None:
        kept = tuple((at, 0) for at in every)
        return _fitted(columns, kept, (), natural, look, indent)
    shown = [at for at in every if any(row[at][0] for row in rows)]
    room = look.width - len(indent)
    hidden = []
    while (victim := _victim(columns, shown)) is not None and _taken(natural, shown) > room:
        shown.remove(victim)
        hidden.append(columns[victim].title)
    return _fitted(columns, _widths(natural, shown, room), tuple(reversed(hidden)), natural, look, indent)


def _fitted(
    columns: Sequence[Column],
    kept: tuple[tuple[int, int], ...],
    hidden: tuple[str, ...],
    natural: tuple[int, ...],
    look: Look,
    indent: str,
) -> Fit:
    return Fit(columns=tuple(columns), kept=kept, hidden=hidden, indent=indent, natural=natural, ellipsis=look.ellipsis)


_LEAST_TEXT = 24


def _victim(columns: Sequence[Column], shown: Sequence[int]) -> int | None:
    hideable = [at for at in shown if columns[at].hide]
    return max(hideable, key=lambda at: columns[at].hide) if hideable else None


def _taken(natural: Sequence[int], shown: Sequence[int]) -> int:
    *fixed, last = shown
    return sum(natural[at] + _GAP for at in fixed) + min(natural[last], _LEAST_TEXT)


def _widths(natural: Sequence[int], shown: Sequence[int], room: int) -> tuple[tuple[int, int], ...]:
    """Give each column its own width and the last one the rest; a widest one is cut where even that is too much."""
    if not shown:
        return ()
    *fixed, last = shown
    widths = {at: natural[at] for at in fixed}
    over = sum(widths.values()) + _GAP * len(fixed) + min(natural[last], _LEAST_TEXT // 2) - room
    if over > 0 and fixed:
        widest = max(fixed, key=lambda at: natural[at])
        widths[widest] = max(8, widths[widest] - over)
    rest = room - sum(widths.values()) - _GAP * len(fixed)
    return (*((at, widths[at]) for at in fixed), (last, max(1, rest)))


def table(columns: Sequence[Column], rows: Sequence[Sequence[Piece]], look: Look, indent: str = "") -> list[Line]:
    """Return a titled table as lines, and a last line that names the columns without room."""
    fitted = fit(columns, rows, look, indent)
    lines = [fitted.header(), *map(fitted.row, rows)]
    return [*lines, *hidden_line(fitted, indent)]


def hidden_line(fitted: Fit, indent: str = "") -> list[Line]:
    """Return the line that names the columns without room; none when all have room."""
    count = len(fitted.hidden)
    if not count:
        return []
    names = ", ".join(title.lower() for title in fitted.hidden)
    return [[(f"{indent}{count} column{'s' * (count > 1)} hidden: {names}", "dim")]]


def fields(pairs: Iterable[tuple[str, Sequence[Line]]]) -> list[Line]:
    """Return labelled lines: each label once, its lines beside it; a label without lines is left out."""
    lines: list[Line] = []
    for label, content in pairs:
        for at, line in enumerate(content):
            lines.append([(f"  {label if at == 0 else '':<10}", "dim"), *line])
    return lines


FIELD_INDENT = 12


def wrap(text: str, look: Look, indent: int = 0) -> list[str]:
    """Break harmless text of several lines into lines that fit; without a limit of width lines stay as they are."""
    lines = text.expandtabs(4).split("\n")
    if look.width is None:
        return lines
    room = max(20, min(look.width, _WIDEST_TEXT + indent) - indent)
    return [part for line in lines for part in _broken(line, room)]


def block(text: str, look: Look, indent: int = 0) -> list[str]:
    """Return foreign text of several lines as harmless lines that fit, in characters that the stream can take."""
    lines = wrap(safe_block(text.strip("\n")), look, indent)
    return [look.clean(line) if look.charset != "utf-8" else line for line in lines]


def _broken(line: str, room: int) -> list[str]:
    lead = line[: len(line) - len(line.lstrip(" "))][: room // 2]
    parts: list[str] = []
    here = lead
    for word in line.split():
        spaced = f"{here} {word}" if here.strip() else here + word
        if cells(spaced) <= room:
            here = spaced
            continue
        if here.strip():
            parts.append(here)
        here = lead + word
        while cells(here) > room:
            head = _head(here, room)
            parts.append(head)
            here = lead + here[len(head) :]
    return [*parts, here] if here.strip() or not parts else parts


def _head(text: str, room: int) -> str:
    taken = 0
    for at, character in enumerate(text):
        taken += cells(character)
        if taken > room:
            return text[:at]
    return text


def flow(line: Line, look: Look, indent: str = "  ") -> list[Line]:
    """Break a line between its pieces where it is too long for the stream."""
    if look.width is None:
        return [line]
    lines: list[Line] = [[]]
    taken = 0
    for text, style in line:
        shown = clip(text, look.width - len(indent), look.ellipsis)
        if taken and taken + cells(shown.rstrip()) > look.width:
            lines.append([(indent, "")])
            taken, shown = len(indent), shown.lstrip()
        lines[-1].append((shown, style))
        taken += cells(shown)
    return lines


def cut(line: Line, look: Look) -> Line:
    """Return a line cut at the width of its stream."""
    if look.width is None:
        return line
    kept: Line = []
    room = look.width
    for text, style in line:
        if cells(text) > room:
            return [*kept, (clip(text, room, look.ellipsis), style)] if room else kept
        kept.append((text, style))
        room -= cells(text)
    return kept


def paint(lines: Iterable[Line], look: Look) -> str:
    """Return lines as one text, with ANSI styles where the stream shows colour; no line ends in spaces."""
    if not look.colour:
        return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)
    return "\n".join("".join(_styled(text, style) for text, style in line).rstrip() for line in lines)


def _styled(text: str, style: str) -> str:
    if not style or not text.strip():
        return text
    codes = ";".join(_CODES[word] for word in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m"
