"""What confines agents here, in words: for the start of a run, for `status` and for `doctor`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from gitorch import typed
from gitorch.config import SandboxSettings
from gitorch.model.key_variables import holds_key
from gitorch.rooms.sandbox import probing
from gitorch.rooms.sandbox.probing import BoxSupport
from gitorch.services import run_lock
from gitorch.services.workspace import Workspace
from gitorch.storage import atomic

Mode: TypeAlias = Literal["bwrap", "private", "off"]
Keys: TypeAlias = Literal["none", "inside", "outside"]
"""Where the API keys of agents are: in their environment, or outside of their sandbox."""

NO_SANDBOX = "no sandbox: only git hooks restrict the agents, which prevents accidents, not malice"
NO_SANDBOX_PRIVATE = (
    "no sandbox: agents run with your rights; their git uses a private repository, which prevents accidents, not malice"
)
KEYS_INSIDE = "agents can read the API keys in their environment"
_NETWORKS = {"on": "allowed hosts only", "open": "every host", "off": "none"}


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """What confines agents. `problem`: why it is nothing stronger, where the settings ask for the strongest."""

    mode: Mode
    network: Literal["on", "open", "off"]
    keys: Keys = "none"
    problem: str = ""
    fix: str = ""


def in_force(settings: SandboxSettings, support: BoxSupport | None = None) -> Protection:
    """Return what confines agents; `auto` is the strongest that a probe says works here."""
    if settings.mode != "auto":
        # a mode that this version does not have was refused when the configuration was read
        mode = "off" if settings.mode == "landlock" else settings.mode
        return Protection(mode=mode, network=settings.network)
    support = support or probing.support()
    if support.problem:
        return Protection(mode="private", network=settings.network, problem=support.problem, fix=support.fix)
    return Protection(mode="bwrap", network=settings.network)


def of_workspace(workspace: Workspace) -> Protection:
    """Return what confines agents, and where their API keys are."""
    return _with_keys(workspace, in_force(workspace.config.sandbox))


def _with_keys(workspace: Workspace, protection: Protection) -> Protection:
    config, environment = workspace.config, workspace.environment
    if not any(holds_key(agent.kind, agent.key, environment, agent.env) for agent in config.agents.values()):
        return protection
    is_outside = protection.mode == "bwrap" and config.sandbox.keys_outside
    return msgspec.structs.replace(protection, keys="outside" if is_outside else "inside")


def record(workspace: Workspace) -> Protection:
    """Return what confines the agents of a run that starts, and store it for `status`."""
    protection = of_workspace(workspace)
    atomic.replace(_file(workspace.folder), msgspec.json.encode(protection))
    return protection


def to_show(workspace: Workspace) -> Protection:
    """Return what confines the agents of the active run, or of the next one. Starts a process only if it must."""
    if run_lock.is_running(workspace):
        with contextlib.suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):
            return typed.from_json(_file(workspace.folder).read_bytes(), Protection)
    settings = workspace.config.sandbox
    support = _remembered_support(workspace) if settings.mode == "auto" else None
    return _with_keys(workspace, in_force(settings, support))


def description(protection: Protection) -> str:
    """Return what is in force in one line; empty without a sandbox."""
    if protection.mode != "bwrap":
        return ""
    keys = ", API keys: outside" if protection.keys == "outside" else ""
    return f"sandbox: bubblewrap, private repository, network: {_NETWORKS[protection.network]}{keys}"


def label(protection: Protection) -> str:
    """Return the name of the sandbox in force; empty for none."""
    return "bubblewrap sandbox" if protection.mode == "bwrap" else ""


def warnings(protection: Protection) -> tuple[str, ...]:
    """Return what is not protected, and why nothing stronger is in force."""
    hint = f"; to change that: {protection.fix}" if protection.fix else ""
    return (*gaps(protection), *(text + hint for text in reasons(protection)))


def gaps(protection: Protection) -> tuple[str, ...]:
    """Return what is not protected."""
    keys = (KEYS_INSIDE,) if protection.keys == "inside" else ()
    if protection.mode == "off":
        return (NO_SANDBOX, *keys)
    if protection.mode == "private":
        return (NO_SANDBOX_PRIVATE, *keys)
    if protection.network == "open":
        return ('sandbox.network = "open": agents reach every host, and the services of this machine', *keys)
    return keys


def reasons(protection: Protection) -> tuple[str, ...]:
    """Return why nothing stronger is in force, without the fix; empty where the settings ask for what is."""
    return (f"a sandbox is not possible here: {protection.problem}",) if protection.problem else ()


def _file(folder: Path) -> Path:
    return folder / "protection.json"


def _remembered_support(workspace: Workspace) -> BoxSupport:
    """Return what the last probe on this machine, as it is now, said: for showing, never for running."""
    home = Path(workspace.environment.get("HOME", "/"))
    cache = Path(workspace.environment.get("XDG_CACHE_HOME") or home / ".cache")
    return probing.remembered(cache / "gitorch" / "sandbox.json")
