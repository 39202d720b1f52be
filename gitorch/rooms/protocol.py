"""The seam around an agent: what it can see and touch, and how its commits come home. Values and protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from gitorch.executors.protocol import Errand
from gitorch.git.collecting.collect import Collected, CollectResult, NoChanges, Rejected
from gitorch.git.collecting.hook_ledger import HookLedger
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model.naming import Oid

__all__ = [
    "CheckSite",
    "CollectResult",
    "Collected",
    "Command",
    "NoChanges",
    "Progress",
    "Rejected",
    "Room",
    "RoomError",
    "RoomSpec",
    "Rooms",
    "Site",
]


class RoomError(Exception):
    """A room that cannot be used: `reason` is for the user."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RoomSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a room is for: one attempt of a task.

    `agent` is the agent's name in the configuration, `branch` the task's branch without `refs/heads/`. `base` is the
    commit that the task starts on, `tip` its last own commit from earlier attempts. `directory` is where the files
    belong. `folder` holds the attempt's own files, which are not the agent's. `only_reads` says that the agent must
    change nothing in this attempt, whatever its permissions are.
    """

    task: str
    attempt: int
    agent: str
    branch: str
    base: Oid
    tip: Oid | None
    directory: Path
    folder: Path
    only_reads: bool = False


class Progress(msgspec.Struct, frozen=True):
    """What an agent has done so far: its commits, and a tree with its files on top of them."""

    tip: Oid
    tree: Oid
    skipped: tuple[str, ...] = ()


class Command(msgspec.Struct, frozen=True):
    """A program as it is submitted: its arguments, working directory and whole environment.

    With an `errand`, it runs on another machine, and the environment is only what is added to that machine's.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    errand: Errand | None = None


class Site(Protocol):
    """Where preparations and checks run: a room, or a plain folder with a tree in it."""

    @property
    def directory(self) -> Path:
        """Return the folder with the files."""

    def check_command(self, argv: Sequence[str]) -> Command:
        """Return how to run a preparation or a check: without the agent's credentials."""


class CheckSite(Site, Protocol):
    """A checkout without an agent, for the checks of a merged tree."""

    def in_folder(self, folder: Path) -> Site:
        """Return the same site, with another of its folders as the working folder."""


class Room(Site, Protocol):
    """The surroundings of one attempt. It stays usable when the process that created it dies: see `Rooms.reopen`."""

    @property
    def agent_state(self) -> Path:
        """Return a folder for an agent's sessions. It outlives the attempt, and the agent can write it."""

    @property
    def keeps_sessions(self) -> bool:
        """Return whether an agent can go on with its session of an earlier round or attempt."""

    def at_home(self) -> Room:
        """Return the room on this machine, for a person who opens it."""

    def forward(self, name: str, content: bytes) -> None:
        """Bring a file that was written into the agent's folder for messages to where the agent is."""

    @property
    def protects_files(self) -> bool:
        """Return whether an agent with the permissions `readonly` cannot write the files, whatever it runs."""

    def agent_command(self, argv: Sequence[str], env: Mapping[str, str]) -> Command:
        """Return how to run the agent; `env` is added to its environment."""

    def head(self) -> Oid:
        """Return the commit that is checked out."""

    def follow_branch(self) -> None:
        """Let the agent's git stand on the tip of the task's branch, which a person may have moved since."""

    def checkout_conflict(self, conflict: Oid) -> None:
        """Write the files of a conflict commit over a checkout of its parent; elsewhere, change nothing."""

    def awaiting_hooks(self) -> tuple[str, ...]:
        """Return the files that are not committed, if one of the user's hooks may refuse them; otherwise none."""

    def hook_ledger(self) -> HookLedger:
        """Return which trees passed the user's own hooks in the agent's git, as far as that is known."""

    def progress(self) -> Progress:
        """Return what the agent has done so far, while it may run; branch, index and files stay as they are.

        Its uncommitted files are saved in a rescue point. Commits that cannot be read are left out, their files not.
        """

    def collect(self, message: str) -> CollectResult:
        """Bring the work onto the task's branch, through the gate; `message` is for files that were not committed.

        The gate: no operation left half done, no repository inside, the branch still the task's own, its tip a
        descendant of the base. Work that does not pass stays where it is.
        """

    def replace_tip(self, old: Oid, new: Oid) -> None:
        """Move the branch, the files and the agent's git from collected work to another commit of gitorch's.

        Raises `RefsMoved` when the branch is no longer at `old`.
        """

    def refusals(self) -> tuple[str, ...]:
        """Return what the agent was kept from doing outside of its room, each once, oldest first."""

    def discard_uncommitted(self, reason: str) -> None:
        """Bring the files back to the checked-out commit, after saving what differs in a rescue point."""


class Rooms(Protocol):
    """One kind of room: creates rooms, finds them again, and undoes what was done in them."""

    def create(self, spec: RoomSpec) -> Room:
        """Bring branch and files to where an attempt starts; keep what earlier attempts left. May be repeated.

        Raises `RoomError` when the branch exists and is not the task's.
        """

    def reopen(self, spec: RoomSpec) -> Room:
        """Return the room of an attempt as its programs left it. Raises `RoomError` when it is gone."""

    def check_site(self, worktree: Worktree, commit: Oid, env: Mapping[str, str], name: str) -> CheckSite:
        """Return where the checks of a merged tree run: a worktree that is checked out at `commit`.

        `env` is their environment, `name` the worktree's own among those without an agent.
        """

    def give_up(self, spec: RoomSpec, tip: Oid) -> None:
        """Bring branch and files back to the `tip` from before an attempt. May be repeated.

        The attempt's commits stay under its own ref, its uncommitted files in a rescue point.
        """
