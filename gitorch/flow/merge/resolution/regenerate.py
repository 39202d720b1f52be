"""Regenerate generated files (`[merge.regenerate]`) on a merged tree, in a worktree of their own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from gitorch.executors.protocol import Spec
from gitorch.executors.starting import wait_for_end
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model.naming import Oid
from gitorch.model.outcome import Exit
from gitorch.rooms.checks import run_checks
from gitorch.rooms.context import RunContext
from gitorch.rooms.environment_variables import check_environment
from gitorch.rooms.ports import variables
from gitorch.rooms.prepare import prepare
from gitorch.rooms.protocol import CheckSite, RoomError
from gitorch.rooms.trees.worktree_pool import WorktreePool

NAME = "integration_made"
"""The name of the worktree; no task can have it."""


class Regenerator:
    """Runs the commands that generate files. `failures` holds a message for each one that failed."""

    def __init__(self, context: RunContext) -> None:
        self.context = context
        self.key = f"merges/{uuid.uuid4().hex[:12]}"
        self.failures: list[str] = []

    def regenerate(self, commit: Oid, commands: Mapping[str, str]) -> dict[str, Oid] | None:
        """Run the command of each path on a commit, in the folder of the file; return the blobs of the new files.

        None if a command fails or does not create its file.
        """
        with WorktreePool(self.context, [NAME]).acquire() as pooled:
            worktree = pooled.checkout(commit)
            pooled.record_key(f"{self.key}/made-{commit[:12]}")
            env = check_environment(self.context.environment)
            env |= variables(self.context.config, self.context.folder, NAME)
            try:
                site = self.context.rooms.check_site(worktree, commit, env, NAME)
                prepare(self.context, site, pooled.key)
            except RoomError as failure:
                self.failures.append(failure.reason)
                return None
            return self._run_all(worktree, commit, commands, site)

    def _run_all(
        self, worktree: Worktree, commit: Oid, commands: Mapping[str, str], site: CheckSite
    ) -> dict[str, Oid] | None:
        blobs: dict[str, Oid] = {}
        for number, (path, command) in enumerate(commands.items(), start=1):
            key = f"{self.key}/made-{commit[:12]}/{number}"
            blob = self._run(worktree, path, command, site, key)
            if blob is None:
                return None
            blobs[path] = blob
        return blobs

    def _run(self, worktree: Worktree, path: str, command: str, site: CheckSite, key: str) -> Oid | None:
        file = worktree.path / path
        tree = Oid(worktree.git(self.context.repository, "rev-parse", "HEAD^{tree}").text)
        below, check = site.in_folder(file.parent), {path: command}
        (run,) = run_checks(self.context, below, check, tree, prefix=key, execute=self._execute)
        if not run.result.passed:
            self.failures.append(f"{command} (for {path}) failed with exit code {run.result.exit_code}")
            return None
        # a link on the way would lead to a file of the host
        if not file.is_file() or file.resolve() != worktree.path.resolve() / path:
            self.failures.append(f"{command} did not create {path}")
            return None
        return Oid(worktree.git(self.context.repository, "hash-object", "-w", "--", str(file)).text)

    def _execute(self, spec: Spec) -> Exit:
        self.context.executor.submit(spec)
        return wait_for_end(self.context.executor, spec)
