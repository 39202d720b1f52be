"""Which commands of a repository's own files the user has agreed to run, by their hash."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gitorch.config import FILE, PERSONAL, Layer, overlay, user_folder
from gitorch.errors import Refused
from gitorch.storage.atomic import replace

_RUNS_COMMANDS = ("prepare", "checks", "agents", "notify")


def _record() -> Path:
    return user_folder() / "trusted.json"


def commands(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return all that a repository's own files would have run on this machine: the tables that name commands."""
    found: dict[str, Any] = {}
    for layer in layers:
        if layer.origin in (FILE, PERSONAL):
            overlay(found, {key: layer.settings[key] for key in _RUNS_COMMANDS if key in layer.settings}, {}, "")
            merge = layer.settings.get("merge", {})
            overlay(found, {"merge": {"regenerate": made}} if (made := merge.get("regenerate")) else {}, {}, "")
    return {key: value for key, value in found.items() if value}


def digest(found: Mapping[str, Any]) -> str:
    """Return the hash that a set of commands is trusted by."""
    import hashlib

    return hashlib.sha256(json.dumps(found, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def is_trusted(repository: Path, found: Mapping[str, Any]) -> bool:
    """Tell whether these commands of this repository were agreed to; no commands need no agreement."""
    return not found or digest(found) in _agreed().get(str(repository), [])


def agree(repository: Path, found: Mapping[str, Any]) -> None:
    """Remember that the user agreed to these commands, as a whole and to their checks alone."""
    agreed = _agreed()
    # checks are read from each task's base commit, where the rest of the file may be another
    digests = [digest(found), digest({"checks": found.get("checks", {})})]
    agreed[str(repository)] = list(dict.fromkeys([*agreed.get(str(repository), []), *digests]))
    _record().parent.mkdir(parents=True, exist_ok=True)
    replace(_record(), json.dumps(agreed, indent=1).encode())


def require(repository: Path, found: Mapping[str, Any], where: str) -> None:
    """Raise `Refused` when commands would run that nobody has agreed to."""
    if not is_trusted(repository, found):
        raise Refused(
            "untrusted",
            f"{where} names commands that this repository would run on your machine, and you have not agreed to them",
            why=", ".join(_named(found)),
            fix=("orchestrate config trust",),
        )


def _named(found: Mapping[str, Any]) -> Sequence[str]:
    return [f"{table}.{key}" for table, keys in found.items() for key in (keys if isinstance(keys, Mapping) else ())]


def _agreed() -> dict[str, list[str]]:
    try:
        content = _record().read_bytes()
    except FileNotFoundError:
        return {}
    try:
        found = json.loads(content)
    except ValueError as error:
        raise Refused(
            "trust-damaged", f"{_record()} cannot be read", why=str(error), fix=(f"rm {_record()}",)
        ) from error
    return dict(found)


def inside_agent() -> str:
    """Return the task whose agent runs this process; empty for a person."""
    return os.environ.get("GITORCH_TASK", "")


def require_person(what: str) -> None:
    """Raise `Refused` when an agent asks for what only a person may decide."""
    if task := inside_agent():
        raise Refused("inside-agent", f"an agent may not {what}", why=f"this is the worktree of {task}")
