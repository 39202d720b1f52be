"""The answers of `demo`, `init`, `doctor`, `help`, `roles` and `--version`."""

from __future__ import annotations

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer
from gitorch.model.roles import Role


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
    repair: str | None
    """What `doctor --fix` would do about it: the name of a repair."""


class DoctorAnswer(JsonAnswer, tag="gitorch/doctor/1", frozen=True, kw_only=True):
    """What works, and what does not."""

    findings: list[FindingJson]
    repaired: list[str]
    """The repairs that `--fix` made."""


class HelpAnswer(JsonAnswer, tag="gitorch/help/1", frozen=True, kw_only=True):
    """The topics of `help`, or the text of one."""

    topics: dict[str, str] | Absent = msgspec.UNSET
    """Titles by name; absent when a topic was named."""
    topic: str | Absent = msgspec.UNSET
    """A topic, or a command: a command that needs a subcommand prints its help."""
    text: str | Absent = msgspec.UNSET


class VersionAnswer(JsonAnswer, tag="gitorch/version/1", frozen=True, kw_only=True):
    """The answer of `--version`."""

    version: str
    python: str


class RoleJson(msgspec.Struct, frozen=True, kw_only=True):
    """A role: what it is for, and what selects it."""

    name: str
    purpose: str
    origin: str
    """`built-in`, a configuration file, or a file of the repository at a commit."""
    agent: str | None
    model: str | None
    tools: list[str]
    match: dict[str, int]
    """Words of a title that select it, with their points."""
    paths: list[str]

    @classmethod
    def of(cls, role: Role) -> RoleJson:
        """Return a role without its instructions."""
        return cls(
            name=role.name,
            purpose=role.purpose,
            origin=role.origin,
            agent=role.agent or None,
            model=role.model or None,
            tools=list(role.tools),
            match=dict(role.match),
            paths=list(role.paths),
        )


class RolesAnswer(JsonAnswer, tag="gitorch/roles/1", frozen=True, kw_only=True):
    """The answer of `roles list`."""

    roles: list[RoleJson]


class RoleAnswer(JsonAnswer, tag="gitorch/roles/1", frozen=True, kw_only=True):
    """The answer of `roles show`."""

    role: RoleJson
    instructions: str
