"""The commands of repositories that the user has trusted, by hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from gitorch import regular_files, typed
from gitorch.config import FILE, PERSONAL, Layer, overlay, user_folder
from gitorch.errors import Refused, SetupNeeded
from gitorch.storage import own_changes
from gitorch.storage.atomic import replace

NAME = "trusted commands"
"""What the list is called where its changes are told."""

_RUNS_COMMANDS = ("prepare", "checks", "agents", "notify", "remote")
_SINGLE_COMMANDS = (("merge", "regenerate"), ("review", "viewer"))


def _trust_file() -> Path:
    return user_folder() / "trusted.json"


def commands(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return the commands in a repository's configuration files: the tables that contain some."""
    merged: dict[str, Any] = {}
    for layer in layers:
        if layer.origin in (FILE, PERSONAL):
            overlay(merged, _own_commands(layer), {}, "")
    return {key: value for key, value in merged.items() if value}


def files(layers: Sequence[Layer]) -> list[str]:
    """Return which of a repository's configuration files contain commands."""
    return [layer.origin for layer in layers if layer.origin in (FILE, PERSONAL) and any(_own_commands(layer).values())]


def _own_commands(layer: Layer) -> dict[str, Any]:
    tables = {key: layer.settings[key] for key in _RUNS_COMMANDS if key in layer.settings}
    single = {
        table: {name: command}
        for table, name in _SINGLE_COMMANDS
        if (command := layer.settings.get(table, {}).get(name))
    }
    return {**tables, **single}


def digest(commands: Mapping[str, Any]) -> str:
    """Return the hash of a set of commands."""
    return hashlib.sha256(json.dumps(commands, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def is_trusted(repository: Path, commands: Mapping[str, Any]) -> bool:
    """Return whether these commands of this repository are trusted; an empty set always is."""
    return not commands or digest(commands) in _trusted_digests().get(str(repository), [])


def agree(repository: Path, *agreements: Mapping[str, Any]) -> None:
    """Record that the user trusts each of these sets of commands, and its checks alone."""
    try:
        _trust_file().parent.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # below /proc, or a folder that was removed: nothing can be made there
        raise SetupNeeded(
            "user-folder",
            f"cannot make {_trust_file().parent}, where trusted commands are recorded",
            why=error.strerror or "",
            fix=("export XDG_CONFIG_HOME=...   a folder that you can write to",),
        ) from error
    agreed = _trusted_digests()
    if _damage():
        _trust_file().rename(_trust_file().with_name(f"trusted.json.damaged-{datetime.now():%Y%m%dT%H%M%S%f}"))
    before = trusted_commands(repository)
    # checks are read from each task's base commit, where the rest of the file may differ
    parts = [part for commands in agreements for part in (commands, {"checks": commands.get("checks", {})})]
    digests = [digest(part) for part in parts]
    earlier = [known for known in agreed.get(str(repository), []) if known not in digests]
    agreed[str(repository)] = list(dict.fromkeys([*earlier, *digests]))
    replace(_trust_file(), json.dumps(agreed, indent=1).encode())
    for commands in agreements[:1]:  # the others are checks of commits, which are not shown again
        path = _commands_file(digest(commands))
        path.parent.mkdir(exist_ok=True)
        replace(path, json.dumps(commands, indent=1).encode())
    own_changes.record(repository / "gitorch", {NAME: (before, trusted_commands(repository))})


def agreed_before(repository: Path) -> dict[str, Any] | None:
    """Return the commands that the user trusted last, to show what is new; None if they are not known."""
    for name in reversed(_trusted_digests().get(str(repository), [])):
        try:
            known = typed.from_json(regular_files.read(_commands_file(name)), dict[str, Any])
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            continue
        if digest(known) == name:
            return known
    return None


def _commands_file(name: str) -> Path:
    return user_folder() / "trusted" / f"{name}.json"


def trusted_commands(repository: Path) -> str:
    """Return what changes when a user trusts other commands of this repository."""
    return digest({"trusted": _trusted_digests().get(str(repository), [])})


def require(repository: Path, commands: Mapping[str, Any], source: str) -> None:
    """Raise `Refused` if these commands are not trusted."""
    if not is_trusted(repository, commands):
        raise Refused(
            "untrusted",
            f"{source} names commands that this repository would run on your machine, and you have not agreed to them",
            why="; ".join([", ".join(_setting_names(commands)), *_damage()]),
            fix=("orchestrate config trust",),
        )


def _setting_names(commands: Mapping[str, Any]) -> Sequence[str]:
    return [f"{table}.{key}" for table, keys in commands.items() for key in (keys if isinstance(keys, Mapping) else ())]


def _trusted_digests() -> dict[str, list[str]]:
    """Return the hashes by repository; none from a damaged file, so that the user is asked again."""
    try:
        return typed.from_json(regular_files.read(_trust_file()), dict[str, list[str]])
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _damage() -> list[str]:
    """Return what is wrong with the file; nothing if it is whole or missing."""
    try:
        typed.from_json(regular_files.read(_trust_file()), dict[str, list[str]])
    except FileNotFoundError:
        return []
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return [f"the list of what you have agreed to, {_trust_file()}, is damaged: {error}"]
    return []
