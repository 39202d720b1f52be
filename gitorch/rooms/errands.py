"""What a worker is told of the configuration at home."""

from __future__ import annotations

import msgspec

from gitorch.config import AgentSettings, Config, PrepareSettings, SandboxSettings
from gitorch.git.repository import Repository

CHECKS_FILE = "checks"
"""The file in which the results of checks come home."""


class ErrandSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What of the configuration at home decides how programs run elsewhere, and in whose name an agent commits."""

    sandbox: SandboxSettings
    prepare: PrepareSettings
    max_output: str
    task_timeout: str
    name: str
    mail: str
    agent: AgentSettings = AgentSettings(kind="command")


class WorkerCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one check on a worker; `tail` is the end of its output, `failure` as in `CheckRun`."""

    name: str
    command: str
    exit_code: int | None
    seconds: float
    tail: str
    failure: str = ""


def errand_settings(repository: Repository, config: Config) -> ErrandSettings:
    """Return what a worker needs of the configuration for any program."""
    name, _, mail = repository.committer().partition(">")[0].partition(" <")
    return ErrandSettings(
        sandbox=config.sandbox,
        prepare=msgspec.structs.replace(config.prepare, copy=()),
        max_output=config.run.max_output,
        task_timeout=config.run.task_timeout,
        name=name,
        mail=mail,
    )
