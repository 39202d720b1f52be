"""Try out the union of tasks in a worktree of its own: what a merge of the same tasks would publish."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gitorch.errors import Refused
from gitorch.flow.merge import MergePlan, Rebased
from gitorch.flow.merge.planning.candidate import COMPLETED
from gitorch.git.worktrees import linked_worktrees
from gitorch.model import graph, naming
from gitorch.model.naming import Oid, Ref, TaskId
from gitorch.model.task import Task
from gitorch.replay import Conflicted, Replayer
from gitorch.rooms.environment_variables import check_environment
from gitorch.rooms.paths import worktree_path
from gitorch.rooms.ports import variables
from gitorch.rooms.prepare import prepare
from gitorch.rooms.protocol import RoomError
from gitorch.rooms.trees import reclaim
from gitorch.services import people_only
from gitorch.services.agents import run_context
from gitorch.services.branches.branch_tips import branch_states
from gitorch.services.change_watch.outside_runs import watched_commands
from gitorch.services.configured_checks import require_trust
from gitorch.services.merging.merge import plan_for
from gitorch.services.merging.merge_base import merge_inputs
from gitorch.services.workspace import Workspace
from gitorch.storage import locks

NAME = "_preview"
"""The name of the worktree; no task can have it."""

_RESCUE = Ref(f"{naming.OWN_REFS}rescue/{NAME}")
_MESSAGE = "uncommitted files of a preview"


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A union in its worktree: the plan that it comes from, and its tree."""

    plan: MergePlan
    tree: Oid
    worktree: Path


def plan_preview(workspace: Workspace, replayer: Replayer, names: Sequence[TaskId]) -> MergePlan:
    """Return the plan of a merge of these tasks and of what they need, as if all of them were approved as they are.

    Raises `Refused` if one has no work, or if nothing can go in.
    """
    completed = {task.id: task for task in workspace.tasks.values() if task.state in COMPLETED}
    for name in names:
        if name not in completed:
            raise Refused(
                "nothing-to-preview",
                f"{name} is {workspace.tasks[name].state}: it has no work to try out",
                fix=(f"orchestrate task {name}",),
            )
    states = branch_states(workspace, completed.values())
    current = {name: state.task for name, state in states.items()}
    inputs = msgspec.structs.replace(merge_inputs(workspace), tasks=dict(workspace.tasks) | current)
    selected = graph.merge_order(current[name] for name in graph.closure(names, current))
    plan = plan_for(inputs, replayer, selected)
    if not plan.steps:
        raise _refused(plan, selected)
    return plan


def open_preview(workspace: Workspace, replayer: Replayer, plan: MergePlan) -> Preview:
    """Check the result of a plan out in a fresh, prepared worktree.

    The worktree of the last preview goes to the trash; its uncommitted files are in a rescue point.
    """
    people_only.require_person("open a preview")
    require_trust(workspace)
    repository, context = workspace.repository, run_context(workspace)
    replayer.keep(plan.tip)
    path = worktree_path(repository, workspace.config, NAME)
    with locks.file_lock(workspace.folder / "preview.lock"):
        remove_preview(workspace)
        worktree = linked_worktrees.add(repository, path, plan.tip, "gitorch shows a preview here")
        env = check_environment(context.environment) | variables(context.config, context.folder, NAME)
        try:
            try:
                with watched_commands(workspace) as watch:
                    watch.start()
                    prepare(context, context.rooms.check_site(worktree, plan.tip, env, NAME), f"previews/{plan.tip}")
            finally:
                reclaim(worktree, workspace.folder / "rooms" / NAME)
        except RoomError as failure:
            raise Refused(
                "not-prepared",
                "the preview could not be prepared",
                why=failure.reason,
                fix=("orchestrate config show",),
            ) from failure
    return Preview(plan=plan, tree=repository.tree(plan.tip), worktree=path)


def remove_preview(workspace: Workspace) -> bool:
    """Move the worktree of the last preview to the trash; return whether there was one."""
    path = worktree_path(workspace.repository, workspace.config, NAME)
    if not path.exists() and not path.is_symlink():
        return False
    linked_worktrees.take_away(workspace.repository, path, _RESCUE, _MESSAGE)
    return True


def _refused(plan: MergePlan, selected: Sequence[Task]) -> Refused:
    names = ", ".join(task.id for task in selected)
    rebased = plan.rebased.replayed if isinstance(plan.rebased, Rebased) else None
    if isinstance(rebased, Conflicted):
        why = f"the integration branch conflicts with its base in {', '.join(rebased.paths)}"
    else:
        conflicts = [f"{item.task.id} conflicts in {', '.join(item.paths)}" for item in plan.conflicts]
        why = "; ".join([*conflicts, *(f"{entry.task.id}: {entry.reason}" for entry in plan.blocked)])
    return Refused(
        "nothing-to-preview", f"there is nothing to try out of {names}", why=why, fix=("orchestrate merge -n",)
    )
