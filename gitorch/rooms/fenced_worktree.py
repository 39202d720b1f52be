"""A linked worktree, fenced by environment variables and git hooks: they stop accidents, not malice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.agents.protocol import Agent
from gitorch.config import Config
from gitorch.git.collecting.collect import CollectResult, awaiting_hooks, collect, replace_tip
from gitorch.git.protected import ref_guard
from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model.naming import Oid, branch_ref
from gitorch.replay import conflict_commit
from gitorch.rooms.environment_variables import agent_environment, with_program, without_credentials
from gitorch.rooms.fresh_worktree import fresh_worktree
from gitorch.rooms.plain_folder import PlainFolder, fenced_folder
from gitorch.rooms.ports import variables
from gitorch.rooms.protocol import Command, Progress, RoomError, RoomSpec
from gitorch.rooms.worktree_room import WorktreeRoom


class FencedWorktree(WorktreeRoom, frozen=True, kw_only=True):
    """The room of one attempt: its worktree in the user's repository, and the environment that fences its git."""

    state: Path
    env: Mapping[str, str]

    @property
    def agent_state(self) -> Path:
        """Return the state folder: agents share a folder for their sessions."""
        return self.state

    @property
    def protects_files(self) -> bool:
        """Return False: programs have the user's rights."""
        return False

    def agent_command(self, argv: Sequence[str], env: Mapping[str, str]) -> Command:
        """Return how to run the agent; `env` is added to its environment."""
        ref_guard.copy_hooks(_hooks(self.spec))
        return Command(tuple(argv), self.directory, {**self.env, **env})

    def check_command(self, argv: Sequence[str]) -> Command:
        """Return how to run a preparation or a check: without the agent's credentials."""
        ref_guard.copy_hooks(_hooks(self.spec))
        return Command(tuple(argv), self.directory, without_credentials(self.env))

    def head(self) -> Oid:
        """Return the commit that is checked out."""
        return Oid(self.worktree.git(self.repository, "rev-parse", "--verify", "HEAD").text)

    def follow_branch(self) -> None:
        """Do nothing: the agent's git is the user's."""

    def awaiting_hooks(self) -> tuple[str, ...]:
        """Return the files that are not committed, if one of the user's hooks may refuse them; otherwise none."""
        return awaiting_hooks(self.repository, self.worktree, branch_ref(self.spec.branch))

    def progress(self) -> Progress:
        """Return what the agent has done so far, while it may run; branch, index and files stay as they are."""
        return self.progress_on(self.head())

    def collect(self, message: str) -> CollectResult:
        """Bring the work onto the task's branch, through the gate of `git.commit_gate`."""
        branch = branch_ref(self.spec.branch)
        return collect(
            self.repository,
            self.worktree,
            branch=branch,
            base=self.spec.base,
            message=message,
            judges_content=True,
        )

    def replace_tip(self, old: Oid, new: Oid) -> None:
        """Move the branch and the files from collected work to another commit; raise `RefsMoved` if it has moved."""
        replace_tip(self.repository, self.worktree, self.spec.branch, old, new)

    def refusals(self) -> tuple[str, ...]:
        """Return what the hooks refused, each once, oldest first."""
        return ref_guard.refusals(_alarm(self.spec))

    def discard_uncommitted(self, reason: str) -> None:
        """Bring the files back to the checked-out commit, after saving what differs in a rescue point."""
        self.restore_files(reason)


class FencedWorktrees(msgspec.Struct, frozen=True, kw_only=True):
    """Rooms in linked worktrees of the user's repository. `folder` is the state folder, `environment` the user's."""

    repository: Repository
    config: Config
    agents: Mapping[str, Agent]
    folder: Path
    environment: Mapping[str, str]

    def create(self, spec: RoomSpec) -> FencedWorktree:
        """Bring the branch and its worktree to where the attempt starts; keep what earlier attempts left."""
        return self._room(spec, fresh_worktree(self.repository, spec))

    def reopen(self, spec: RoomSpec) -> FencedWorktree:
        """Return the room of an attempt as its programs left it; raise `RoomError` when its folder is gone."""
        worktree = linked_worktrees.find(self.repository, spec.directory)
        if worktree is None:
            raise RoomError(f"worktree {spec.directory} is gone; its branch is kept")
        return self._room(spec, worktree)

    def check_site(self, worktree: Worktree, commit: Oid, env: Mapping[str, str], name: str) -> PlainFolder:  # noqa: ARG002
        """Return the worktree, fenced like an agent's: there is no sandbox around its checks, and no ref may move."""
        own = self.folder / "rooms" / name
        return fenced_folder(
            self.repository, worktree, env, name=name, own=own, hooks=ref_guard.copy_hooks(own / "hooks")
        )

    def give_up(self, spec: RoomSpec, tip: Oid) -> None:
        """Bring the branch and its worktree, if there is one, back to the `tip` from before an attempt."""
        worktree = linked_worktrees.find(self.repository, spec.directory)
        conflict_commit.restore(self.repository, worktree, spec.task, spec.attempt, spec.branch, tip)

    def _room(self, spec: RoomSpec, worktree: Worktree) -> FencedWorktree:
        spec.folder.mkdir(parents=True, exist_ok=True)
        settings = self.config.agents[spec.agent]
        env = {
            **self.repository.identity(),
            **agent_environment(settings, self.agents[settings.kind], self.environment),
            **self._fence(spec, worktree),
            **variables(self.config, self.folder, spec.task),
        }
        env = with_program(env, spec.folder / "bin")
        return FencedWorktree(repository=self.repository, spec=spec, worktree=worktree, state=self.folder, env=env)

    def _fence(self, spec: RoomSpec, worktree: Worktree) -> dict[str, str]:
        return ref_guard.environment(
            hooks=_hooks(spec),
            user_hooks=ref_guard.user_hooks(self.repository, worktree.path),
            git_dir=worktree.admin,
            common_dir=self.repository.common_dir,
            branch=branch_ref(spec.branch),
            task=spec.task,
            agent=spec.agent,
            alarm=_alarm(spec),
            safe_folders=ref_guard.safe_folders(self.repository),
        )


def _hooks(spec: RoomSpec) -> Path:
    """Return the attempt's copy of gitorch's hooks."""
    return spec.folder / "hooks"


def _alarm(spec: RoomSpec) -> Path:
    """Return the file to which the hooks append what they refuse."""
    return spec.folder / "alarms"
