"""Remove what is provably no longer needed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gitorch import trust
from gitorch.git.repository import RefMove
from gitorch.model import naming
from gitorch.model.naming import branch_ref
from gitorch.model.task import State, Task
from gitorch.orchestrator.workspace import Workspace

if TYPE_CHECKING:
    pass


class Upkeep(Workspace):
    """Keeping the repository tidy, and losing nothing."""

    def removable(self) -> list[Task]:
        """Return the tasks that `cleanup` would remove: merged and rejected ones that nothing waits for any more."""
        over = {task.id: task for task in self.tasks.values() if task.state in (State.MERGED, State.REJECTED)}
        needed = {name for task in self.tasks.values() if task.id not in over for name in task.after}
        return [task for name, task in over.items() if name not in needed]

    def cleanup(self, tasks: Sequence[Task]) -> Iterator[Task]:
        """Remove worktrees and branches of tasks that are over, and the tasks from the file, yielding each.

        Uncommitted files go to a rescue point, the branch's commits stay under `refs/gitorch/trash/`.
        """
        from gitorch.git import worktrees

        trust.require_person("clean up")
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        for task in tasks:
            worktree = worktrees.find(self.repository, Path(task.worktree)) if task.worktree else None
            if worktree is not None:
                ref = naming.rescue_ref(task.id)
                worktrees.remove(self.repository, worktree, ref, f"uncommitted files of {task.id}")
            if task.branch and not task.adopted:
                self._trash(task, stamp)
            # before the task: what is left of it would be taken for an execution of the next task of this name
            if (attempts := self.folder / "attempts" / task.id).exists():
                shutil.rmtree(attempts)
            self.store.save([], dropped=[task.id])
            yield task
        self.store.snapshot()

    def _trash(self, task: Task, stamp: str) -> None:
        ref = branch_ref(task.branch)
        tip = self.repository.refs(ref).get(ref)
        if tip is not None:
            keep = RefMove(naming.trash_ref(task.id, stamp), tip, None)
            self.repository.move([keep, RefMove(ref, None, tip)], f"clean up {task.id}")
