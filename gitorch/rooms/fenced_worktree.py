"""A linked worktree, fenced by environment variables and git hooks: they stop accidents, not malice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.agents.protocol import Agent
from gitorch.config import Config
from gitorch.git import fence, worktree_status, worktrees
from gitorch.git.collect import CollectResult, collect
from gitorch.git.repository import Repository
from gitorch.git.worktrees import Worktree
from gitorch.model import naming
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.replay import conflict_commit
from gitorch.rooms.base import Command, RoomError, RoomSpec
from gitorch.rooms.environment import agent_environment, with_program, without_credentials
from gitorch.rooms.ports import variables


class FencedWorktree(msgspec.Struct, frozen=True, kw_only=True):
    """The room of one attempt: its worktree in the user's repository, and the environment that fences its git."""

    repository: Repository
    spec: RoomSpec
    worktree: Worktree
    env: Mapping[str, str]

    @property
    def directory(self) -> Path:
        """Return the folder with the files."""
        return self.worktree.path

    def agent_command(self, argv: Sequence[str], env: Mapping[str, str]) -> Command:
        """Return how to run the agent; `env` is added to its environment."""
        return Command(tuple(argv), self.directory, {**self.env, **env})

    def check_command(self, argv: Sequence[str]) -> Command:
        """Return how to run a preparation or a check: without the agent's credentials."""
        return Command(tuple(argv), self.directory, without_credentials(self.env))

    def head(self) -> Oid:
        """Return the commit that is checked out."""
        return Oid(self.worktree.git(self.repository, "rev-parse", "--verify", "HEAD").text)

    def checkout_conflict(self, conflict: Oid) -> None:
        """Write the files of a conflict commit over a checkout of its parent; elsewhere, change nothing."""
        conflict_commit.checkout_conflict(self.repository, self.worktree, conflict)

    def collect(self, message: str) -> CollectResult:
        """Bring the work onto the task's branch, through the gate of `git.collect`."""
        branch = branch_ref(self.spec.branch)
        return collect(self.repository, self.worktree, branch=branch, base=self.spec.base, message=message)

    def refusals(self) -> tuple[str, ...]:
        """Return what the hooks refused, each once, oldest first."""
        return fence.refusals(_alarm(self.spec))

    def discard_uncommitted(self, reason: str) -> None:
        """Bring the files back to the checked-out commit, after saving what differs in a rescue point."""
        if not worktree_status.uncommitted(self.repository, self.worktree).paths:
            return
        worktrees.rescue(self.repository, self.worktree, naming.rescue_ref(self.spec.task), reason)
        worktrees.restore(self.repository, self.worktree)


class FencedWorktrees(msgspec.Struct, frozen=True, kw_only=True):
    """Rooms in linked worktrees of the user's repository. `folder` is the state folder, `environment` the user's."""

    repository: Repository
    config: Config
    agents: Mapping[str, Agent]
    folder: Path
    environment: Mapping[str, str]

    def create(self, spec: RoomSpec) -> FencedWorktree:
        """Bring the branch and its worktree to where the attempt starts; keep what earlier attempts left."""
        return self._room(spec, _fresh_worktree(self.repository, spec))

    def reopen(self, spec: RoomSpec) -> FencedWorktree:
        """Return the room of an attempt as its programs left it; raise `RoomError` when its folder is gone."""
        worktree = worktrees.find(self.repository, spec.directory)
        if worktree is None:
            raise RoomError(f"worktree {spec.directory} is gone; its branch is kept")
        return self._room(spec, worktree)

    def give_up(self, spec: RoomSpec, tip: Oid) -> None:
        """Bring the branch and its worktree, if there is one, back to the `tip` from before an attempt."""
        worktree = worktrees.find(self.repository, spec.directory)
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
        return FencedWorktree(repository=self.repository, spec=spec, worktree=worktree, env=env)

    def _fence(self, spec: RoomSpec, worktree: Worktree) -> dict[str, str]:
        return fence.environment(
            hooks=fence.hooks_folder(),
            user_hooks=fence.user_hooks(self.repository, worktree.path),
            git_dir=worktree.admin,
            common_dir=self.repository.common_dir,
            branch=branch_ref(spec.branch),
            task=spec.task,
            agent=spec.agent,
            alarm=_alarm(spec),
        )


def _alarm(spec: RoomSpec) -> Path:
    """Return the file to which the hooks append what they refuse."""
    return spec.folder / "alarms"


def _fresh_worktree(repository: Repository, spec: RoomSpec) -> Worktree:
    """Bring the branch and its worktree to where the attempt starts; keep what an earlier attempt made."""
    ref = branch_ref(spec.branch)
    branch_tip = repository.read_ref(ref)
    start = _start(repository, spec, branch_tip)
    if branch_tip is None:
        repository.update_refs([RefUpdate(ref, start, None)], f"start {spec.task}")
    elif spec.attempt == 1 and branch_tip != start:
        raise RoomError(f"branch {spec.branch} already exists and does not belong to this task")
    worktree = worktrees.find(repository, spec.directory)
    if worktree is not None and (spec.attempt > 1 or _is_complete(worktree)):
        worktrees.remove_stale_locks(repository, worktree, ref)
        worktrees.rescue(repository, worktree, naming.rescue_ref(spec.task), f"uncommitted files of {spec.task}")
        _keep_earlier(repository, spec, branch_tip)
        worktrees.restore(repository, worktree, branch=spec.branch, commit=start)
        return worktree
    if worktree is not None:
        worktrees.discard_unfinished(repository, spec.directory)
    _keep_earlier(repository, spec, branch_tip)
    if branch_tip not in (None, start):
        repository.update_refs([RefUpdate(ref, start, branch_tip)], f"start {spec.task} afresh")
    return worktrees.add(repository, spec.directory, spec.branch, f"gitorch {spec.task}", new=branch_tip is None)


def _start(repository: Repository, spec: RoomSpec, branch_tip: Oid | None) -> Oid:
    """Return the commit that an attempt starts on: a person may have gone on with the branch by hand."""
    if branch_tip is not None and spec.tip is not None and repository.is_ancestor(spec.tip, branch_tip):
        return branch_tip
    return spec.tip or spec.base


def _is_complete(worktree: Worktree) -> bool:
    return (worktree.admin / "index").exists() and not (worktree.admin / "index.lock").exists()


def _keep_earlier(repository: Repository, spec: RoomSpec, tip: Oid | None) -> None:
    """Keep the tip of the attempt before under its own ref."""
    if tip is None or spec.attempt < 2:
        return
    ref = naming.attempt_ref(spec.task, spec.attempt - 1)
    if repository.read_ref(ref) is None:
        repository.update_refs([RefUpdate(ref, tip, None)], f"keep attempt {spec.attempt - 1} of {spec.task}")
