"""The control of every attack: in a worktree that nobody guards, the same script does what it says."""

from __future__ import annotations

import msgspec
import pytest

from tests.attacks.catalogue import ATTACKS, nights
from tests.attacks.night import bare
from tests.attacks.services import Services
from tests.attacks.victims import Victims


@pytest.mark.parametrize("night", sorted(nights()))
def test_an_attack_hits_where_nobody_guards(night: str, bare_victims: Victims, services: Services) -> None:
    """Otherwise that it misses elsewhere would prove nothing."""
    missed = []
    for attack in nights()[night]:
        with services.with_process() as service:
            world = msgspec.structs.replace(bare_victims.restore(), service=service)
            if not bare(world, attack):
                missed.append((attack.id, world.said))
    certain = {attack.id for attack in ATTACKS if attack.certain}
    assert [one for one in missed if one[0] in certain] == []
