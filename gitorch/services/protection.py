"""What confines agents here, in words: for the start of a run, for `status` and for `doctor`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from gitorch import regular_files, typed
from gitorch.config import SandboxSettings
from gitorch.model.credentials.key_variables import holds_key
from gitorch.services import run_lock
from gitorch.services.workspace import Workspace
from gitorch.storage import atomic

if TYPE_CHECKING:
    from gitorch.rooms.sandbox.probing import BoxSupport

Mode: TypeAlias = Literal["bwrap", "landlock", "private", "off"]
Keys: TypeAlias = Literal["none", "inside", "outside"]
"""Where the API keys of agents are: in their environment, or outside of their sandbox."""

NO_SANDBOX = (
    "no sandbox: agents run with your rights, in your repository; only git hooks restrict them, which prevents "
    "accidents, not malice"
)
NO_SANDBOX_PRIVATE = (
    "no sandbox: agents run with your rights; their git uses a private repository, which prevents accidents, not malice"
)
SIDE_BY_SIDE = "agents that work at the same time can change each other's worktrees, and gitorch cannot tell"
KEYS_INSIDE = "agents can read the API keys in their environment"
OPEN_NETWORK = 'sandbox.network = "open": agents reach every host, and the services of this machine'
LANDLOCK = (
    "a Landlock sandbox hides no names: agents see which files exist, and processes with their arguments, and can "
    "change the permissions and times of files that are yours"
)
CLOSED_BY_LANDLOCK = "under Landlock, agents cannot use /tmp or unix sockets, nor listen on ports"
CLOSED_WITH_OPEN_NETWORK = "under Landlock, agents cannot use /tmp or unix sockets"
SIGNALS = "this version of Landlock lets agents send signals to your processes"
_NAMES = {"bwrap": "bubblewrap", "landlock": "Landlock"}
_NETWORKS = {"on": "allowed hosts only", "open": "every host", "off": "none"}


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """What confines agents. `problem`: why it is nothing stronger, where the settings ask for the strongest.

    `protects_processes`: whether a sandbox keeps agents from sending signals to other processes. `readable`: what the
    agents of a run can read in their sandbox although keys stay outside, in words.
    """

    mode: Mode
    network: Literal["on", "open", "off"]
    keys: Keys = "none"
    protects_processes: bool = True
    readable: tuple[str, ...] = ()
    problem: str = ""
    fix: str = ""

    @property
    def is_sandbox(self) -> bool:
        """Whether agents are in a sandbox."""
        return self.mode in ("bwrap", "landlock")


def in_force(settings: SandboxSettings, probed: tuple[BoxSupport, str] | None = None) -> Protection:
    """Return what confines agents; `auto` is the strongest that a probe says works here.

    `probed` is what was found out about boxes, and about Landlock where they do not work.
    """
    network = settings.network
    if settings.mode == "landlock":
        return _under_landlock(settings, "", "")
    if settings.mode != "auto":
        return Protection(mode=settings.mode, network=network)
    support, landlock = probed or _probe()
    if not support.problem:
        return Protection(mode="bwrap", network=network)
    if not landlock:
        return _under_landlock(settings, f"bubblewrap does not work here: {support.problem}", support.fix)
    problem = f"a sandbox is not possible here: {support.problem}; {landlock}"
    return Protection(mode="private", network=network, problem=problem, fix=support.fix)


def reaches_user(settings: SandboxSettings) -> bool:
    """Return whether agents, preparations and checks can reach anything of the user's outside of their worktree."""
    return in_force(settings).mode != "bwrap" or bool(settings.write)


def _probe(cache: Path | None = None) -> tuple[BoxSupport, str]:
    """Return what works here; with the file of an earlier answer, as it said, which is for showing only."""
    from gitorch.rooms.sandbox import probing  # 4 ms, for `status` where the settings name what confines agents

    return probing.remembered(cache) if cache else probing.probed()


