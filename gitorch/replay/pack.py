"""Store new objects with all that they refer to, as one pack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gitorch.git.writing import unreferenced
from gitorch.git.writing.pack_format import NewObject, pack
from gitorch.model.naming import Oid
from gitorch.replay.objects import Objects


def store(objects: Objects, roots: Iterable[bytes], stored: set[bytes], tips: Iterable[Oid] = ()) -> None:
    """Store these new objects and all new ones that they refer to, except the `stored` ones; add them to these.

    The user's `git gc` leaves them alone until a ref has moved to one of the `tips`.
    """
    names = [name for root in roots for name in _reachable(objects.new, root, stored)]
    if names:
        content = pack(names, objects.new)
        unreferenced.store_pack(objects.repository, content + objects.hash(content).digest(), tips)


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
