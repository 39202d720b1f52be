"""`merge --into BRANCH`: fast-forward a user branch to the integration branch."""

from __future__ import annotations

from collections.abc import Generator

import msgspec

from gitorch.errors import NotFound, Refused
from gitorch.flow import merge
from gitorch.flow.merge import MergePlan, MergeTarget, Progress, TreeCheck
from gitorch.git.notes import note_store
from gitorch.git.worktrees import checkouts
from gitorch.model.naming import Oid
from gitorch.services.branches.own_branches import is_own_branch
from gitorch.services.merging.auto_merge import APPROVER
from gitorch.services.workspace import Workspace


def find_target(workspace: Workspace, name: str) -> MergeTarget | None:
    """Return the branch that `--into` names. Raises `Refused` if its checkout could not be updated."""
    if not name:
        return None
    repository, integration = workspace.repository, workspace.config.integration
    target = merge.find_target(
        repository, name, integration, lambda branch: is_own_branch(workspace.config, workspace.tasks, branch)
    )
    checkouts.require_ready(repository, target.ref, target.before, target.before)
    return target


def require_approved(workspace: Workspace, target: MergeTarget, integration: Oid | None) -> None:
    """Raise `Refused` if unapproved work would reach a user branch.

    With `merge.auto = "finished"` the integration branch can contain such work.
    """
    if workspace.config.merge.auto != "finished" or integration is None:
        return
    listing = workspace.repository.git("rev-list", integration, f"^{target.before}").text.split("\n")
    commits = [Oid(line) for line in listing if line]
    tips = {str(task.id): task.tip for task in workspace.tasks.values() if task.tip}
    if unapproved := merge.unapproved(note_store.read_all(workspace.repository), commits, tips, APPROVER):
        names = " ".join(unapproved)
        raise Refused(
            "not-approved",
            f"{workspace.config.integration} contains unapproved work: {names}",
            fix=(f"orchestrate approve {names}",),
        )


def check_target(plan: MergePlan, check: TreeCheck, verify: str) -> Generator[Progress, None, MergePlan]:
    """Check the commit that a user branch would move to, unless the merge of a task has checked it."""
    if plan.target is None or plan.steps or verify == "never" or plan.is_base_conflict:
        return plan
    yield Progress("check the integration branch", 0, 1)
    results = check(plan.onto)
    failing = ", ".join(result.name for result in results if not result.passed)
    if failing:
        onto = plan.before or plan.onto
        return msgspec.structs.replace(plan, target=None, rebased=None, onto=onto, red_base=failing)
    return msgspec.structs.replace(plan, results=results)


def nothing_merged(integration: str) -> NotFound:
    """Return the error for `--into` before the first merge."""
    return NotFound(
        "nothing-merged",
        f"there is no {integration} yet, and no approved task to merge",
        fix=("orchestrate review",),
    )
