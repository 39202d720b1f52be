"""The answers of `cleanup`, `uninstall`, `config`, `completion`, `hooks` and `notes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, ObjectId


class RemovalProofJson(msgspec.Struct, frozen=True, kw_only=True):
    """Why a closed task can go, or why it stays."""

    task: str
    proof: str
    commit: ObjectId | None
    """The commit that it was merged as."""
    proven: bool


class CleanupAnswer(JsonAnswer, tag="gitorch/cleanup/1", frozen=True, kw_only=True):
    """The tasks that were removed, or with `dry_run` would be."""

    tasks: list[str]
    dry_run: bool
    proofs: list[RemovalProofJson]
    """For every closed task, also those that stay."""


class UninstallAnswer(JsonAnswer, tag="gitorch/uninstall/1", frozen=True, kw_only=True):
    """What `uninstall` removed, or with `dry_run` would remove."""

    worktrees: list[str]
    refs: list[str]
    kept: list[str]
    """Refs that stay: rescue points, and those with commits that no branch has."""
    hooks: list[str]
    folder: str
    """The folder of the state."""
    unfinished: list[str]
    """Tasks that are queued or not decided; their requests are lost."""
    dry_run: bool


class ConfigShowAnswer(JsonAnswer, tag="gitorch/config/1", frozen=True, kw_only=True):
    """The answer of `config show`: all settings, by their dotted names."""

    values: dict[str, Any]
    origins: dict[str, str]
    """Where each value comes from."""


class ConfigGetAnswer(JsonAnswer, tag="gitorch/config/1", frozen=True, kw_only=True):
    """The answer of `config get`."""

    name: str
    value: Any


class ConfigSetAnswer(JsonAnswer, tag="gitorch/config/1", frozen=True, kw_only=True):
    """The answer of `config set`."""

    name: str
    value: Any
    """The value in force, which another file or a variable may set."""
    path: str
    """The file that was changed."""


class ConfigEditAnswer(JsonAnswer, tag="gitorch/config/1", frozen=True, kw_only=True):
    """The answer of `config edit`."""

    path: str | None
    """The file that was changed; null if nothing was."""


class ConfigValidateAnswer(JsonAnswer, tag="gitorch/config/1", frozen=True, kw_only=True):
    """The answer of `config validate` for a valid configuration."""

    origins: list[str]
    """What was checked: files, the environment and options that set something."""


class ConfigSchemaAnswer(JsonAnswer, tag="gitorch/config/1", frozen=True, kw_only=True):
    """The answer of `config schema`."""

    document: dict[str, Any]
    """The JSON Schema of `.orchestrate.toml`."""


class ConfigTrustAnswer(JsonAnswer, tag="gitorch/config/1", frozen=True, kw_only=True):
    """The answer of `config trust`: the commands that the repository's own files would run."""

    commands: dict[str, Any]
    """The tables of the configuration that hold commands."""
    base_checks: Mapping[str, Mapping[str, Any]] = {}
    """Checks in the files of commits that tasks start on and that were not trusted before, by commit id."""
    digest: str | Absent = msgspec.UNSET
    """The hash that the commands are trusted by; absent when no answer was needed."""
    agreed: bool | Absent = msgspec.UNSET


class CompletionAnswer(JsonAnswer, tag="gitorch/completion/1", frozen=True, kw_only=True):
    """The completion script of a shell."""

    shell: str
    script: str


class NotesAnswer(JsonAnswer, tag="gitorch/notes/1", frozen=True, kw_only=True):
    """The answer of `notes push` and `notes fetch`."""

    remote: str
    before: ObjectId | None
    """The commit of the notes that were changed, before; null if there were none."""
    after: ObjectId | None
    """The same, after; equal if nothing changed."""


class HookJson(msgspec.Struct, frozen=True, kw_only=True):
    """One git hook that `hooks install` writes."""

    name: str
    state: str
    """installed, outdated, changed (by hand) or absent."""
    path: str
    other: str | None
    """Who wrote the hook that it runs, or that is in its place: pre-commit, husky, lefthook or `your own`."""


class HooksAnswer(JsonAnswer, tag="gitorch/hooks/1", frozen=True, kw_only=True):
    """The hooks of this repository; for `hooks remove`, how each stood before."""

    hooks: list[HookJson]
    problem: str | None
    """Why they cannot be installed here."""
