"""`merge.on_conflict = "agent"`: send tasks in conflict back to an agent, based on the integration branch."""

from __future__ import annotations

from gitorch.errors import GitorchError
from gitorch.flow import attempt
from gitorch.model.naming import Oid
from gitorch.model.task import Commits, ConflictRetry, State, Task, change, commit_range
from gitorch.replay import CommitRange, MemoryReplayer, Replayed, Replayer, conflict_commit
from gitorch.replay.conflict_commit import ConflictCommit
from gitorch.rooms.context import RunContext
from gitorch.services.branches.own_branches import integration_tip
from gitorch.services.branches.stale import mark_dependents_stale, unstale_dependents
from gitorch.services.workspace import Workspace


def queue_conflicted(workspace: Workspace, context: RunContext) -> list[Task]:
    """Queue the tasks in conflict for an attempt that resolves it; approve a task again if its conflict has gone.

    A branch does not change until the attempt starts, and its old tip is kept under the attempt's ref. A conflict is
    not tried again after a failed attempt. An adopted branch is never moved: its owner has to resolve the conflict.
    """
    _restore_failed(workspace, context)
    tip = integration_tip(workspace)
    if workspace.config.merge.on_conflict != "agent" or tip is None:
        return []
    conflicted = [task for task in workspace.tasks.values() if task.state is State.CONFLICTED and not task.adopted]
    with MemoryReplayer(workspace.repository) as replayer:
        retries = [_retry(workspace, replayer, task, tip) for task in conflicted]
    queued = [task for task in retries if task is not None]
    stale = [marked for task in queued for _, marked in mark_dependents_stale(workspace, task)]
    workspace.store.save([*queued, *stale])
    return queued


def conflicting_tasks(workspace: Workspace, task: Task) -> tuple[Task, ...]:
    """Return the merged tasks that changed the files in which a task is in conflict."""
    if task.conflict is None:
        return ()
    paths = set(conflict_commit.marked_lines(workspace.repository, task.conflict.conflict_commit))
    merged = [other for other in workspace.tasks.values() if other.state is State.MERGED and other.tip]
    return tuple(other for other in merged if paths & _changed_paths(workspace, other))


def _restore_failed(workspace: Workspace, context: RunContext) -> None:
    """Return failed resolution attempts to the conflict state, if that failed when they ended."""
    for task in [task for task in workspace.tasks.values() if task.state is State.FAILED]:
        if task.conflict is None:
            continue
        try:
            restored = attempt.return_to_conflict(context, task, task.conflict)
        except GitorchError as error:
            workspace.store.notices.append(f"{task.id} could not be returned to its conflict: {error.what}")
        else:
            workspace.store.save([restored, *unstale_dependents(workspace, [restored])])


def _retry(workspace: Workspace, replayer: Replayer, task: Task, tip: Oid) -> Task | None:
    """Return a task in conflict as queued, or as approved if its conflict has gone; None if it stays."""
    if task.tip is None:
        return None
    merged = tuple(other.tip for other in workspace.tasks.values() if other.state is State.MERGED and other.tip)
    commits = CommitRange(*commit_range(task), merged)
    prepared = conflict_commit.prepare(replayer, task.id, commits, tip, task.failed_conflict_id)
    if isinstance(prepared, Replayed):
        return change(task, state=State.APPROVED, reason="")
    if prepared is None:
        return None
    return change(
        task,
        state=State.QUEUED,
        reason=f"to be rebased onto {workspace.config.integration}: {task.reason}",
        commits=Commits(tip, prepared.base),
        conflict=_conflict_retry(workspace, task, prepared),
        results=(),
        retried=0,
        stale=False,
    )


def _conflict_retry(workspace: Workspace, task: Task, prepared: ConflictCommit) -> ConflictRetry:
    base, tip = commit_range(task)
    dependents = mark_dependents_stale(workspace, task)
    return ConflictRetry(
        conflict_id=prepared.conflict_id,
        conflict_commit=prepared.commit,
        base=base,
        tip=tip,
        reason=task.reason,
        results=task.results,
        dependents=tuple(dependent.id for dependent, _ in dependents if not dependent.stale),
    )


def _changed_paths(workspace: Workspace, task: Task) -> set[str]:
    arguments = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", str(task.base), str(task.tip))
    return set(workspace.repository.git(*arguments).fields())
