"""A linked worktree with a private repository in front of it, and no sandbox: it stops accidents, not malice.

While the agent, a preparation or a check may run, the worktree's `.git` file leads to the private repository; whenever
gitorch looks at the worktree, it leads to the user's repository again. The programs run with the user's rights.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.agents.protocol import Agent
from gitorch.config import Config
from gitorch.errors import Refused
from gitorch.git.collecting.collect import CollectResult, Rejected
from gitorch.git.history_store import HistoryStore
from gitorch.git.protected import ref_guard
from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees, untouched, worktree_pointer
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model.naming import Oid, Ref, branch_ref
from gitorch.replay import conflict_commit
from gitorch.rooms import box_notes, plain_reader
from gitorch.rooms.environment_variables import agent_environment, with_program, without_credentials
from gitorch.rooms.fresh_worktree import fresh_worktree
from gitorch.rooms.homecoming import Homecoming
from gitorch.rooms.plain_folder import PlainFolder, fenced_folder
from gitorch.rooms.ports import variables
from gitorch.rooms.private_repository import PrivateRepository, provide_start
from gitorch.rooms.protocol import Command, Progress, RoomError, RoomSpec
from gitorch.rooms.worktree_room import WorktreeRoom
from gitorch.storage.shared_notes import SharedNotes


class PrivateWorktree(WorktreeRoom, frozen=True, kw_only=True):
    """The room of one attempt. `state` is the state folder, `env` the agent's environment."""

    store: HistoryStore
    private: PrivateRepository
    notes: SharedNotes
    state: Path
    env: Mapping[str, str]

    @property
    def agent_state(self) -> Path:
        """Return the state folder: agents share a folder for their sessions."""
        return self.state

    @property
    def agent_git_dir(self) -> Path:
        """Return the private repository."""
        return self.private.git_dir

    @property
    def protects_files(self) -> bool:
        """Return False: programs have the user's rights."""
        return False

    def agent_command(self, argv: Sequence[str], env: Mapping[str, str]) -> Command:
        """Return how to run the agent; `env` is added to its environment."""
        box_notes.exchange(self.private, self.notes, self.spec.task)
        self._enter()
        return Command(tuple(argv), self.directory, {**self.env, **env})

    def check_command(self, argv: Sequence[str]) -> Command:
        """Return how to run a preparation or a check: with the same repository, and without the agent's credentials."""
        self._enter()
        return Command(tuple(argv), self.directory, without_credentials(self.env))

    def head(self) -> Oid:
        """Return the commit that the agent's git has checked out."""
        head = self.private.head()
        commit = head.commit or (self.private.any_ref(head.ref) if head.ref else None)
        if commit is None:
            raise RoomError("the agent's repository has no commit checked out")
        return commit

    def follow_branch(self) -> None:
        """Let the agent's git stand on the tip of the task's branch, which a person may have moved since."""
        self._homecoming.follow_branch()

    def awaiting_hooks(self) -> tuple[str, ...]:
        """Return the files that are not committed, if one of the user's hooks may refuse them; otherwise none."""
        try:
            self._point(self.worktree.admin)
        except Refused:
            return ()  # `collect` says why
        return self._homecoming.awaiting_hooks()

    def progress(self) -> Progress:
        """Return what the agent has done so far, while it may run; branch, index and files stay as they are."""
        return self.progress_on(self._homecoming.peek())

    def collect(self, message: str) -> CollectResult:
        """Bring the agent's commits home through the gate, then what it did not commit; the branch moves last."""
        box_notes.exchange(self.private, self.notes, self.spec.task)
        try:
            self._point(self.worktree.admin)
        except Refused as error:
            return Rejected(error.what)
        return self._homecoming.collect(message)

    @property
    def _homecoming(self) -> Homecoming:
        return Homecoming(
            repository=self.repository,
            spec=self.spec,
            worktree=self.worktree,
            store=self.store,
            private=self.private,
            fetch=self._fetch,
            move=self._move,
        )

    def replace_tip(self, old: Oid, new: Oid) -> None:
        """Move the branch, the files and the agent's git from collected work to another commit."""
        self._point(self.worktree.admin)
        self._homecoming.replace_tip(old, new)

    def refusals(self) -> tuple[str, ...]:
        """Return what the hooks refused, each once, oldest first."""
        return ref_guard.refusals(_alarm(self.spec))

    def discard_uncommitted(self, reason: str) -> None:
        """Bring the files back to the checked-out commit, after saving what differs in a rescue point."""
        self._point(self.worktree.admin)
        self.restore_files(reason)

    def _fetch(self, ref: Ref, tip: Oid | None) -> str:
        commit = tip or self.private.any_ref(branch_ref(self.spec.branch))
        if commit is None:
            return "the task's branch no longer has a commit"
        return plain_reader.fetch(self.repository, self.store, self.private, commit, ref)

    def _move(self, branch: Ref, tip: Oid) -> bool:
        private = self.private
        return (
            private.replace_file(branch, f"{tip}\n".encode())
            and private.replace_file("HEAD", f"ref: {branch}\n".encode())
            and private.remove_file("index.lock")
        )

    def _enter(self) -> None:
        untouched.before_program(self.worktree)
        self._point(self.private.git_dir)
        _copy_hooks(self.spec)

    def _point(self, target: Path) -> None:
        worktree_pointer.point(self.directory, self.worktree.admin, target, self.private.folder)


