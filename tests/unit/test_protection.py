"""What is said about the protection of each kind of sandbox, and which kind `auto` takes."""

from __future__ import annotations

from typing import Literal

import pytest

from gitorch.config import SandboxSettings
from gitorch.rooms.sandbox import confine
from gitorch.rooms.sandbox.probing import BoxSupport
from gitorch.services import protection

NO_BOX = BoxSupport(problem="bwrap cannot make one: no", fix="do this")


def test_auto_takes_the_strongest_that_works() -> None:
    """A box, then Landlock, then a private repository; what is weaker says why."""
    settings = SandboxSettings()
    box = protection.in_force(settings, (BoxSupport(), ""))
    landlock = protection.in_force(settings, (NO_BOX, ""))
    private = protection.in_force(settings, (NO_BOX, "the kernel has none"))
    assert (box.mode, box.problem) == ("bwrap", "")
    assert (landlock.mode, landlock.fix) == ("landlock", "do this")
    assert "bwrap cannot make one: no" in landlock.problem
    assert private.mode == "private"
    assert "no; the kernel has none" in private.problem
    assert [one.is_sandbox for one in (box, landlock, private)] == [True, True, False]


@pytest.mark.parametrize(("version", "told"), [(5, True), (6, False)])
def test_an_old_landlock_says_what_it_leaves_open(version: int, told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals are kept inside from version 6 on."""
    monkeypatch.setattr(confine, "version", lambda: version)
    gaps = protection.gaps(protection.in_force(SandboxSettings(mode="landlock")))
    assert protection.LANDLOCK in gaps
    assert (protection.SIGNALS in gaps) == told


def test_without_a_sandbox_its_network_is_not_promised() -> None:
    """Nothing names a sandbox that is not there."""
    private = protection.in_force(SandboxSettings(mode="private"))
    assert protection.description(private) == protection.label(private) == ""
    assert protection.label(protection.in_force(SandboxSettings(mode="landlock"))) == "Landlock sandbox"


@pytest.mark.parametrize("network", ["on", "open"])
def test_what_landlock_closes_is_said(network: Literal["on", "open"]) -> None:
    """A test that starts a server, or writes to /tmp, fails there: the reason is named."""
    gaps = protection.gaps(protection.in_force(SandboxSettings(mode="landlock", network=network)))
    assert (protection.CLOSED_BY_LANDLOCK in gaps) == (network == "on")
    assert all("/tmp" in text for text in gaps if "cannot use" in text)
    assert any("cannot use /tmp or unix sockets" in text for text in gaps)
