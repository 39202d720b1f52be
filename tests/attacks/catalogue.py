"""All attacks, and the nights in which they are made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tests.attacks.attack import Attack
from tests.attacks.table import checkout, code, processes, repository, secrets, state

ATTACKS: tuple[Attack, ...] = (
    *repository.ATTACKS,
    *checkout.ATTACKS,
    *code.ATTACKS,
    *secrets.ATTACKS,
    *state.ATTACKS,
    *processes.ATTACKS,
)


def nights(attacks: Iterable[Attack] = ATTACKS) -> Mapping[str, tuple[Attack, ...]]:
    """Return the attacks by night; one that leaves its own room in ruins comes last."""
    found: dict[str, list[Attack]] = defaultdict(list)
    for attack in attacks:
        found[attack.night].append(attack)
    return {night: tuple(sorted(found[night], key=lambda attack: attack.ruins)) for night in found}
