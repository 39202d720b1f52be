"""Markdown checklists: each open item is a task, with the paragraphs below it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from gitorch.flow.intake.draft import Draft, from_text

_ITEM = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)+\[[ xX]\](?=\s|$)", re.MULTILINE)


_BOX = re.compile(r"\[[ xX]\](?:\s+|$)")


_AFTER = re.compile(r"[ \t]*\(after:?[ \t]+([^()\r\n]+)\)[ \t]*$", re.IGNORECASE | re.MULTILINE)


_SPEC_KIT = re.compile(r"(T\d{3,})\s+(?:\[P\]\s+)?")


class _Item(NamedTuple):
    """A checklist's item: the lines that it stands on, those of its first paragraph, and whether it is open."""

    start: int
    end: int
    words_end: int
    open: bool


def is_checklist(text: str) -> bool:
    """Tell whether a Markdown text has items with boxes."""
    return _ITEM.search(text) is not None


def read_checklist(text: str, name: str) -> Iterator[Draft]:
    """Yield the open items of a checklist, each with what belongs to it."""
    # the lines that the parser counts, each as it is
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text)
    items = list(_items(text))
    for item in items:
        if item.open:
            yield _of_item(item, items, lines, name)


def _items(text: str) -> Iterator[_Item]:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(text)
    for at, token in enumerate(tokens[:-2]):
        words = tokens[at + 2]
        if token.type == "list_item_open" and words.type == "inline" and _BOX.match(words.content):
            assert token.map is not None
            assert words.map is not None
            yield _Item(token.map[0], token.map[1], words.map[1], words.content[1] == " ")


def _of_item(item: _Item, items: Sequence[_Item], lines: Sequence[str], name: str) -> Draft:
    origin = f"{name}:{item.start + 1}"
    before, _, first = lines[item.start].partition("[ ]")
    indent = len(before.expandtabs(4))
    words = first.lstrip(" \t") + "".join(_dedented(line, indent) for line in lines[item.start + 1 : item.words_end])
    words = words.replace("\r\n", "\n")
    after = _AFTER.search(words)
    words = (words[: after.start()] + words[after.end() :] if after else words).rstrip("\n")
    number = _SPEC_KIT.match(words)
    inside = {at for other in items if item.start < other.start < item.end for at in range(other.start, other.end)}
    rest = [_dedented(lines[at], indent) for at in range(item.words_end, item.end) if at not in inside]
    below = "".join(rest).rstrip()
    prompt = words[number.end() if number else 0 :] + (f"\n{below}" if below else "")
    draft = from_text(prompt, origin=origin)
    names = [word.strip() for word in after[1].split(",")] if after else []
    return msgspec.structs.replace(
        draft, id=number[1].lower() if number else "", after=tuple(word for word in names if word)
    )


def _dedented(line: str, indent: int) -> str:
    """Take off as much leading white space as the item's own text is indented by."""
    at = column = 0
    while column < indent and line[at : at + 1] in (" ", "\t"):
        column += 1 if line[at] == " " else 4 - column % 4
        at += 1
    return line[at:]
