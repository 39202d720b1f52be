"""Attacks with git hooks alone (`sandbox.mode = "off"`): they refuse what goes through git and moves a ref.

All others hit as where nobody guards: by a path, by git's settings, or by what no hook of git sees. Each is told.
"""

from __future__ import annotations

import msgspec
import pytest

from tests.attacks.catalogue import nights
from tests.attacks.night import spend, verify
from tests.attacks.services import Services
from tests.attacks.victims import Victims


@pytest.mark.parametrize("night", sorted(nights()))
def test_attacks_are_refused_or_told(night: str, victims: Victims, services: Services) -> None:
    """Each attack comes to its fate in the table: `run` names each hit, and the task each refusal."""
    with services.with_process() as service:
        world = msgspec.structs.replace(victims.restore(), service=service)
        attacks = nights()[night]
        verify(world, "off", attacks, spend(world, "off", attacks))
