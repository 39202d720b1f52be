"""What the lines of a file declare: what a merge by lines must not declare twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import resources

import msgspec
import tomli

from gitorch import typed

_UNDERLINE = re.compile(r"([=\-~^\"'`#*+.:_])\1{1,}\s*")
_INDENT = re.compile(r"[ \t]*")


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines of some files declare: `outlines.toml` says what the fields mean."""

    names: tuple[str, ...]
    entries: tuple[tuple[str, str], ...] = ()
    section: str = ""
    heading: str = ""
    fence: str = ""
    underlined: bool = False
    ignore_case: bool = False


def declared_twice(path: str, base: bytes, ours: bytes, theirs: bytes, merged: bytes) -> str | None:
    """Return what a merge declares more often in one place than any of its versions; None if there is nothing."""
    outline = _outline_of(path.rpartition("/")[2])
    if outline is None:
        return None
    before = [Counter(_declared(outline, text)) for text in (base, ours, theirs)]
    for entry, count in Counter(_declared(outline, merged)).items():
        if count > 1 and count > max(counts[entry] for counts in before):
            return f"the {entry[1]} “{entry[2]}” is there twice"
    return None


@cache
def _outlines() -> tuple[Outline, ...]:
    table = tomli.loads(resources.files(__package__).joinpath("outlines.toml").read_text("utf-8"))
    return typed.from_object(table["outline"], tuple[Outline, ...])


@cache
def _outline_of(name: str) -> Outline | None:
    """Return the outline of files with a name; the last that fits is the most special one."""
    fitting = [one for one in _outlines() if any(re.fullmatch(pattern, name) for pattern in one.names)]
    return fitting[-1] if fitting else None


def _declared(outline: Outline, content: bytes) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield what each line declares: below which headings, sections and less indented lines, the kind, and the name."""
    flags = re.IGNORECASE if outline.ignore_case else 0
    entries = [(kind, re.compile(pattern, flags)) for kind, pattern in outline.entries]
    lines = content.decode("utf-8", "replace").splitlines()
    section: tuple[str, ...] = ()
    headings: dict[int, str] = {}
    parents: list[tuple[int, str]] = []
    fenced = ""
    for number, line in enumerate(lines):
        text = line.strip()
        fence = re.match(outline.fence, text) if outline.fence else None
        if fence is not None and fenced in ("", fence[0]):
            fenced = "" if fenced else fence[0]
            continue
        if not text or fenced:
            continue
        if title := _title(outline, text, lines[number + 1] if number + 1 < len(lines) else ""):
            headings = {level: name for level, name in headings.items() if level < title[0]}
            yield tuple(headings.values()), "heading", title[1]
            headings[title[0]] = title[1]
            continue
        if outline.section and (found := re.match(outline.section, text)):
            section = (next(filter(None, found.groups()), text),)
            continue
        indent = len(_INDENT.match(line)[0].expandtabs())  # type: ignore[index]
        parents = [parent for parent in parents if parent[0] < indent]
        where = (*headings.values(), *section, *(name for _, name in parents))
        for kind, pattern in entries:
            if found := pattern.match(text):
                yield where, kind, found[1].strip("\"'").casefold() if outline.ignore_case else found[1]
        parents.append((indent, text))


def _title(outline: Outline, line: str, following: str) -> tuple[int, str] | None:
    """Return the level and the words of a heading; None if the line is none."""
    if outline.heading and (found := re.fullmatch(outline.heading, line)):
        return len(found["level"]), found["title"]
    if outline.underlined and _UNDERLINE.fullmatch(following) and len(following.rstrip()) >= len(line) > 1:
        return 1 + "=-~^\"'`#*+.:_".index(following[0]), line
    return None
