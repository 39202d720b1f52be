"""The login and the settings of an agent's command line, as much as it needs of the user's HOME."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from gitorch import typed
from gitorch.rooms.sandbox import endpoints
from gitorch.rooms.sandbox.box import Bind
from gitorch.rooms.sandbox.home import plain_folder, set_aside
from gitorch.storage import atomic


class Login(msgspec.Struct, frozen=True):
    """Files of the user in the box's HOME: those an agent reads, and those that it refreshes.

    `services` are addresses of model services that these files name.
    """

    read: tuple[Bind, ...] = ()
    write: tuple[Bind, ...] = ()
    services: tuple[str, ...] = ()


def prepare(kind: str, env: Mapping[str, str], home: Path, folder: Path) -> Login:
    """Return what a kind of agent needs of the user's files; `env` is the agent's environment on the host.

    A session's own files go into `home`, which agents can write: links that an earlier one left where files are bound
    are removed. `folder` is gitorch's own, for the one file that is copied: the login of codex without its refresh
    token, because two copies of one refresh token would end the user's login.
    """
    match kind:
        case "claude":
            return _claude(env, plain_folder(home, ".claude"))
        case "codex":
            return _codex(env, plain_folder(home, ".codex"), folder)
        case _:
            return Login()


def _claude(env: Mapping[str, str], target: Path) -> Login:
    source = _folder(env, "CLAUDE_CONFIG_DIR", ".claude")
    # one file, written in place: a refreshed login reaches the user's file
    return Login(
        read=_existing(source, target, ("settings.json", "CLAUDE.md")),
        write=_existing(source, target, (".credentials.json",)),
        services=endpoints.of_claude(source / "settings.json"),
    )


def _codex(env: Mapping[str, str], target: Path, folder: Path) -> Login:
    source = _folder(env, "CODEX_HOME", ".codex")
    read = _existing(source, target, ("config.toml", "AGENTS.md"))
    services = endpoints.of_codex(source / "config.toml")
    if (login := _without_refresh(source / "auth.json")) is None:
        return Login(read=read, services=services)
    atomic.replace(folder / "auth.json", login, mode=0o600)
    return Login(read=read, write=_existing(folder, target, ("auth.json",)), services=services)


def _without_refresh(path: Path) -> bytes | None:
    try:
        login: Any = typed.from_json(path.read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    tokens = login.get("tokens") if isinstance(login, dict) else None
    if isinstance(tokens, dict) and "refresh_token" in tokens:
        tokens["refresh_token"] = ""
    return msgspec.json.encode(login)


def _folder(env: Mapping[str, str], variable: str, name: str) -> Path:
    return Path(env.get(variable) or Path(env.get("HOME", "/nonexistent"), name))


def _existing(source: Path, target: Path, names: tuple[str, ...]) -> tuple[Bind, ...]:
    existing = [name for name in names if (source / name).is_file()]
    for name in existing:
        if (target / name).is_symlink() or (target / name).is_dir():
            set_aside(target / name)
    return tuple((str(source / name), str(target / name)) for name in existing)
