"""The refs and settings of a repository at one time, read by two git processes for all who compare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gitorch.git.config_text import entries
from gitorch.git.repository import Repository

_COMMAND = "command"
"""The scope of settings on command lines and in an agent's environment, which gitorch itself makes."""


class Setting(msgspec.Struct, frozen=True):
    """A setting of git: its scope (`local`, `global`, ...), the file that it is from, and its full name."""

    scope: str
    origin: str
    key: str
    value: str


class Inventory(msgspec.Struct, frozen=True):
    """All refs, with what each points at (a symbolic one: and its target); the settings, without those of a command."""

    refs: Mapping[str, str]
    settings: tuple[Setting, ...]


def read(repository: Repository, settings: Sequence[Setting] | None = None) -> Inventory:
    """Return what a repository holds now; raise `GitFailed` if git cannot read it. `settings` were read already."""
    refs = _refs(repository)
    return Inventory(refs, read_settings(repository) if settings is None else tuple(settings))


def read_settings(repository: Repository) -> tuple[Setting, ...]:
    """Return the settings that are in force, in git's order: the last one of a name counts."""
    fields = repository.git("config", "-z", "--list", "--show-scope", "--show-origin").fields()
    rows = zip(fields[::3], fields[1::3], entries(fields[2::3]), strict=True)
    return tuple(Setting(scope, origin, *setting) for scope, origin, setting in rows if scope != _COMMAND)


def _refs(repository: Repository) -> dict[str, str]:
    listing = repository.git("for-each-ref", "--format=%(objectname) %(symref) %(refname)").stdout
    rows = (line.rsplit(b" ", 1) for line in listing.splitlines())
    values = {
        name.decode("utf-8", "backslashreplace"): value.decode("utf-8", "backslashreplace") for value, name in rows
    }
    return {name: value.rstrip() for name, value in values.items()}