def _under_landlock(settings: SandboxSettings, problem: str, fix: str) -> Protection:
    from gitorch.rooms.sandbox import confine  # 5 ms for ctypes, in every command

    return Protection(
        mode="landlock",
        network=settings.network,
        protects_processes=confine.version() >= confine.SCOPED,
        problem=problem,
        fix=fix,
    )


def of_workspace(workspace: Workspace) -> Protection:
    """Return what confines agents, and where their API keys are."""
    return _with_keys(workspace, in_force(workspace.config.sandbox))


def _with_keys(workspace: Workspace, protection: Protection) -> Protection:
    config, environment = workspace.config, workspace.environment
    if not any(holds_key(agent.kind, agent.key, environment, agent.env) for agent in config.agents.values()):
        return protection
    is_outside = protection.is_sandbox and config.sandbox.keys_outside
    return msgspec.structs.replace(protection, keys="outside" if is_outside else "inside")


def record(workspace: Workspace, protection: Protection) -> None:
    """Store what confines the agents of a run that starts, for `status`."""
    atomic.replace(_file(workspace.folder), msgspec.json.encode(protection))


def to_show(workspace: Workspace) -> Protection:
    """Return what confines the agents of the active run, or of the next one. Starts a process only if it must."""
    if run_lock.is_running(workspace):
        with contextlib.suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):
            return typed.from_json(regular_files.read(_file(workspace.folder)), Protection)
    settings = workspace.config.sandbox
    support = _remembered_support(workspace) if settings.mode == "auto" else None
    return _with_keys(workspace, in_force(settings, support))


def description(protection: Protection) -> str:
    """Return what is in force in one line; empty without a sandbox."""
    if not protection.is_sandbox:
        return ""
    keys = ", API keys: outside" if protection.keys == "outside" else ""
    name = _NAMES[protection.mode]
    return f"sandbox: {name}, private repository, network: {_NETWORKS[protection.network]}{keys}"


def label(protection: Protection) -> str:
    """Return the name of the sandbox in force; empty for none."""
    return f"{_NAMES[protection.mode]} sandbox" if protection.is_sandbox else ""


def warnings(protection: Protection) -> tuple[str, ...]:
    """Return what is not protected, and why nothing stronger is in force."""
    hint = f"; to change that: {protection.fix}" if protection.fix else ""
    return (*gaps(protection), *protection.readable, *(text + hint for text in reasons(protection)))


def gaps(protection: Protection) -> tuple[str, ...]:
    """Return what is not protected, and what Landlock closes that programs may need."""
    keys = (KEYS_INSIDE,) if protection.keys == "inside" else ()
    if protection.mode == "off":
        return (NO_SANDBOX, SIDE_BY_SIDE, *keys)
    if protection.mode == "private":
        return (NO_SANDBOX_PRIVATE, SIDE_BY_SIDE, *keys)
    return (
        *((LANDLOCK, _closed(protection)) if protection.mode == "landlock" else ()),
        *((SIGNALS,) if not protection.protects_processes else ()),
        *((OPEN_NETWORK,) if protection.network == "open" else ()),
        *keys,
    )


def _closed(protection: Protection) -> str:
    """Return what programs often need, and do not have under Landlock."""
    return CLOSED_WITH_OPEN_NETWORK if protection.network == "open" else CLOSED_BY_LANDLOCK


def reasons(protection: Protection) -> tuple[str, ...]:
    """Return why nothing stronger is in force, without the fix; empty where the settings ask for what is."""
    return (protection.problem,) if protection.problem else ()


def _file(folder: Path) -> Path:
    return folder / "protection.json"


def _remembered_support(workspace: Workspace) -> tuple[BoxSupport, str]:
    """Return what the last probe on this machine, as it is now, said: for showing, never for running."""
    home = Path(workspace.environment.get("HOME", "/"))
    cache = Path(workspace.environment.get("XDG_CACHE_HOME") or home / ".cache")
    return _probe(cache / "gitorch" / "sandbox.json")
