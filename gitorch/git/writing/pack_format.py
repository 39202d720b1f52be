"""New objects as one pack (`gitformat-pack`), which `git index-pack` checks and stores."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import msgspec

_KINDS = {b"commit": 1, b"tree": 2, b"blob": 3}
_DELTA_BY_OFFSET = 6
_MAX_DEPTH = 40
"""How many deltas may build on each other."""
_MAX_COPY = 0xFFFFFF
_MAX_INSERT = 0x7F
_BYTES = tuple(bytes([number]) for number in range(256))
_MAX_STORED = 512
"""Content up to this size is not compressed: that costs more time than it saves."""
_MAX_STORED_TREE = 4096
"""As `_MAX_STORED`, for a tree: it is made of ids, which compress badly and take the longest of all to compress."""
_MAX_BLOCK = 0xFFFF
"""The most bytes that deflate takes uncompressed in one block."""
_SMALL_WINDOW, _SMALL_MEMORY = 12, 5
"""zlib's window (4 kB) and memory for small content: clearing its usual 256 kB takes longer than compressing a tree."""


class NewObject(msgspec.Struct, frozen=True, gc=False):
    """An object that the repository does not have yet.

    `children` are the ids of further new objects that it refers to. A tree was made from the tree `base`, and has all
    but a few of its entries.
    """

    kind: bytes
    content: bytes
    children: tuple[bytes, ...] = ()
    base: bytes = b""


def pack(names: Sequence[bytes], new: Mapping[bytes, NewObject]) -> bytes:
    """Return a pack of objects, each after the one that it is a delta of, without the hash at the end."""
    pieces = [b"PACK" + (2).to_bytes(4, "big") + len(names).to_bytes(4, "big")]
    length = len(pieces[0])
    offsets: dict[bytes, tuple[int, int]] = {}  # where an object begins, and how many deltas it builds on
    for name in names:
        current = new[name]
        base_offset, depth = offsets.get(current.base, (0, _MAX_DEPTH))
        delta = _delta(new[current.base].content, current.content) if depth < _MAX_DEPTH else None
        if delta is None:
            piece = _header(_KINDS[current.kind], len(current.content)) + _compressed(current)
        else:
            piece = _header(_DELTA_BY_OFFSET, len(delta)) + _distance(length - base_offset) + deflate(delta)
        offsets[name] = (length, depth + 1 if delta is not None else 0)
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)


def _header(kind: int, size: int) -> bytes:
    first = kind << 4 | size & 0x0F
    return _BYTES[first] if size < 16 else _BYTES[first | 0x80] + _size(size >> 4)


def _size(size: int) -> bytes:
    """Write a number seven bits at a time, the lowest first."""
    encoded = b""
    while size > 0x7F:
        encoded += _BYTES[size & 0x7F | 0x80]
        size >>= 7
    return encoded + _BYTES[size]


def _distance(back: int) -> bytes:
    """Write how far back a delta's base begins: the highest bits first, one less for each further byte."""
    encoded = [back & 0x7F]
    while back := back >> 7:
        back -= 1
        encoded.append(back & 0x7F | 0x80)
    return bytes(reversed(encoded))


def _delta(old: bytes, new: bytes) -> bytes | None:
    """Return how to make `new` of `old`: their common ends, and what is new between; None if most of it is new."""
    prefix, suffix = _common_ends(old, new)
    middle = new[prefix : len(new) - suffix]
    if 2 * len(middle) > len(new) or max(prefix, suffix) > _MAX_COPY:
        return None
    steps = [_size(len(old)), _size(len(new)), _copy(0, prefix)]
    for start in range(0, len(middle), _MAX_INSERT):
        part = middle[start : start + _MAX_INSERT]
        steps += (_BYTES[len(part)], part)
    steps.append(_copy(len(old) - suffix, suffix))
    return b"".join(steps)


def _common_ends(old: bytes, new: bytes) -> tuple[int, int]:
    """Return the lengths of the common prefix and suffix of two strings; no byte is counted twice."""
    if len(old) == len(new):
        prefix, suffix = _common_prefix_suffix(old, new)
        return prefix, min(suffix, len(new) - prefix)
    shared = min(len(old), len(new))
    prefix, _ = _common_prefix_suffix(old[:shared], new[:shared])
    _, suffix = _common_prefix_suffix(old[-shared:], new[-shared:])
    return prefix, min(suffix, shared - prefix)


def _common_prefix_suffix(first: bytes, second: bytes) -> tuple[int, int]:
    """As `_common_ends`, for strings of one length: compared as two numbers, which is far faster than a loop."""
    differing = int.from_bytes(first, "big") ^ int.from_bytes(second, "big")
    prefix = len(first) - (differing.bit_length() + 7) // 8
    return prefix, ((differing & -differing).bit_length() - 1) // 8 if differing else len(first)


def _copy(offset: int, size: int) -> bytes:
    """Write the instruction to copy from the base: a bit for each byte of offset and size that is not zero."""
    if not size:
        return b""
    bits, parts = 0x80, bytearray()
    for number, bit in ((offset, 0x01), (size, 0x10)):
        while number:
            if number & 0xFF:
                bits |= bit
                parts.append(number & 0xFF)
            number, bit = number >> 8, bit << 1
    return bytes([bits]) + bytes(parts)


def _compressed(new: NewObject) -> bytes:
    is_small_tree = new.kind == b"tree" and len(new.content) <= _MAX_STORED_TREE
    return store(new.content) if is_small_tree else deflate(new.content)


def deflate(content: bytes) -> bytes:
    """Return content in zlib's format (RFC 1950), uncompressed if it is short."""
    if len(content) <= _MAX_STORED:
        return store(content)
    window, memory = (_SMALL_WINDOW, _SMALL_MEMORY) if len(content) <= 1 << _SMALL_WINDOW else (zlib.MAX_WBITS, 8)
    compressor = zlib.compressobj(1, zlib.DEFLATED, window, memory)
    return compressor.compress(content) + compressor.flush()


def store(content: bytes) -> bytes:
    """Return content in zlib's format without compressing it."""
    if len(content) > _MAX_BLOCK:
        return zlib.compress(content, 0)
    length = len(content).to_bytes(2, "little")
    complement = (len(content) ^ 0xFFFF).to_bytes(2, "little")
    return b"\x78\x01\x01" + length + complement + content + zlib.adler32(content).to_bytes(4, "big")
