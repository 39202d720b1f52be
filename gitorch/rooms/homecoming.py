"""How an agent's commits come home from its private repository: fetched, through the gate, then the branch moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from gitorch.git import commit_gate
from gitorch.git.collecting import collect
from gitorch.git.collecting.collect import Collected, CollectResult, Rejected
from gitorch.git.history_store import HistoryStore
from gitorch.git.repository import RefsMoved, Repository
from gitorch.git.worktree_list import Worktree
from gitorch.model.naming import Oid, Ref, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.rooms import lfs_objects
from gitorch.rooms.private_repository import Head, PrivateRepository
from gitorch.rooms.protocol import RoomSpec


class Homecoming(msgspec.Struct, frozen=True, kw_only=True):
    """The way from one private repository to the task's branch.

    `fetch` brings the commit of the private HEAD, whose id it gets where that is known without git, into a ref, and
    returns why not. `move` lets the private HEAD stand on a commit of the branch, and returns whether it could.
    """

    repository: Repository
    spec: RoomSpec
    worktree: Worktree
    store: HistoryStore
    private: PrivateRepository
    fetch: Callable[[Ref, Oid | None], str]
    move: Callable[[Ref, Oid], bool]

    def collect(self, message: str) -> CollectResult:
        """Bring the agent's commits home through the gate, then what it did not commit; the branch moves last."""
        branch, tip = branch_ref(self.spec.branch), self._tip
        try:
            if refused := self._problem(branch) or self._bring_home(branch, tip):
                return Rejected(refused)
            base = self.spec.base
            result = collect.collect(
                *(self.repository, self.worktree), branch=branch, base=base, message=message, admit=self._tree_problem
            )
        except RefsMoved:
            return Rejected("the task's branch was moved while its work was collected")
        if isinstance(result, Collected):
            self._follow(branch, result.tip, tip)
        return result

    def replace_tip(self, old: Oid, new: Oid) -> None:
        """Move the branch, the files and the private repository from collected work to another commit.

        Raises `RefsMoved` when the branch is no longer at `old`.
        """
        collect.replace_tip(self.repository, self.worktree, self.spec.branch, old, new)
        self._follow(branch_ref(self.spec.branch), new, old)

    def follow_branch(self) -> None:
        """Let the agent's git stand on the tip of the task's branch, unless it has commits that did not come home."""
        branch, tip = branch_ref(self.spec.branch), self._tip
        home = self.repository.read_ref(branch)
        if home is not None and (tip is None or self._is_older(tip, home)):
            self._follow(branch, home, tip)

    def awaiting_hooks(self) -> tuple[str, ...]:
        """Bring the agent's commits home; return the files that are not committed, if a user's hook may refuse them.

        Returns none if something else is in the way of a commit, which `collect` then reports.
        """
        branch, tip = branch_ref(self.spec.branch), self._tip
        try:
            if self._problem(branch) or self._bring_home(branch, tip):
                return ()
        except RefsMoved:
            return ()
        home = self.repository.read_ref(branch)
        if tip is not None and home is not None and home != tip:
            return ()  # a person has gone on with the branch: a commit in the room would not build on it
        return collect.awaiting_hooks(self.repository, self.worktree, branch)

    def peek(self) -> Oid | None:
        """Fetch the agent's commits while it may run, and move nothing; None if they cannot be read now."""
        ref = self._incoming
        if self._problem(branch_ref(self.spec.branch)) or self.fetch(ref, self._tip):
            return None
        return self.repository.read_ref(ref)

    @property
    def _incoming(self) -> Ref:
        return Ref(f"refs/gitorch/incoming/{self.spec.task}")

    @property
    def _tip(self) -> Oid | None:
        return self.private.head().commit or self.private.loose_ref(branch_ref(self.spec.branch))

    def _problem(self, branch: Ref) -> str:
        """Return why the agent's repository has nothing that could come home, or an empty text."""
        if operation := self.private.operation():
            return f"a {operation} was left unfinished in the worktree"
        head = self.private.head()
        if head.ref not in (None, branch):
            return f"the worktree was switched to another branch: {head.ref.removeprefix('refs/heads/')}"
        return "the agent's repository is damaged: it has no HEAD" if head == Head() else ""

    def _bring_home(self, branch: Ref, tip: Oid | None) -> str:
        """Fetch the agent's commits, and move the branch to them if the gate lets them pass; return why not."""
        before = self.repository.read_ref(branch)
        if before is not None and tip is not None and (tip == before or self._is_older(tip, before)):
            return ""  # a person may have gone on with the branch
        ref = self._incoming
        if refused := self.fetch(ref, tip):
            return f"the agent's commits could not be fetched: {refused}"
        new = self.repository.read_ref(ref)
        if new is None:
            return "the task's branch no longer has a commit"
        if refused := commit_gate.problem(self.repository, self.spec.base, new):
            return refused
        if before == new:
            return ""
        if before is not None and not self.repository.is_ancestor(before, new):
            return "the agent's commits do not build on the task's branch"
        if refused := lfs_objects.bring_home(self.private, self._lfs_storage):
            return refused
        self.repository.update_refs([RefUpdate(branch, new, before)], "collect an attempt's commits")
        # what is checked out is the same: only what git knows of it has to follow
        self.worktree.git(self.repository, "read-tree", "-i", "-m", new)
        return ""

    @property
    def _lfs_storage(self) -> Path:
        storage = self.repository.git("config", "--type=path", "--get", "lfs.storage", ok=(0, 1)).text or "lfs"
        return self.repository.common_dir / storage / "objects"

    def _is_older(self, tip: Oid, branch_tip: Oid) -> bool:
        return self.repository.exists(tip) and self.repository.is_ancestor(tip, branch_tip)

    def _tree_problem(self, tree: Oid) -> str:
        return commit_gate.tree_problem(self.repository, self.spec.base, [tree])

    def _follow(self, branch: Ref, tip: Oid, before: Oid | None) -> None:
        """Let the agent's git stand on a commit that gitorch made of its files."""
        if tip == before:
            return
        self.store.provide(tip)
        if not self.move(branch, tip) or not self.private.replace_index(self.worktree.admin / "index"):
            self.private.create(self.repository, self.store, self.worktree, branch, tip)
