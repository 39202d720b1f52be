"""Remove what is provably no longer needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from gitorch.git.repository import RefMove
from gitorch.model import naming
from gitorch.model.naming import branch_ref
from gitorch.model.task import State, Task
from gitorch.services.workspace import Workspace
from gitorch.storage import trust
from gitorch.storage.operations import Shifted, words


class Upkeep(Workspace):
    """Keeping the repository tidy, and losing nothing."""

    def removable(self) -> list[Task]:
        """Return the tasks that `cleanup` would remove: merged and rejected ones that nothing waits for any more."""
        over = {task.id: task for task in self.tasks.values() if task.state in (State.MERGED, State.REJECTED)}
        needed = {name for task in self.tasks.values() if task.id not in over for name in task.spec.after}
        return [task for name, task in over.items() if name not in needed]

    def cleanup(self, tasks: Sequence[Task]) -> Iterator[Task]:
        """Remove worktrees and branches of tasks that are over, and the tasks from the file, yielding each.

        Uncommitted files go to a rescue point, the branch's commits stay under `refs/gitorch/trash/`.
        """
        trust.require_person("clean up")
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
        for task in tasks:
            self._remove_worktree(task)
        self._empty_trash()
        gone = [task for task in tasks if (self.folder / "attempts" / task.id).exists()]
        # out of the way: what is left of a task would be taken for an execution of the next one of this name
        folders = [Shifted(f"attempts/{task.id}", f"trash/{stamp}/{task.id}") for task in gone]
        with self._turn():
            self._operate(
                "cleanup",
                [(task, None) for task in tasks],
                self._trash(tasks, stamp),
                said=words("clean up", tasks),
                folders=folders,
            )
        yield from tasks
        self.store.snapshot()

    def _remove_worktree(self, task: Task) -> None:
        from gitorch.git import worktrees

        worktree = worktrees.find(self.repository, Path(task.worktree)) if task.worktree else None
        if worktree is not None:
            ref = naming.rescue_ref(task.id)
            worktrees.remove(self.repository, worktree, ref, f"uncommitted files of {task.id}")

    def _empty_trash(self) -> None:
        """Remove what the tasks of earlier clean-ups printed: one clean-up long it can be brought back."""
        if (trash := self.folder / "trash").exists():
            import shutil

            shutil.rmtree(trash)

    def _trash(self, tasks: Sequence[Task], stamp: str) -> list[RefMove]:
        """Return the moves that delete branches and keep their commits; what was adopted stays where it is."""
        branches = {branch_ref(task.branch): task for task in tasks if task.branch and not self._is_foreign(task)}
        tips = self.repository.refs(*branches) if branches else {}
        kept = [RefMove(naming.trash_ref(branches[ref].id, stamp), tip, None) for ref, tip in tips.items()]
        return [*kept, *(RefMove(ref, None, tip) for ref, tip in tips.items())]

    def _is_foreign(self, task: Task) -> bool:
        return task.adopted and task.branch != self.config.branch_of(task.id)
