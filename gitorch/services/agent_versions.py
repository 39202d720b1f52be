"""Versions of agents: those that gitorch was tried with, and those that a repository has been told about."""

from __future__ import annotations

import re

import msgspec

from gitorch import data, typed
from gitorch.services.workspace import Workspace
from gitorch.storage import atomic

_FILE = "agent-versions.json"


class TriedVersions(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of an agent that gitorch was tried with, and the command that updates it."""

    oldest: str
    newest: str
    update: str


def version_note(kind: str, version: str) -> tuple[str, str]:
    """Return a remark on an agent's version and the command that helps; both empty for one that was tried."""
    tried = data.load("agent_versions.toml", dict[str, TriedVersions]).get(kind)
    number = re.search(r"\d+(\.\d+)+", version)
    if tried is None or number is None:
        return "", ""
    if _numbers(number[0]) < _numbers(tried.oldest):
        return f"older than {tried.oldest}, the oldest that gitorch was tried with", tried.update
    if _numbers(number[0]) > _numbers(tried.newest):
        return f"newer than {tried.newest}, the newest that gitorch was tried with", ""
    return "", ""


def new_version_note(workspace: Workspace, kind: str, version: str) -> tuple[str, str]:
    """Return the remark on a version the first time that this repository meets it; both empty from then on."""
    remark, fix = version_note(kind, version)
    noted = _noted(workspace)
    if not remark or version in noted.get(kind, ()):
        return "", ""
    workspace.folder.mkdir(parents=True, exist_ok=True)
    content = msgspec.json.encode({**noted, kind: [*noted.get(kind, ()), version]})
    atomic.replace(workspace.folder / _FILE, content, durable=False, concurrent=True)
    return remark, fix


def _noted(workspace: Workspace) -> dict[str, list[str]]:
    content = atomic.read_or_empty(workspace.folder / _FILE)
    try:
        return typed.from_json(content, dict[str, list[str]]) if content else {}
    except msgspec.DecodeError:
        return {}


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]
