"""What a merge goes onto: the integration branch, and the base branch that it was started from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gitorch.errors import Refused
from gitorch.flow import merge
from gitorch.flow.merge import Held, Kept, Plan, Rebased, Target
from gitorch.flow.merge.candidate import Ground
from gitorch.flow.scheduling import base
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.task import State, Task
from gitorch.replay import Conflicted, Replayed, Replayer
from gitorch.services.branches import is_own_branch
from gitorch.services.workspace import Workspace
from gitorch.storage.atomic import replace
from gitorch.storage.operations import StateChange


def integration_and_base(workspace: Workspace) -> Ground:
    """Return where the integration branch is (None: nothing is merged yet), and where its base is."""
    return merge_base_and_candidate(workspace)[0]


def merge_base_and_candidate(workspace: Workspace) -> tuple[Ground, Oid | None]:
    """Return what a merge would go onto, and the tip of the candidate branch, in one call of git."""
    repository, config = workspace.repository, workspace.config
    refs = [branch_ref(config.integration), branch_ref(config.candidate)]
    name = _base_name(workspace)
    integration, candidate, *commits = repository.object_ids(*refs, *([f"{name}^{{commit}}"] if name else []))
    if integration is None:
        return (None, base.named(repository, config)), candidate
    return (integration, commits[0] if commits else None), candidate


def rebase_integration(
    workspace: Workspace, replayer: Replayer, integration: Oid, tip: Oid | None, target: Target | None
) -> Rebased | Kept | None:
    """Replay the integration branch on the target branch, or on its base, which is at `tip`, where that moved on."""
    branch, moved = (target.branch, target.before) if target else (_base_name(workspace), tip)
    if moved is None:
        return None
    result = merge.rebase(replayer, integration, branch, moved, lambda name: _is_known(workspace, name))
    if target is not None and isinstance(result, merge.Kept):
        name = workspace.config.integration
        raise Refused(
            "into-diverged",
            f"{branch} moved on by {result.ahead} commits, and {name} cannot be replayed on it",
            why=result.reason,
            fix=(f"git switch {branch} && git merge {name}",),
        )
    return result


def record_base(workspace: Workspace, plan: Plan) -> None:
    """Remember the branch that a new integration branch starts on."""
    if plan.before is None and workspace.config.base == "auto":
        branch, commit = workspace.repository.head()
        if branch is not None and commit == plan.onto:
            replace(_base_file(workspace), branch.removeprefix("refs/heads/").encode())


def blocked_by_base(workspace: Workspace, plan: Plan, tasks: Sequence[Task]) -> tuple[Held, ...]:
    """Return the tasks of a plan as blocked, because the integration branch conflicts with its base."""
    assert isinstance(plan.rebased, merge.Rebased)
    assert isinstance(plan.rebased.replayed, Conflicted)
    paths = ", ".join(plan.rebased.replayed.paths)
    reason = f"{workspace.config.integration} conflicts in {paths} with {plan.rebased.branch}, which moved on"
    return tuple(Held(task, reason) for task in tasks)


def restated_merges(workspace: Workspace, plan: Plan) -> list[StateChange]:
    """Return the new commits of merged tasks, where the integration branch is replayed."""
    if not isinstance(plan.rebased, merge.Rebased) or not isinstance(plan.rebased.replayed, Replayed):
        return []
    new: Mapping[Oid | None, Oid] = dict(plan.rebased.replayed.pairs)
    merged = [(task, task.merged_as) for task in workspace.tasks.values() if task.state is State.MERGED]
    return [StateChange(task.id, task.state, task.state, new[old], task.reason) for task, old in merged if old in new]


def _is_known(workspace: Workspace, branch: str) -> bool:
    """Tell whether a branch is gitorch's own or adopted: what is merged of it may be rewritten."""
    return is_own_branch(workspace, branch) or any(task.branch == branch for task in workspace.tasks.values())


def _base_name(workspace: Workspace) -> str:
    """Return the branch that the integration branch is based on; empty where that is not known.

    With `base = "auto"` it is the branch that the integration branch was started on, not the one that the user
    happens to be on now.
    """
    name, file = workspace.config.base, _base_file(workspace)
    if name == "auto":
        name = file.read_text("utf-8") if file.exists() else ""
    return name if name.isprintable() and name != "HEAD" else ""


def _base_file(workspace: Workspace) -> Path:
    return workspace.folder / "base"
