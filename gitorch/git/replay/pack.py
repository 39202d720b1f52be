"""New objects as one pack (`gitformat-pack`), which `git index-pack` checks and stores."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping

from gitorch.git.replay.objects import Made
from gitorch.git.repository import Repository

_KINDS = {b"commit": 1, b"tree": 2, b"blob": 3}
_DELTA_BY_OFFSET = 6
_DEEPEST = 40
_LONGEST_COPY = 0xFFFFFF
_LONGEST_INSERT = 0x7F


def store(repository: Repository, made: Mapping[bytes, Made], roots: Iterable[bytes], stored: set[bytes]) -> None:
    """Store these new objects and all new ones that they lead to, but not the `stored` ones, which it adds them to."""
    names = [name for root in roots for name in _below(made, root, stored)]
    if names:
        repository.git("index-pack", "--stdin", input=_packed(names, made, repository.id_bytes))


def _below(made: Mapping[bytes, Made], root: bytes, stored: set[bytes]) -> Iterator[bytes]:
    """Yield what is new at and below an object, what others are made from first."""
    waiting: list[tuple[bytes, bool]] = [(root, False)]
    while waiting:
        name, ready = waiting.pop()
        if ready:
            yield name
        elif name in made and name not in stored:
            stored.add(name)
            one = made[name]
            waiting.append((name, True))
            waiting.extend((below, False) for below in (*one.below, one.base))


def _packed(names: list[bytes], made: Mapping[bytes, Made], id_bytes: int) -> bytes:
    pieces = [b"PACK" + (2).to_bytes(4, "big") + len(names).to_bytes(4, "big")]
    length = len(pieces[0])
    places: dict[bytes, tuple[int, int]] = {}  # where an object begins, and how many deltas deep it is
    for name in names:
        one = made[name]
        at, depth = places.get(one.base, (0, _DEEPEST))
        delta = _delta(made[one.base].content, one.content) if depth < _DEEPEST else None
        if delta is None:
            piece = _header(_KINDS[one.kind], len(one.content)) + zlib.compress(one.content, 1)
        else:
            piece = _header(_DELTA_BY_OFFSET, len(delta)) + _distance(length - at) + zlib.compress(delta, 1)
        places[name] = (length, depth + 1 if delta is not None else 0)
        pieces.append(piece)
        length += len(piece)
    whole = b"".join(pieces)
    return whole + (hashlib.sha1 if id_bytes == 20 else hashlib.sha256)(whole).digest()


def _header(kind: int, size: int) -> bytes:
    first = kind << 4 | size & 0x0F
    return bytes([first]) if size < 16 else bytes([first | 0x80]) + _size(size >> 4)


def _size(size: int) -> bytes:
    """Write a number seven bits at a time, the lowest first."""
    found = bytearray()
    while size > 0x7F:
        found.append(size & 0x7F | 0x80)
        size >>= 7
    found.append(size)
    return bytes(found)


def _distance(back: int) -> bytes:
    """Write how far back a delta's base begins: the highest bits first, one less for each further byte."""
    found = [back & 0x7F]
    while back := back >> 7:
        back -= 1
        found.append(back & 0x7F | 0x80)
    return bytes(reversed(found))


def _delta(old: bytes, new: bytes) -> bytes | None:
    """Return how to make `new` of `old`: their common begin and end, and what is new between; None if that is most."""
    begin = _common(old, new)
    end = _common(old[begin:][::-1], new[begin:][::-1])
    middle = new[begin : len(new) - end]
    if 2 * len(middle) > len(new) or max(begin, end) > _LONGEST_COPY:
        return None
    inserts = (middle[at : at + _LONGEST_INSERT] for at in range(0, len(middle), _LONGEST_INSERT))
    steps = [_copy(0, begin), *(bytes([len(part)]) + part for part in inserts), _copy(len(old) - end, end)]
    return _size(len(old)) + _size(len(new)) + b"".join(steps)


def _common(one: bytes, other: bytes) -> int:
    """Return how many bytes two strings begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _copy(offset: int, size: int) -> bytes:
    """Write the instruction to copy from the base: a bit for each byte of offset and size that is not zero."""
    if not size:
        return b""
    bits, parts = 0x80, bytearray()
    for bit, byte in enumerate([*offset.to_bytes(4, "little"), *size.to_bytes(3, "little")]):
        if byte:
            bits |= 1 << bit
            parts.append(byte)
    return bytes([bits]) + bytes(parts)
