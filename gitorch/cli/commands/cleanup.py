"""`cleanup`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.session import UNDO_HINT, Session, pass_session
from gitorch.cli.terminal.sanitize import safe
from gitorch.model.task import Task
from gitorch.services.maintenance import RemovalProof


@click.command("cleanup")
@click.option("-n", "--dry-run", is_flag=True, help="List what would be removed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def cleanup_command(session: Session, dry_run: bool, yes: bool) -> None:
    """Remove merged and rejected tasks, with their worktrees and branches, and those cancelled before they began.

    Lists for each task what proves that it can go, such as the commit that it was merged as. Keeps a merged task whose
    commit is no longer on any branch, one that another task waits for, and one whose branch you have checked out.

    Deletes nothing yet: worktrees and logs go to a trash, where they stay for `trash.keep`. The commits of each branch
    stay under refs/gitorch/trash/, uncommitted files under refs/gitorch/rescue/. `undo` brings all of it back.
    """
    if not dry_run:
        services.people_only.require_person("clean up")
    workspace = session.workspace
    closed = services.maintenance.removable(workspace)
    proofs = [*services.maintenance.proofs(workspace, closed), *services.maintenance.kept(workspace)]
    proof_of = {proof.task: proof.text for proof in proofs if proof.is_proven}
    tasks = [task for task in closed if task.id in proof_of]
    answer = _answer(tasks, proofs, dry_run=dry_run)
    places = {task.id: safe(task.worktree) for task in closed}
    listing = "\n".join(f"{proof.task}  {proof.text}  {places.get(proof.task, '')}".rstrip() for proof in proofs)
    if dry_run or not tasks:
        session.answer(listing or "nothing to clean up", answer)
        return
    if not yes:
        session.say(listing)
    number = views.quantities.plural(len(tasks), "task")
    if not session.confirm(f"Remove {number}, with worktrees and branches?", yes=yes):
        session.answer("nothing was removed", _answer([], proofs, dry_run=dry_run))
        return
    for task in services.maintenance.cleanup(workspace, tasks):
        session.say(f"removed {task.id}: {proof_of[task.id]}")
    session.answer(f"{number} removed", answer)
    session.say(UNDO_HINT)


def _answer(
    tasks: Sequence[Task], proofs: Sequence[RemovalProof], *, dry_run: bool
) -> schema.maintenance.CleanupAnswer:
    rows = [
        schema.maintenance.RemovalProofJson(
            task=proof.task, proof=proof.text, commit=proof.commit, proven=proof.is_proven
        )
        for proof in proofs
    ]
    return schema.maintenance.CleanupAnswer(tasks=[task.id for task in tasks], dry_run=dry_run, proofs=rows)
