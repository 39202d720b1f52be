"""The kind of room that agents work in: which is in force on this machine, and what it does not protect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from gitorch import services
from gitorch.agents import AGENTS
from gitorch.config import Config, SandboxSettings
from gitorch.errors import InvalidInput, SetupNeeded
from gitorch.git.repository import Repository
from gitorch.rooms.boxed_worktree import BoxedWorktrees
from gitorch.rooms.fenced_worktree import FencedWorktrees
from gitorch.rooms.private_worktree import PrivateWorktrees
from gitorch.rooms.protocol import Rooms
from gitorch.rooms.recorded_rooms import RecordedRooms
from gitorch.rooms.remote_room import RemoteRooms
from gitorch.rooms.sandbox import host_rules, probing
from gitorch.services.protection import in_force
from gitorch.services.workspace import Workspace
from gitorch.storage.shared_notes import SharedNotes


def rooms_of(workspace: Workspace, environment: Mapping[str, str]) -> Rooms:
    """Return the rooms of the mode in force, and for attempts that started in another one, theirs."""
    rooms = rooms_in(workspace.repository, workspace.config, workspace.folder, environment)
    is_remote = services.remote.is_on(workspace)
    return RemoteRooms(
        inner=rooms,
        repository=workspace.repository,
        config=workspace.config,
        is_on=is_remote,
        last_work=services.remote.last_work(workspace) if is_remote else _no_work,
        send=services.remote.send_files(workspace) if is_remote else _send_nothing,
        notes=SharedNotes(workspace.folder / "context"),
    )


def _no_work(_task: str, _attempt: int) -> None:
    return None


def _send_nothing(_task: str, _attempt: int, _files: Mapping[str, bytes]) -> None:
    pass


def rooms_in(repository: Repository, config: Config, folder: Path, environment: Mapping[str, str]) -> Rooms:
    """Return rooms on this machine; `folder` is where their state is."""
    makers: Mapping[str, Callable[..., Rooms]] = {
        "bwrap": BoxedWorktrees,
        "landlock": partial(BoxedWorktrees, has_mounts=False),
        "private": PrivateWorktrees,
        "off": FencedWorktrees,
    }
    kinds = {
        mode: rooms(
            repository=repository,
            config=config,
            agents=AGENTS,
            folder=folder,
            environment=environment,
        )
        for mode, rooms in makers.items()
    }
    return RecordedRooms(kinds=kinds, kind=in_force(config.sandbox).mode)


def require_sandbox(workspace: Workspace) -> None:
    """Raise `SetupNeeded` when the sandbox does not work here, `InvalidInput` for settings that it cannot keep."""
    settings = workspace.config.sandbox
    for host in settings.hosts:
        host_rules.check(host)
    protection = in_force(settings)
    _refuse_keys(settings, is_boxed=protection.is_sandbox)
    if not protection.is_sandbox:
        _refuse_without_sandbox(settings)
        return
    _refuse_exposing(workspace)
    if protection.mode == "bwrap":
        problem, fix = probing.support().problem, probing.support().fix
    else:
        problem, fix = probing.landlock_problem(), ""
    if problem:
        raise SetupNeeded(
            "sandbox-unavailable",
            f'sandbox.mode = "{protection.mode}" does not work on this machine',
            why=problem,
            fix=(*([fix] if fix else ()), 'sandbox.mode = "off" runs agents without a sandbox'),
        )


def _refuse_without_sandbox(settings: SandboxSettings) -> None:
    if settings.network == "off":
        raise InvalidInput(
            "sandbox-network",
            'sandbox.network = "off" needs a sandbox',
            why="without one, an agent uses the network of this machine",
            fix=('sandbox.mode = "bwrap"',),
        )


def _refuse_keys(settings: SandboxSettings, *, is_boxed: bool) -> None:
    if settings.keys == "outside" and not (is_boxed and settings.keys_outside):
        raise InvalidInput(
            "sandbox-keys",
            'sandbox.keys = "outside" needs a sandbox with its proxy',
            why="the proxy adds the key to requests; without it, the key is in the agent's environment",
            fix=('sandbox.mode = "auto"', 'sandbox.network = "on"'),
        )


def _refuse_exposing(workspace: Workspace) -> None:
    repository = workspace.repository
    protected = [repository.common_dir, *([repository.work_tree] if repository.work_tree else [])]
    for name, paths in (("read", workspace.config.sandbox.read), ("write", workspace.config.sandbox.write)):
        for text in paths:
            path = Path(text).expanduser()
            if not path.is_absolute():
                raise InvalidInput("sandbox-path", f"sandbox.{name}: {text} is not an absolute path")
            resolved = path.resolve()
            exposed = [other for other in protected if other.resolve().is_relative_to(resolved)]
            inside = [other for other in protected if name == "write" and resolved.is_relative_to(other.resolve())]
            if exposed or inside:
                raise InvalidInput(
                    "sandbox-path",
                    f"sandbox.{name}: {text} would open the repository to agents",
                    why="a sandbox keeps them out of it",
                    fix=("name the folder that they need",),
                )
