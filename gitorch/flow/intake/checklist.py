"""Markdown checklists: each open item is a task, with the text below it, and waits for the open items below it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from gitorch.flow.intake.draft import TaskDraft, from_text

_ITEM = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)+\[[ xX]\](?=\s|$)", re.MULTILINE)


_BOX = re.compile(r"\[[ xX]\](?:\s+|$)")


_AFTER = re.compile(r"[ \t]*\(after:?[ \t]+([^()\r\n]+)\)[ \t]*$", re.IGNORECASE | re.MULTILINE)


_SPEC_KIT = re.compile(r"(T\d{3,})\s+(?:\[P\]\s+)?")


class _Item(NamedTuple):
    """A checklist item: its lines `start` to `end`, the end of its first paragraph, and whether it is open."""

    start: int
    end: int
    paragraph_end: int
    open: bool


def is_checklist(text: str) -> bool:
    """Return whether a Markdown text has items with check boxes."""
    return _ITEM.search(text) is not None


def read_checklist(text: str, name: str) -> Iterator[TaskDraft]:
    """Yield the open items of a checklist, each with the text below it."""
    # split at the line ends that the parser counts, and keep them
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text)
    items = list(_items(text))
    for item in items:
        if item.open:
            yield _item_draft(item, items, lines, name)


def _items(text: str) -> Iterator[_Item]:
    # imported here: it takes 80 ms, half as long as the rest of `submit`, and most submissions are plain text
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(text)
    for index, token in enumerate(tokens[:-2]):
        paragraph = tokens[index + 2]
        if token.type == "list_item_open" and paragraph.type == "inline" and _BOX.match(paragraph.content):
            assert token.map is not None
            assert paragraph.map is not None
            yield _Item(token.map[0], token.map[1], paragraph.map[1], paragraph.content[1] == " ")


def _item_draft(item: _Item, items: Sequence[_Item], lines: Sequence[str], name: str) -> TaskDraft:
    origin = _origin(name, item)
    before, _, first = lines[item.start].partition("[ ]")
    indent = len(before.expandtabs(4))
    paragraph = first.lstrip(" \t")
    paragraph += "".join(_dedented(line, indent) for line in lines[item.start + 1 : item.paragraph_end])
    paragraph = paragraph.replace("\r\n", "\n")
    after = _AFTER.search(paragraph)
    paragraph = (paragraph[: after.start()] + paragraph[after.end() :] if after else paragraph).rstrip("\n")
    number = _SPEC_KIT.match(paragraph)
    nested = {line for other in items if item.start < other.start < item.end for line in range(other.start, other.end)}
    own_lines = [_dedented(lines[line], indent) for line in range(item.paragraph_end, item.end) if line not in nested]
    details = "".join(own_lines).rstrip()
    prompt = paragraph[number.end() if number else 0 :] + (f"\n{details}" if details else "")
    draft = from_text(prompt, origin=origin)
    names = [word.strip() for word in after[1].split(",")] if after else []
    names += [_origin(name, child) for child in _open_children(item, items)]
    return msgspec.structs.replace(
        draft, id=number[1].lower() if number else "", after=tuple(word for word in names if word)
    )


def _open_children(item: _Item, items: Sequence[_Item]) -> list[_Item]:
    """Return the open items directly below an item: it waits for them."""
    children = [other for other in items if item.start < other.start < item.end and other.open]
    return [child for child in children if not any(other.start < child.start < other.end for other in children)]


def _origin(name: str, item: _Item) -> str:
    return f"{name}:{item.start + 1}"


def _dedented(line: str, indent: int) -> str:
    """Remove as much leading white space as the item's text is indented by."""
    index = column = 0
    while column < indent and line[index : index + 1] in (" ", "\t"):
        column += 1 if line[index] == " " else 4 - column % 4
        index += 1
    return line[index:]
