"""New objects as one pack (`gitformat-pack`), which `git index-pack` checks and stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gitorch.replay.objects import Made, Objects, deflated

_KINDS = {b"commit": 1, b"tree": 2, b"blob": 3}
_DELTA_BY_OFFSET = 6
_DEEPEST = 40
_LONGEST_COPY = 0xFFFFFF
_LONGEST_INSERT = 0x7F


def store(objects: Objects, roots: Iterable[bytes], stored: set[bytes]) -> None:
    """Store these new objects and all new ones that they lead to, but not the `stored` ones, which it adds them to."""
    names = [name for root in roots for name in _below(objects.made, root, stored)]
    if names:
        content = _packed(names, objects.made)
        objects.repository.git("index-pack", "--threads=1", "--stdin", input=content + objects.hash(content).digest())


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


def _packed(names: list[bytes], made: Mapping[bytes, Made]) -> bytes:
    pieces = [b"PACK" + (2).to_bytes(4, "big") + len(names).to_bytes(4, "big")]
    length = len(pieces[0])
    places: dict[bytes, tuple[int, int]] = {}  # where an object begins, and how many deltas deep it is
    for name in names:
        one = made[name]
        at, depth = places.get(one.base, (0, _DEEPEST))
        delta = _delta(made[one.base].content, one.content) if depth < _DEEPEST else None
        if delta is None:
            piece = _header(_KINDS[one.kind], len(one.content)) + deflated(one.content)
        else:
            piece = _header(_DELTA_BY_OFFSET, len(delta)) + _distance(length - at) + deflated(delta)
        places[name] = (length, depth + 1 if delta is not None else 0)
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)


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
    begin, end = _same_ends(old, new)
    middle = new[begin : len(new) - end]
    if 2 * len(middle) > len(new) or max(begin, end) > _LONGEST_COPY:
        return None
    inserts = (middle[at : at + _LONGEST_INSERT] for at in range(0, len(middle), _LONGEST_INSERT))
    steps = [_copy(0, begin), *(bytes([len(part)]) + part for part in inserts), _copy(len(old) - end, end)]
    return _size(len(old)) + _size(len(new)) + b"".join(steps)


def _same_ends(old: bytes, new: bytes) -> tuple[int, int]:
    """Return how many bytes two strings begin and end with in common, none counted twice."""
    shared = min(len(old), len(new))
    begin, end = _alike(old[:shared], new[:shared])
    if len(old) != len(new):
        end = _alike(old[-shared:], new[-shared:])[1]
    return begin, min(end, shared - begin)


def _alike(one: bytes, other: bytes) -> tuple[int, int]:
    """As `_same_ends`, for strings of one length: compared as two numbers, far faster than by a loop."""
    differing = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    begin = len(one) - (differing.bit_length() + 7) // 8
    return begin, ((differing & -differing).bit_length() - 1) // 8 if differing else len(one)


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
