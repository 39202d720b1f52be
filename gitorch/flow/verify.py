"""Checks on the exact tree that is about to be published, in a worktree that is kept for this."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from gitorch import workshop
from gitorch.errors import Incomplete
from gitorch.executors.local import Spec
from gitorch.git import worktrees
from gitorch.git.worktrees import Worktree
from gitorch.model.naming import Oid
from gitorch.model.outcome import Exit
from gitorch.model.task import CheckResult
from gitorch.workshop import Means

NAME = "integration"
"""The name of the worktree: reserved, so that no task can have it."""


class Judge:
    """Judges trees by the same checks; a tree that was judged once is not judged again."""

    def __init__(self, means: Means, checks: Mapping[str, str]) -> None:
        self.means = means
        self.checks = checks
        self.folder = means.folder / "merges" / uuid.uuid4().hex[:12]
        self._known: dict[Oid, tuple[CheckResult, ...]] = {}
        self._worktree: Worktree | None = None

    def check(self, commit: Oid) -> tuple[CheckResult, ...]:
        """Return what the checks say of a commit's tree; nothing where there are no checks."""
        if not self.checks:
            return ()
        tree = self.means.repository.tree(commit)
        if tree not in self._known:
            self._known[tree] = self._judge(commit, tree)
        return self._known[tree]

    def _judge(self, commit: Oid, tree: Oid) -> tuple[CheckResult, ...]:
        worktree = self._at(commit)
        env = workshop.allowed(self.means.environment, ())
        env |= workshop.variables(self.means.config, self.means.folder, NAME)
        at = self.folder / tree
        try:
            workshop.prepare(self.means, worktree, at, env)
        except workshop.Failed as failure:
            raise Incomplete("prepare-failed", "the merged tree could not be prepared", why=failure.reason) from failure
        return workshop.judge(self.means, self.checks, tree, worktree.path, at / "check", env, self._execute)

    def _at(self, commit: Oid) -> Worktree:
        """Bring the worktree to a commit: made once, then reused."""
        repository = self.means.repository
        path = workshop.worktree_path(repository, self.means.config, NAME)
        if self._worktree is None:
            self._worktree = worktrees.find(repository, path) or worktrees.add(
                repository, path, commit, "gitorch checks merged trees here"
            )
        self._worktree.git(repository, "checkout", "--quiet", "--force", "--detach", commit)
        self._worktree.git(repository, "clean", "--quiet", "-d", "--force", "-x")
        return self._worktree

    def _execute(self, spec: Spec) -> Exit:
        ended = self.means.executor.wait(self.means.executor.submit(spec))
        return ended if isinstance(ended, Exit) else Exit(cause="lost")
