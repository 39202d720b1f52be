"""What the kinds of rooms in a linked worktree have in common, whatever fences their agent."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import msgspec

from gitorch.git.collecting import hook_ledger
from gitorch.git.collecting.hook_ledger import HookLedger
from gitorch.git.protected import ref_guard
from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees, untouched, worktree_status
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.git.worktrees.rescue_points import skipped_of
from gitorch.model.naming import Oid, branch_ref, rescue_ref
from gitorch.replay import conflict_commit
from gitorch.rooms.private_repository import read_plain
from gitorch.rooms.protocol import Progress, RoomSpec


class WorktreeRoom(msgspec.Struct, frozen=True, kw_only=True):
    """The room of one attempt on this machine: a worktree of the user's repository."""

    repository: Repository
    spec: RoomSpec
    worktree: Worktree

    @property
    def directory(self) -> Path:
        """Return the folder with the files."""
        return self.worktree.path

    @property
    def agent_git_dir(self) -> Path:
        """Return the folder that the agent's git works in, which the agent can write."""
        return self.worktree.admin

    @property
    def keeps_sessions(self) -> bool:
        """Return True: the sessions of earlier attempts are here."""
        return True

    def at_home(self) -> Self:
        """Return this room."""
        return self

    def forward(self, name: str, content: bytes) -> None:
        """Do nothing: the agent reads the folder itself."""

    def checkout_conflict(self, conflict: Oid) -> None:
        """Write the files of a conflict commit over a checkout of its parent; elsewhere, change nothing."""
        untouched.written_into(self.worktree)
        conflict_commit.checkout_conflict(self.repository, self.worktree, conflict)

    def hook_ledger(self) -> HookLedger:
        """Return which trees passed the user's own hooks in the agent's git, as far as that is known."""
        hooks = ref_guard.skippable_hooks(ref_guard.user_hooks(self.repository, self.directory))
        files = ((hook_ledger.PASSED,), hook_ledger.HEAD_LOG)
        return hook_ledger.parse(hooks, *(read_plain(self.agent_git_dir, file, hook_ledger.LONGEST) for file in files))

    def progress_on(self, tip: Oid | None) -> Progress:
        """Return what the agent has done so far: its files as they are, on `tip` if that builds on its branch."""
        spec = self.spec
        saved = self._rescue(f"uncommitted work of {spec.task}")
        start = self.repository.read_ref(branch_ref(spec.branch)) or spec.base
        if tip is None or not self.repository.is_ancestor(start, tip):
            tip = start
        if saved is None:
            head = Oid(self.worktree.git(self.repository, "rev-parse", "--verify", "HEAD").text)
            return Progress(tip, self.repository.tree(head))
        (commit,) = self.repository.commits([saved])
        return Progress(tip, commit.tree, tuple(skipped_of(commit.message)))

    def restore_files(self, reason: str) -> None:
        """Bring the files back to the checked-out commit, after saving what differs in a rescue point of the task."""
        if worktree_status.uncommitted(self.repository, self.worktree).paths:
            self._rescue(reason)
            linked_worktrees.restore(self.repository, self.worktree)

    def _rescue(self, message: str) -> Oid | None:
        return linked_worktrees.rescue(self.repository, self.worktree, rescue_ref(self.spec.task), message)
