"""Whether a merge signs its commits (`merge.sign`, `commit.gpgSign`), and what says so if they stay unsigned."""

from __future__ import annotations

from gitorch.flow import merge
from gitorch.flow.merge import MergePlan
from gitorch.git.signing import CommitSigner
from gitorch.services.workspace import Workspace


def sign(workspace: Workspace, plan: MergePlan, choice: bool | None = None, *, by_person: bool) -> MergePlan:
    """Return a plan with signed commits, if they are to be signed; its own commits are in the repository.

    `choice` is that of the command; None: as configured. With `merge.sign = "auto"` git's own setting decides when a
    person merges, and what a run merges by itself is not signed. A notice says which commits stay unsigned although
    git is set to sign. Raises `SetupNeeded` if a commit cannot be signed.
    """
    if plan.is_base_conflict or not (plan.steps or plan.rebased):
        return plan
    signer = CommitSigner(workspace.repository)
    setting = workspace.config.merge.sign
    if (
        choice
        if choice is not None
        else setting == "always" or (setting == "auto" and by_person and signer.is_configured)
    ):
        return merge.sign_plan(workspace.repository, signer, plan)
    if choice is None and signer.is_configured and (count := merge.unsigned_commits(workspace.repository, plan)):
        why = "merge.sign is never" if setting == "never" else 'a run does not sign; `merge.sign = "always"` does'
        commits = "1 commit is" if count == 1 else f"{count} commits are"
        workspace.store.notices.append(f"{commits} not signed, although commit.gpgSign is on: {why}")
    return plan
