"""Whether commits are signed (`merge.sign`, `commit.gpgSign`), and what says so if they stay unsigned."""

from __future__ import annotations

from gitorch.flow import merge
from gitorch.flow.merge import MergePlan
from gitorch.git.signing import CommitSigner
from gitorch.git.writing import unreferenced
from gitorch.model.naming import Oid
from gitorch.services.workspace import Workspace


def sign(workspace: Workspace, plan: MergePlan, choice: bool | None = None, *, by_person: bool) -> MergePlan:
    """Return a plan with signed commits, if they are to be signed; its own commits are in the repository.

    `choice` is that of the command; None: as configured. With `merge.sign = "auto"` git's own setting decides when a
    person merges, and what a run merges by itself is not signed. A notice says which commits stay unsigned although
    git is set to sign. Raises `SetupNeeded` if a commit cannot be signed.
    """
    if plan.is_base_conflict or not (plan.steps or plan.rebased):
        return plan
    signer = CommitSigner(workspace.repository, "orchestrate merge --no-sign")
    if _is_wanted(workspace, signer, choice, by_person=by_person):
        return merge.sign_plan(workspace.repository, signer, plan)
    if choice is None and signer.is_configured:
        _say_unsigned(workspace, merge.unsigned_commits(workspace.repository, plan))
    return plan


def sign_commit(workspace: Workspace, commit: Oid, choice: bool | None, retry: str) -> Oid:
    """Return a person's unsigned commit with a signature, if it is to be signed: as `sign` decides for a merge.

    `retry` is the command that does without.
    """
    signer = CommitSigner(workspace.repository, retry)
    if _is_wanted(workspace, signer, choice, by_person=True):
        (unsigned,) = workspace.repository.commits([commit])
        return unreferenced.store_commit(workspace.repository, signer.sign(unsigned.raw))
    if choice is None and signer.is_configured:
        _say_unsigned(workspace, 1)
    return commit


def _is_wanted(workspace: Workspace, signer: CommitSigner, choice: bool | None, *, by_person: bool) -> bool:
    if choice is not None:
        return choice
    setting = workspace.config.merge.sign
    return setting == "always" or (setting == "auto" and by_person and signer.is_configured)


def _say_unsigned(workspace: Workspace, count: int) -> None:
    if not count:
        return
    is_never = workspace.config.merge.sign == "never"
    why = "merge.sign is never" if is_never else 'a run does not sign; `merge.sign = "always"` does'
    commits = "1 commit is" if count == 1 else f"{count} commits are"
    workspace.store.notices.append(f"{commits} not signed, although commit.gpgSign is on: {why}")
