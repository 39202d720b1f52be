"""`merge.on_conflict = "agent"`: tasks in conflict go back to an agent, on top of what they conflict with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitorch.model.task import State, Task, change
from gitorch.orchestrator.workspace import Workspace

if TYPE_CHECKING:
    from gitorch.git.replay import Replayer
    from gitorch.model.naming import Oid


class Conflicts(Workspace):
    """Tasks that conflict with what is merged."""

    def queue_conflicted(self) -> list[Task]:
        """Queue the tasks in conflict for an attempt that solves it; one whose conflict is gone is approved again.

        Their branches stay as they are until that attempt begins; what they held is kept under the attempt's ref. A
        branch that was adopted is never moved, and waits for its owner.
        """
        from gitorch.git.replay import Replayer

        tip = self.integration()
        if self.config.merge.on_conflict != "agent" or tip is None:
            return []
        waiting = [one for one in self.tasks.values() if one.state is State.CONFLICTED and not one.adopted]
        with Replayer(self.repository) as replayer:
            queued = [again for task in waiting if (again := self._queued(replayer, task, tip)) is not None]
        self.store.save([*queued, *(below for task in queued for _, below in self._made_stale(task))])
        return queued

    def _queued(self, replayer: Replayer, task: Task, tip: Oid) -> Task | None:
        from gitorch.git import standoff
        from gitorch.git.replay import Own, Replayed

        if task.base is None or task.tip is None:
            return None
        merged = tuple(one.tip for one in self.tasks.values() if one.state is State.MERGED and one.tip)
        found = standoff.prepare(replayer, task.id, Own(task.base, task.tip, merged), tip)
        if isinstance(found, Replayed):
            return change(task, state=State.APPROVED, reason="")
        if found is None:
            return None
        return change(
            task,
            state=State.QUEUED,
            reason=f"to be put on top of {self.config.integration}: {task.reason}",
            base=tip,
            tip=found.start,
            standoff=found.commit,
            results=(),
            retried=0,
            stale=False,
        )

    def _opponents(self, task: Task) -> tuple[Task, ...]:
        """Return the merged tasks that changed the files in which a task is in conflict."""
        from gitorch.git import standoff

        if task.standoff is None:
            return ()
        paths = set(standoff.hunks(self.repository, task.standoff))
        merged = [one for one in self.tasks.values() if one.state is State.MERGED and one.base and one.tip]
        return tuple(one for one in merged if paths & self._changed(one))

    def _changed(self, task: Task) -> set[str]:
        words = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", str(task.base), str(task.tip))
        return set(self.repository.git(*words).fields())
