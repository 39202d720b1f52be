"""`merge --into BRANCH`: the user branch that is brought to the integration branch."""

from __future__ import annotations

from collections.abc import Generator

import msgspec

from gitorch.errors import NotFound, Refused
from gitorch.flow import merge
from gitorch.flow.merge import MergePlan, Progress, Target, TreeCheck
from gitorch.git import checkouts, notes
from gitorch.model.naming import Oid
from gitorch.services.auto_merge import APPROVER
from gitorch.services.branches import is_own_branch
from gitorch.services.workspace import Workspace


def find_target(workspace: Workspace, name: str) -> Target | None:
    """Return the branch that `--into` names, ready to be moved as far as that is known now."""
    if not name:
        return None
    repository, integration = workspace.repository, workspace.config.integration
    target = merge.find_target(
        repository, name, integration, lambda branch: is_own_branch(workspace.config, workspace.tasks, branch)
    )
    checkouts.require_ready(repository, target.ref, target.before, target.before)
    return target


def require_approved(workspace: Workspace, target: Target, integration: Oid | None) -> None:
    """Raise `Refused` when what nobody has approved would reach a user branch.

    It can be on the integration branch where `merge.auto = "finished"` allows it.
    """
    if workspace.config.merge.auto != "finished" or integration is None:
        return
    listing = workspace.repository.git("rev-list", integration, f"^{target.before}").text.split("\n")
    commits = [Oid(line) for line in listing if line]
    tips = {str(task.id): task.tip for task in workspace.tasks.values() if task.tip}
    if unapproved := merge.unapproved(notes.read_all(workspace.repository), commits, tips, APPROVER):
        names = " ".join(unapproved)
        raise Refused(
            "not-approved",
            f"{workspace.config.integration} holds work that nobody has approved: {names}",
            fix=(f"orchestrate approve {names}",),
        )


def check_target(plan: MergePlan, check: TreeCheck, verify: str) -> Generator[Progress, None, MergePlan]:
    """Check what a user branch would be brought to, where no task's merge has checked it."""
    if plan.target is None or plan.steps or verify == "never" or plan.is_stuck:
        return plan
    yield Progress("check the integration branch", 1, 1)
    results = check(plan.onto)
    failing = ", ".join(result.name for result in results if not result.passed)
    if failing:
        onto = plan.before or plan.onto
        return msgspec.structs.replace(plan, target=None, rebased=None, onto=onto, red_base=failing)
    return msgspec.structs.replace(plan, results=results)


def nothing_merged(integration: str) -> NotFound:
    """Return the error for `--into` before anything was merged."""
    return NotFound(
        "nothing-merged",
        f"there is no {integration} yet, and nothing is approved that could go there",
        fix=("orchestrate review",),
    )
