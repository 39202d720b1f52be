"""All settings of git for a repository, read in one process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

COMMAND = ("config", "-z", "--show-scope", "--list")
"""The git command whose output `parse` reads."""

_TRUE = ("true", "yes", "on", "1", None)
_FALSE = ("false", "no", "off", "0", "")


class Setting(NamedTuple):
    """One value of a setting, the scope that it comes from, and its name in lower case (but for a subsection).

    Its value is None if the file only names it, which means true.
    """

    scope: str
    name: str
    value: str | None


class Settings:
    """The settings, in the order in which git reads them: the last value of a name counts."""

    def __init__(self, entries: Sequence[Setting]) -> None:
        self.entries = tuple(entries)

    def values(self, name: str) -> list[str]:
        """Return all values of a setting; its name in lower case."""
        return [entry.value or "" for entry in self.entries if entry.name == name]

    def get(self, name: str) -> str | None:
        """Return the value of a setting; None without one."""
        return next(iter(self.values(name)[::-1]), None)

    def with_prefix(self, prefix: str) -> dict[str, list[str]]:
        """Return the values of all settings whose names begin so."""
        names = dict.fromkeys(entry.name for entry in self.entries if entry.name.startswith(prefix))
        return {name: self.values(name) for name in names}

    @property
    def is_partial_clone(self) -> bool:
        """Whether objects may be missing because git fetches them when they are needed."""
        return any(
            entry.name == "extensions.partialclone"
            or (entry.name.startswith("remote.") and entry.name.endswith(".promisor"))
            for entry in self.entries
        )

    def users(self, name: str) -> list[str | None]:
        """Return the values of a setting that are not from the command line, which is gitorch's."""
        return [entry.value for entry in self.entries if entry.name == name and entry.scope != "command"]


def as_bool(value: str | None) -> bool | None:
    """Return what a value means as true or false; None if only git can tell."""
    lowered = value.lower() if value is not None else None
    return True if lowered in _TRUE else False if lowered in _FALSE else None


def parse(fields: Sequence[str]) -> Settings:
    """Read the fields that `COMMAND` prints: pairs of a scope and of a name with its value."""
    entries = []
    for scope, text in zip(fields[::2], fields[1::2], strict=True):
        name, line_end, value = text.partition("\n")
        entries.append(Setting(scope, name, value if line_end else None))
    return Settings(entries)
