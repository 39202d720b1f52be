"""What a worker is told of the configuration at home."""

from __future__ import annotations

import msgspec

from gitorch.config import AgentSettings, Config, PrepareSettings, SandboxSettings
from gitorch.git.exchange import sent_files
from gitorch.git.repository import Repository
from gitorch.rooms.prepare import files_to_copy
from gitorch.rooms.protocol import RoomError

CHECKS_FILE = "checks"
"""The file in which the results of checks come home."""


class ErrandSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What of the configuration at home decides how programs run elsewhere, and in whose name an agent commits.

    `copies` is the commit with the files of `prepare.copy`, empty if there are none.
    """

    sandbox: SandboxSettings
    prepare: PrepareSettings
    max_output: str
    task_timeout: str
    name: str
    mail: str
    agent: AgentSettings = AgentSettings(kind="command")
    copies: str = ""


class WorkerCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one check on a worker; `tail` is the end of its output, `failure` as in `CheckRun`.

    `interruption` is the result's own `failure`.
    """

    name: str
    command: str
    exit_code: int | None
    seconds: float
    tail: str
    failure: str = ""
    interruption: str = ""


def errand_settings(repository: Repository, config: Config) -> ErrandSettings:
    """Return what a worker needs of the configuration for any program; raise `RoomError` without a file to copy."""
    copies = sent_files.store(repository, archive_to_send(repository, config)) if _are_sent(config) else ""
    name, _, mail = repository.committer().partition(">")[0].partition(" <")
    return ErrandSettings(
        sandbox=config.sandbox,
        prepare=config.prepare if copies else msgspec.structs.replace(config.prepare, copy=()),
        max_output=config.run.max_output,
        task_timeout=config.run.task_timeout,
        name=name,
        mail=mail,
        copies=copies,
    )


def _are_sent(config: Config) -> bool:
    return bool(config.prepare.copy) and config.remote.copy_files


def archive_to_send(repository: Repository, config: Config) -> bytes:
    """Return the files of `prepare.copy` for workers; raise `RoomError` when they cannot be read or are too large."""
    try:
        return sent_files.archive(files_to_copy(repository, config))
    except sent_files.TooLarge as error:
        most = sent_files.LARGEST // 1_000_000
        raise RoomError(f"prepare.copy: the files have more than {most} MB, too much to send to workers") from error
    except OSError as error:
        raise RoomError(f"prepare.copy: cannot read {error.filename}: {error.strerror}") from error
