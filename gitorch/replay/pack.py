"""New objects as one pack (`gitformat-pack`), which `git index-pack` checks and stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gitorch.git import unreferenced
from gitorch.model.naming import Oid
from gitorch.replay.objects import NewObject, Objects, deflate

_KINDS = {b"commit": 1, b"tree": 2, b"blob": 3}
_DELTA_BY_OFFSET = 6
_MAX_DEPTH = 40
"""How many deltas may build on each other."""
_MAX_COPY = 0xFFFFFF
_MAX_INSERT = 0x7F


def store(objects: Objects, roots: Iterable[bytes], stored: set[bytes], tips: Iterable[Oid] = ()) -> None:
    """Store these new objects and all new ones that they refer to, except the `stored` ones; add them to these.

    The user's `git gc` leaves them alone until a ref has moved to one of the `tips`.
    """
    names = [name for root in roots for name in _reachable(objects.new, root, stored)]
    if names:
        pack = _pack(names, objects.new)
        unreferenced.store_pack(objects.repository, pack + objects.hash(pack).digest(), tips)


def _reachable(new: Mapping[bytes, NewObject], root: bytes, stored: set[bytes]) -> Iterator[bytes]:
    """Yield an object and the new ones that it refers to, each after those it is made from."""
    pending: list[tuple[bytes, bool]] = [(root, False)]
    while pending:
        name, is_ready = pending.pop()
        if is_ready:
            yield name
        elif name in new and name not in stored:
            stored.add(name)
            pending.append((name, True))
            pending.extend((child, False) for child in (*new[name].children, new[name].base))


def _pack(names: list[bytes], new: Mapping[bytes, NewObject]) -> bytes:
    pieces = [b"PACK" + (2).to_bytes(4, "big") + len(names).to_bytes(4, "big")]
    length = len(pieces[0])
    offsets: dict[bytes, tuple[int, int]] = {}  # where an object begins, and how many deltas it builds on
    for name in names:
        current = new[name]
        base_offset, depth = offsets.get(current.base, (0, _MAX_DEPTH))
        delta = _delta(new[current.base].content, current.content) if depth < _MAX_DEPTH else None
        if delta is None:
            piece = _header(_KINDS[current.kind], len(current.content)) + deflate(current.content)
        else:
            piece = _header(_DELTA_BY_OFFSET, len(delta)) + _distance(length - base_offset) + deflate(delta)
        offsets[name] = (length, depth + 1 if delta is not None else 0)
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)


def _header(kind: int, size: int) -> bytes:
    first = kind << 4 | size & 0x0F
    return bytes([first]) if size < 16 else bytes([first | 0x80]) + _size(size >> 4)


def _size(size: int) -> bytes:
    """Write a number seven bits at a time, the lowest first."""
    encoded = bytearray()
    while size > 0x7F:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    encoded.append(size)
    return bytes(encoded)


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
    inserts = (middle[start : start + _MAX_INSERT] for start in range(0, len(middle), _MAX_INSERT))
    steps = [_copy(0, prefix), *(bytes([len(part)]) + part for part in inserts), _copy(len(old) - suffix, suffix)]
    return _size(len(old)) + _size(len(new)) + b"".join(steps)


def _common_ends(old: bytes, new: bytes) -> tuple[int, int]:
    """Return the lengths of the common prefix and suffix of two strings; no byte is counted twice."""
    shared = min(len(old), len(new))
    prefix, suffix = _common_prefix_suffix(old[:shared], new[:shared])
    if len(old) != len(new):
        suffix = _common_prefix_suffix(old[-shared:], new[-shared:])[1]
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
