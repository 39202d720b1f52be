"""The login and the settings of an agent's command line, as far as it needs them from the user's HOME."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from gitorch import typed
from gitorch.model.credentials import key_variables
from gitorch.rooms.sandbox import endpoints
from gitorch.rooms.sandbox.bubblewrap import Bind
from gitorch.rooms.sandbox.home import plain_folder, set_aside
from gitorch.storage import atomic

_CLAUDE_KEYS = (*key_variables.CLAUDE, "ANTHROPIC_BASE_URL")


class Login(msgspec.Struct, frozen=True):
    """The user's files in the box's HOME: those an agent reads, and those that it refreshes.

    `services` are addresses of model services that these files name. `env` are API keys, and the addresses of their
    services, that these files hold and their copies do not.
    """

    read: tuple[Bind, ...] = ()
    write: tuple[Bind, ...] = ()
    services: tuple[str, ...] = ()
    env: Mapping[str, str] = {}


def prepare(kind: str, env: Mapping[str, str], home: Path, folder: Path, *, without_keys: bool = False) -> Login:
    """Return which of the user's files a kind of agent needs; `env` is the agent's environment on the host.

    A session's own files go into `home`, which agents can write: links that an earlier one left where files are bound
    are removed. `folder` is gitorch's own, for files that are copied: the login of codex without its refresh token,
    because two copies of one refresh token would end the user's login; and `without_keys`, what holds an API key.
    """
    match kind:
        case "claude":
            return _claude(env, plain_folder(home, ".claude"), folder if without_keys else None)
        case "codex":
            return _codex(env, plain_folder(home, ".codex"), folder, without_keys=without_keys)
        case _:
            return Login()


def _claude(env: Mapping[str, str], target: Path, copies: Path | None) -> Login:
    source = _folder(env, "CLAUDE_CONFIG_DIR", ".claude")
    login = Login(
        read=_existing(source, target, ("settings.json", "CLAUDE.md")),
        # one file, written in place: a refreshed login reaches the user's file
        write=_existing(source, target, (".credentials.json",)),
        services=endpoints.of_claude(source / "settings.json"),
    )
    settings, keys = _without_key_variables(source / "settings.json")
    if copies is None or not keys:
        return login
    atomic.replace(copies / "settings.json", settings, mode=0o600)
    read = (*_existing(copies, target, ("settings.json",)), *_existing(source, target, ("CLAUDE.md",)))
    return msgspec.structs.replace(login, read=read, env=keys)


def _without_key_variables(path: Path) -> tuple[bytes, dict[str, str]]:
    """Return claude's settings without the variables of a key, and these; they win over the environment's."""
    try:
        settings: Any = typed.from_json(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return b"", {}
    variables = settings.get("env") if isinstance(settings, dict) else None
    if not isinstance(variables, dict):
        return b"", {}
    found = {name: variables[name] for name in _CLAUDE_KEYS if isinstance(variables.get(name), str)}
    kept = {name: text for name, text in variables.items() if name not in found}
    return msgspec.json.encode({**settings, "env": kept}), found


def _codex(env: Mapping[str, str], target: Path, folder: Path, *, without_keys: bool) -> Login:
    source = _folder(env, "CODEX_HOME", ".codex")
    read = _existing(source, target, ("config.toml", "AGENTS.md"))
    services = endpoints.of_codex(source / "config.toml")
    login = _codex_login(source / "auth.json")
    if login is None:
        return Login(read=read, services=services)
    keys = {}
    if without_keys and login.get("OPENAI_API_KEY"):
        keys = (
            {} if login.get("tokens") or env.get("CODEX_API_KEY") else {"CODEX_API_KEY": str(login["OPENAI_API_KEY"])}
        )
        login["OPENAI_API_KEY"] = None
    atomic.replace(folder / "auth.json", msgspec.json.encode(login), mode=0o600)
    write = () if keys else _existing(folder, target, ("auth.json",))
    return Login(read=read, write=write, services=services, env=keys)


def _codex_login(path: Path) -> dict[str, Any] | None:
    """Return codex's login without its refresh token."""
    try:
        login: Any = typed.from_json(path.read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    if not isinstance(login, dict):
        return None
    tokens = login.get("tokens")
    if isinstance(tokens, dict) and "refresh_token" in tokens:
        tokens["refresh_token"] = ""
    return login


def _folder(env: Mapping[str, str], variable: str, name: str) -> Path:
    return Path(env.get(variable) or Path(env.get("HOME", "/nonexistent"), name))


def _existing(source: Path, target: Path, names: tuple[str, ...]) -> tuple[Bind, ...]:
    existing = [name for name in names if (source / name).is_file()]
    for name in existing:
        if (target / name).is_symlink() or (target / name).is_dir():
            set_aside(target / name)
    return tuple((str(source / name), str(target / name)) for name in existing)
