"""The branches of tasks as they are: a person may commit to one, amend it or rebase it at any time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

from gitorch import services
from gitorch.git.tree_size import comparison_problem
from gitorch.model.branch_state import BranchState
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.task import State, Task
from gitorch.services import people_only
from gitorch.services.workspace import Workspace
from gitorch.storage import shown_tips

REVIEWABLE = frozenset({State.FINISHED, State.CONFLICTED, State.APPROVED})
"""States in which a person's commits on the branch are part of what is reviewed."""

_MAX_NAMED = 32  # refs that are named one by one


def branch_states(workspace: Workspace, tasks: Iterable[Task]) -> dict[TaskId, BranchState]:
    """Return the branches of these tasks as they are; git is asked about those that others have moved."""
    tasks = list(tasks)
    reviewable = [task for task in tasks if task.branch and task.tip and task.state in REVIEWABLE]
    refs = workspace.repository.refs(*_patterns(workspace, reviewable)) if reviewable else {}
    tips = {task.id: refs.get(branch_ref(task.branch)) for task in reviewable}
    return {task.id: _state(workspace, task, tips.get(task.id)) for task in tasks}


def branch_state(workspace: Workspace, task: Task) -> BranchState:
    """Return the branch of one task as it is."""
    return branch_states(workspace, [task])[task.id]


def mark_shown(workspace: Workspace, task: Task) -> None:
    """Record that a reviewer was shown a task up to its tip; what an agent or a program looks at does not count."""
    if task.tip is not None and not people_only.is_program() and not people_only.inside_agent():
        # on a disk that cannot be written, what reads still works; the reviewer is shown the branch again
        with contextlib.suppress(OSError):
            shown_tips.record(workspace.folder, task.id, task.tip)


def is_shown(workspace: Workspace, state: BranchState) -> bool:
    """Return whether a reviewer was shown the tip of a branch, or nobody has moved it since it was recorded."""
    return state.unseen is None or shown_tips.read(workspace.folder, state.task.id) == state.unseen


def _state(workspace: Workspace, task: Task, tip: Oid | None) -> BranchState:
    attempt_tip = task.attempt.tip if task.attempt else None
    if tip is None or (tip == task.tip and attempt_tip in (None, tip)):
        return BranchState(task=task)
    repository = workspace.repository
    is_missing = repository.object_ids(f"{tip}^{{commit}}") == [None]
    if is_missing or (task.base and comparison_problem(repository, task.base, tip)):
        # the branch points at nothing, or at more than git could compare: show what was recorded
        return BranchState(task=task)
    return services.branches.hand_work.moved_branch(workspace, task, tip)


def _patterns(workspace: Workspace, tasks: Sequence[Task]) -> list[str]:
    """Return patterns for the branches of these tasks: by name, or for many by the prefix of all task branches."""
    prefix = workspace.config.prefix
    if len(tasks) <= _MAX_NAMED or not prefix.endswith("/"):
        return [branch_ref(task.branch) for task in tasks]
    other_branches = [branch_ref(task.branch) for task in tasks if not task.branch.startswith(prefix)]
    return [f"refs/heads/{prefix}", *other_branches]
