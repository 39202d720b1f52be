"""What confines agents here, in words: for the start of a run, for `status` and for `doctor`."""

from __future__ import annotations

from typing import Literal, TypeAlias

from gitorch.config import SandboxSettings

Mode: TypeAlias = Literal["bwrap", "off"]

NO_SANDBOX = "no sandbox: only git hooks restrict the agents, which prevents accidents, not malice"


def mode_in_force(settings: SandboxSettings) -> Mode:
    """Return what confines agents. It follows from the settings: nothing is started to find out."""
    return "bwrap" if settings.mode == "bwrap" else "off"


def description(settings: SandboxSettings) -> str:
    """Return what is in force in one line; empty without a sandbox."""
    if mode_in_force(settings) == "off":
        return ""
    networks = {"on": "allowed hosts only", "open": "every host", "off": "none"}
    return f"sandbox: bubblewrap, a private repository for each attempt, network: {networks[settings.network]}"


def warnings(settings: SandboxSettings) -> tuple[str, ...]:
    """Return what is not protected."""
    if mode_in_force(settings) == "off":
        return (NO_SANDBOX,)
    if settings.network == "open":
        return ('sandbox.network = "open": agents reach every host, and the services of this machine',)
    return ()
