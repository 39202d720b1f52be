"""What attempts and checks are run with: the same values and seams for all of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from gitorch.agents.protocol import Agent
from gitorch.config import Config, size
from gitorch.executors.protocol import ExecutionId, Executor, ResourceLimits
from gitorch.git.notes.note_store import NoteWriter
from gitorch.git.repository import Repository
from gitorch.model.roles import Role
from gitorch.model.spending import Spending
from gitorch.rooms.mailbox import Mailboxes
from gitorch.rooms.protocol import Rooms


class WorkerChecks(msgspec.Struct, frozen=True):
    """Checks run on workers with a label. `files` returns what an execution there has brought home, by name."""

    label: str
    files: Callable[[ExecutionId], Mapping[str, bytes]]


class RunContext(msgspec.Struct, frozen=True, kw_only=True):
    """What attempts and checks are run with.

    `agents` are the kinds of agents, `folder` is the state folder, `environment` the user's. `spending` is what the
    running attempts have used so far, `mailboxes` where their agents find what they are told. Checks run on this
    machine, or as `worker_checks` says. `copies` is where the files of `prepare.copy` are, if not in the checkout.
    `before_checks` is called before commands run on a tree, from any thread, and each time.
    """

    repository: Repository
    config: Config
    executor: Executor
    rooms: Rooms
    agents: Mapping[str, Agent]
    roles: Mapping[str, Role]
    folder: Path
    environment: Mapping[str, str]
    notes: NoteWriter
    spending: Spending = msgspec.field(default_factory=Spending)
    mailboxes: Mailboxes = msgspec.field(default_factory=Mailboxes)
    worker_checks: WorkerChecks | None = None
    copies: Path | None = None
    before_checks: Callable[[], None] = lambda: None

    @property
    def resource_limits(self) -> ResourceLimits:
        """What each agent and each check may use: memory, processes and disk."""
        limits = self.config.sandbox
        return ResourceLimits(
            memory=size(limits.memory),
            processes=max(0, limits.processes),
            disk=size(limits.disk),
            floor=size(self.config.run.min_free_disk) // 2,
        )
