"""Merged children with the space around them, and how they are put together again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gitorch.syntax.nodes import Node
from gitorch.syntax.texts import either_space

_WORD_END = re.compile(rb"\w\Z")
_WORD_START = re.compile(rb"\A\w")


@dataclass(frozen=True)
class Piece:
    """The text of one child of the merged node; `inserted` where only one side has it."""

    lead: bytes
    text: bytes
    separator: bytes
    named: bool = True
    inserted: bool = False


def piece_of(node: Node, text: bytes | None = None) -> Piece:
    """Return an inserted child as it stands, or with another text."""
    return Piece(node.lead, node.text if text is None else text, node.separator, node.named, inserted=True)


def merged_piece(base: Node, ours: Node, theirs: Node, text: bytes) -> Piece:
    """Return a child of all three versions with its merged text."""
    lead = either_space(base.lead, ours.lead, theirs.lead)
    return Piece(lead, text, _separator(base, ours, theirs), base.named)


def _separator(base: Node, ours: Node, theirs: Node) -> bytes:
    separators = [node.separator for node in (base, ours, theirs)]
    if separators[1] in (separators[0], separators[2]):
        return separators[2]
    return separators[1] or separators[2]


def each_once(pieces: Sequence[Piece], texts: frozenset[bytes]) -> list[Piece]:
    """Return pieces without what one side inserts again after the other; only of those with one of these texts."""
    seen: set[bytes] = set()
    kept: list[Piece] = []
    for piece in pieces:
        if piece.inserted and piece.text in texts:
            if piece.text in seen:
                continue
            seen.add(piece.text)
        kept.append(piece)
    return kept


def join_pieces(pieces: Sequence[Piece], versions: Sequence[Node]) -> bytes:
    """Return the text of a node with these children; `versions` are base, ours and theirs."""
    tail = either_space(*(version.tail for version in versions))
    laid_out = _with_separators(_on_lines(pieces, versions), versions)
    text = b""
    for piece in laid_out:
        lead = piece.lead
        if not lead and piece.inserted and _WORD_END.search(text) and _WORD_START.match(piece.text):
            lead = b" "
        text += lead + piece.text + piece.separator
    return text + tail


def _on_lines(pieces: Sequence[Piece], versions: Sequence[Node]) -> list[Piece]:
    """Return pieces on lines of their own if the children of a version are."""
    is_block = versions[0].kind in versions[0].language.blocks
    broken = _broken_lead(versions)
    laid_out: list[Piece] = []
    for index, piece in enumerate(pieces):
        lead = piece.lead
        if index == 0 and versions[0].depth == 0:
            lead = lead.lstrip(b"\r\n")
        elif index == 0:
            lead = piece.lead if b"\n" in piece.lead or not is_block else versions[0].children[0].lead
        elif broken is not None and b"\n" not in lead and not laid_out[-1].text.endswith(b"\n"):
            new_entry = piece.named and (piece.inserted or (is_block and laid_out[-1].inserted))
            lead = broken if new_entry or _is_entry(piece, laid_out) else lead
        elif not lead and piece.named and laid_out[-1].named and _is_new_joint(piece, laid_out) and not is_block:
            lead = b" "
        laid_out.append(replace(piece, lead=lead))
    return laid_out


def _is_new_joint(piece: Piece, before: list[Piece]) -> bool:
    return piece.inserted or before[-1].inserted


def _is_entry(piece: Piece, before: list[Piece]) -> bool:
    """Return whether a piece is an entry of a list after an opening bracket or another entry on a line of its own."""
    return piece.named and bool(before) and b"\n" in before[-1].lead and bool(before[-1].separator)


def _broken_lead(versions: Sequence[Node]) -> bytes | None:
    """Return the space before an entry of a node whose entries are on lines of their own."""
    for version in versions[1:]:
        entries = [child for child in version.children[1:] if child.named]
        broken = [child.lead for child in entries if b"\n" in child.lead]
        if broken and 2 * len(broken) >= len(entries):
            line_end = b"\r\n" if b"\r\n" in broken[-1] else b"\n"
            return line_end + broken[-1].rpartition(b"\n")[2]
    return None


def _with_separators(pieces: list[Piece], versions: Sequence[Node]) -> list[Piece]:
    """Return pieces with a separator after each entry but the last, and after that one if a side put it there."""
    separator = _usual_separator(versions)
    if separator is None:
        return pieces
    entries = [index for index, piece in enumerate(pieces) if piece.named and not _is_comment(piece)]
    if not entries:
        return pieces
    trailing = _trailing(versions)
    for index in entries[:-1]:
        if not pieces[index].separator and _follows_entry(pieces, index):
            pieces[index] = replace(pieces[index], separator=separator)
    last = entries[-1]
    if pieces[last].inserted or any(piece.inserted for piece in pieces):
        pieces[last] = replace(pieces[last], separator=(pieces[last].separator or separator) if trailing else b"")
    return pieces


def _is_comment(piece: Piece) -> bool:
    return piece.text.startswith((b"#", b"//", b"/*"))


def _follows_entry(pieces: list[Piece], index: int) -> bool:
    """Return whether the next piece but comments is an entry too."""
    following = [piece for piece in pieces[index + 1 :] if not _is_comment(piece)]
    return bool(following) and following[0].named


def _usual_separator(versions: Sequence[Node]) -> bytes | None:
    """Return the separator of a list, a comma; None for other nodes."""
    for version in versions:
        if any(child.named and child.separator.endswith(b",") for child in version.children[:-1]):
            return b","
    return b"," if versions[0].kind in versions[0].language.lists else None


def _trailing(versions: Sequence[Node]) -> bool:
    """Return whether the last entry has a separator: as the side that changed it wants it."""
    trails = [_has_trailing(version) for version in versions]
    return trails[2] if trails[1] in (trails[0], trails[2]) else trails[1]


def _has_trailing(version: Node) -> bool:
    entries = [child for child in version.children if child.named and child.kind not in version.language.comments]
    return bool(entries) and bool(entries[-1].separator)