class PrivateWorktrees(msgspec.Struct, frozen=True, kw_only=True):
    """Rooms with private repositories and no sandbox. `folder` is the state folder, `environment` the user's."""

    repository: Repository
    config: Config
    agents: Mapping[str, Agent]
    folder: Path
    environment: Mapping[str, str]

    def create(self, spec: RoomSpec) -> PrivateWorktree:
        """Bring branch, worktree and private repository to where the attempt starts; keep what earlier ones left."""
        worktree = fresh_worktree(self.repository, spec)
        room = self._room(spec, worktree)
        branch = branch_ref(spec.branch)
        start = provide_start(room.store, branch)
        room.private.create(self.repository, room.store, worktree, branch, start, refuses_pushes=True)
        return room

    def reopen(self, spec: RoomSpec) -> PrivateWorktree:
        """Return the room of an attempt as its programs left it; raise `RoomError` when a part of it is gone."""
        worktree = linked_worktrees.find(self.repository, spec.directory)
        if worktree is None:
            raise RoomError(f"worktree {spec.directory} is gone; its branch is kept")
        room = self._room(spec, worktree)
        if not room.private.exists():
            raise RoomError(f"the agent's repository {room.private.git_dir} is gone; its branch is kept")
        return room

    def check_site(self, worktree: Worktree, commit: Oid, env: Mapping[str, str], name: str) -> PlainFolder:
        """Return the worktree, with a private repository like an agent's in front of it, and no sandbox around it.

        Its `.git` file leads to that repository until the caller lets it lead back.
        """
        own = self.folder / "rooms" / name
        # its programs could read the user's objects anyway, so that the history need not be copied
        private, store = PrivateRepository(own), HistoryStore(self.repository, self.repository.common_dir)
        private.discard()
        private.create(self.repository, store, worktree, None, commit, refuses_pushes=True)
        worktree_pointer.point(worktree.path, worktree.admin, private.git_dir, own)
        hooks, git_dir = private.git_dir / "hooks", private.git_dir
        return fenced_folder(self.repository, worktree, env, name=name, own=own, hooks=hooks, git_dir=git_dir)

    def give_up(self, spec: RoomSpec, tip: Oid) -> None:
        """Bring the branch and its worktree, if there is one, back to the `tip` from before an attempt."""
        worktree = linked_worktrees.find(self.repository, spec.directory)
        if worktree is not None:
            worktree_pointer.point(worktree.path, worktree.admin, worktree.admin, self._private(spec).folder)
        conflict_commit.restore(self.repository, worktree, spec.task, spec.attempt, spec.branch, tip)

    def _private(self, spec: RoomSpec) -> PrivateRepository:
        return PrivateRepository(self.folder / "rooms" / spec.task / str(spec.attempt))

    def _room(self, spec: RoomSpec, worktree: Worktree) -> PrivateWorktree:
        spec.folder.mkdir(parents=True, exist_ok=True)
        settings = self.config.agents[spec.agent]
        private = self._private(spec)
        env = {
            **self.repository.identity(),
            **agent_environment(settings, self.agents[settings.kind], self.environment),
            **self._fence(spec, worktree, private),
            **variables(self.config, self.folder, spec.task),
        }
        return PrivateWorktree(
            repository=self.repository,
            spec=spec,
            worktree=worktree,
            store=HistoryStore(self.repository, self.folder / "store.git"),
            private=private,
            notes=SharedNotes(self.folder / "context"),
            state=self.folder,
            env=with_program(env, spec.folder / "bin"),
        )

    def _fence(self, spec: RoomSpec, worktree: Worktree, private: PrivateRepository) -> dict[str, str]:
        return ref_guard.environment(
            hooks=_hooks(spec),
            user_hooks=Path(os.path.normpath(ref_guard.user_hooks(self.repository, worktree.path))),
            git_dir=private.git_dir,
            common_dir=private.git_dir,
            branch=branch_ref(spec.branch),
            task=spec.task,
            agent=spec.agent,
            alarm=_alarm(spec),
        )


def _alarm(spec: RoomSpec) -> Path:
    """Return the file to which the hooks append what they refuse."""
    return spec.folder / "alarms"


def _hooks(spec: RoomSpec) -> Path:
    """Return the attempt's copy of gitorch's hooks: install steps can write into those of the private repository."""
    return spec.folder / "hooks"


def _copy_hooks(spec: RoomSpec) -> None:
    # what a linked worktree shares with the user is guarded by another; here there is nothing to guard
    ref_guard.copy_hooks(_hooks(spec), without=("reference-transaction",))
