"""What a repository shows of the commands that test it, and how those went."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import msgspec

from gitorch.model import globs


class ProjectFiles(msgspec.Struct, frozen=True):
    """The files of a commit, and the ignored folders at the top of the user's checkout (`node_modules`)."""

    paths: frozenset[str]
    read: Callable[[str], str]
    ignored: frozenset[str] = frozenset()

    def first(self, *patterns: str) -> str:
        """Return the first file of the top folder that matches a pattern; empty if there is none."""
        return next((path for pattern in patterns for path in self._top(pattern)), "")

    def matches(self, files: Iterable[str], pattern: str) -> bool:
        """Return whether one of these files exists and matches a regular expression."""
        return any(re.search(pattern, self.read(path)) for path in files if path in self.paths)

    def _top(self, pattern: str) -> list[str]:
        if not set(pattern) & set("*?["):
            return [pattern] if pattern in self.paths else []
        return sorted(path for path in self.paths if "/" not in path and globs.matches_name(path, pattern))

    def under(self, folder: str) -> ProjectFiles:
        """Return the files below a folder, as if it were the top."""
        prefix = f"{folder}/"
        return ProjectFiles(
            frozenset(path.removeprefix(prefix) for path in self.paths if path.startswith(prefix)),
            lambda path: self.read(prefix + path),
            frozenset(path.removeprefix(prefix) for path in self.ignored if path.startswith(prefix)),
        )


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """One way to check a project: what a fresh worktree needs first, and the checks by name."""

    checks: dict[str, str]
    copy: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


class Toolchain(msgspec.Struct, frozen=True, kw_only=True):
    """A toolchain of a project, the file that shows it, and the setups to try, the cheapest first.

    `program` is the executable that all of them need.
    """

    name: str
    evidence: str
    program: str
    setups: tuple[Setup, ...]
    is_last_resort: bool = False


class CheckTrial(msgspec.Struct, frozen=True, kw_only=True):
    """How one check went in a scratch worktree: `exit_code` is None if it did not run, `problem` says why it failed."""

    name: str
    command: str
    passed: bool
    exit_code: int | None = None
    seconds: float = 0.0
    problem: str = ""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """The setup of a toolchain that was seen working, or the last one tried if none works.

    Nothing was tried where the program of the toolchain is `missing`.
    """

    toolchain: Toolchain
    setup: Setup
    checks: tuple[CheckTrial, ...]
    missing: str = ""

    @property
    def works(self) -> bool:
        """Whether at least one check passed: the setup is good."""
        return any(check.passed for check in self.checks)
