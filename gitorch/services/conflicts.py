"""`merge.on_conflict = "agent"`: tasks in conflict go back to an agent, on top of what they conflict with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gitorch.errors import GitorchError
from gitorch.model import graph
from gitorch.model.task import Commits, ConflictRetry, State, Task, change, commit_range
from gitorch.services.workspace import Workspace

if TYPE_CHECKING:
    from gitorch.model.naming import Oid, TaskId
    from gitorch.replay import Replayer
    from gitorch.replay.conflict_commit import Standoff
    from gitorch.rooms.environment import Means


class Conflicts(Workspace):
    """Tasks that conflict with what is merged."""

    def queue_conflicted(self, means: Means) -> list[Task]:
        """Queue the tasks in conflict for an attempt that solves it; one whose conflict is gone is approved again.

        Their branches stay as they are until that attempt begins; what they held is kept under the attempt's ref. Where
        an attempt has failed, the same conflict is not tried again. A branch that was adopted is never moved, and waits
        for its owner.
        """
        from gitorch.replay import Replayer

        self._end_failed(means)
        tip = self.integration()
        if self.config.merge.on_conflict != "agent" or tip is None:
            return []
        waiting = [one for one in self.tasks.values() if one.state is State.CONFLICTED and not one.adopted]
        with Replayer(self.repository) as replayer:
            queued = [again for task in waiting if (again := self._queued(replayer, task, tip)) is not None]
        self.store.save([*queued, *(below for task in queued for _, below in self._made_stale(task))])
        return queued

    def _end_failed(self, means: Means) -> None:
        """Put tasks in conflict again whose attempt to solve that failed when they could not be."""
        from gitorch.flow import attempt

        for task in [one for one in self.tasks.values() if one.state is State.FAILED]:
            if task.conflict is None:
                continue
            try:
                again = attempt.in_conflict_again(means, task, task.conflict)
            except GitorchError as error:
                self.store.notices.append(f"{task.id} is not in conflict as before: {error.what}")
            else:
                self.store.save([again, *self.as_before([again])])

    def _queued(self, replayer: Replayer, task: Task, tip: Oid) -> Task | None:
        from gitorch.replay import Own, Replayed, conflict_commit

        if task.tip is None:
            return None
        merged = tuple(one.tip for one in self.tasks.values() if one.state is State.MERGED and one.tip)
        found = conflict_commit.prepare(
            replayer, task.id, Own(*commit_range(task), merged), tip, task.failed_conflict_id
        )
        if isinstance(found, Replayed):
            return change(task, state=State.APPROVED, reason="")
        if found is None:
            return None
        return change(
            task,
            state=State.QUEUED,
            reason=f"to be put on top of {self.config.integration}: {task.reason}",
            commits=Commits(tip, found.start),
            conflict=self._conflict_retry(task, found),
            results=(),
            retried=0,
            stale=False,
        )

    def _conflict_retry(self, task: Task, conflict: Standoff) -> ConflictRetry:
        base, tip = commit_range(task)
        return ConflictRetry(
            conflict_id=conflict.about,
            conflict_commit=conflict.commit,
            base=base,
            tip=tip,
            reason=task.reason,
            results=task.results,
            below=tuple(one.id for one, _ in self._made_stale(task) if not one.stale),
        )

    def as_before(self, changed: Sequence[Task]) -> list[Task]:
        """Return what builds on tasks that are in conflict as before an attempt, and is not stale any more by that.

        Call before these changes are saved.
        """
        tasks = dict(self.tasks)
        freed: list[Task] = []
        for task in changed:
            seen = tasks.get(task.id)
            was = seen.conflict if seen is not None and task.state is State.CONFLICTED else None
            tasks[task.id] = task
            for one in graph.merge_order(tasks[name] for name in (was.below if was else ()) if name in tasks):
                if one.stale and one.state is not State.RUNNING and self._is_up_to_date(one, tasks):
                    tasks[one.id] = change(one, stale=False)
                    freed.append(tasks[one.id])
        return freed

    def _is_up_to_date(self, task: Task, tasks: Mapping[TaskId, Task]) -> bool:
        """Tell whether a task stands on its dependencies as they are."""
        return all(self._stands_on(task, tasks[name]) for name in task.spec.after if name in tasks)

    def _stands_on(self, task: Task, below: Task) -> bool:
        if below.state is State.MERGED:
            return True
        if below.stale or below.tip is None or task.base is None:
            return False
        return self.repository.is_ancestor(below.tip, task.base)

    def _opponents(self, task: Task) -> tuple[Task, ...]:
        """Return the merged tasks that changed the files in which a task is in conflict."""
        from gitorch.replay import conflict_commit

        if task.conflict is None:
            return ()
        paths = set(conflict_commit.hunks(self.repository, task.conflict.conflict_commit))
        merged = [one for one in self.tasks.values() if one.state is State.MERGED and one.tip]
        return tuple(one for one in merged if paths & self._changed(one))

    def _changed(self, task: Task) -> set[str]:
        words = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", str(task.base), str(task.tip))
        return set(self.repository.git(*words).fields())
