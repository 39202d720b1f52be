"""The answers of `demo`, `init` and `doctor`."""

from __future__ import annotations

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer


class DemoAnswer(JsonAnswer, tag="gitorch/demo/1", frozen=True, kw_only=True):
    """How the demo went."""

    repository: str | None
    """With `--keep`: where the demo repository is."""
    exit_codes: dict[str, int]
    """The exit code of each command."""


class InitCheckJson(msgspec.Struct, frozen=True, kw_only=True):
    """A check that `init` found, and how it went in a scratch worktree."""

    name: str
    command: str
    toolchain: str
    passed: bool | None
    """Null if it was not tried."""
    exit_code: int | None
    seconds: float | None
    problem: str | None


class InitAnswer(JsonAnswer, tag="gitorch/init/1", frozen=True, kw_only=True):
    """The configuration file that was written."""

    path: str | Absent = msgspec.UNSET
    """Absent with `--print`."""
    text: str
    checks: list[InitCheckJson]


class FindingJson(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that `doctor` looked at."""

    ok: bool | None
    """Null for a note that is neither good nor bad."""
    what: str
    fix: str | None
    """The command that fixes it."""


class DoctorAnswer(JsonAnswer, tag="gitorch/doctor/1", frozen=True, kw_only=True):
    """What works, and what does not."""

    findings: list[FindingJson]
