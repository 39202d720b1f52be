"""`uninstall`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import Session, pass_session
from gitorch.cli.terminal.sanitize import safe
from gitorch.model.naming import NOTES, OWN_REFS
from gitorch.services.uninstall import UninstallPlan
from gitorch.services.workspace import Workspace


@click.command("uninstall")
@click.option("-n", "--dry-run", is_flag=True, help="List what would be removed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--purge", is_flag=True, help="Also delete rescue points, earlier attempts and notes.")
@pass_session
def uninstall_command(session: Session, dry_run: bool, yes: bool, purge: bool) -> None:
    """Take gitorch out of this repository. It cannot be undone.

    Worktrees, the state folder, hooks and internal refs go. Branches and notes stay, and so do rescue points and refs
    with commits that no branch has. Uncommitted files of worktrees go to rescue points first.
    """
    services.people_only.require_person("uninstall gitorch")
    workspace = session.workspace
    plan = services.uninstall.plan(workspace, purge=purge)
    listing = _listing(plan)
    if dry_run:
        session.answer(listing, _answer(plan, dry_run=True))
        return
    if not yes:
        session.say(listing)
    if not session.confirm("Take gitorch out of this repository?", yes=yes):
        session.answer("nothing was removed", _answer(plan, dry_run=True))
        return
    left = services.uninstall.uninstall(workspace, purge=purge)
    for path in left.worktrees:
        session.screen.warn(f"not all files of {path} are in a rescue point: it was not deleted")
    for path in left.hooks:
        session.screen.warn(f"{path} was changed by hand: it was not removed")
    session.answer("gitorch is out of this repository", _answer(plan, dry_run=False))
    for line in _staying(workspace):
        session.say(line)


def _staying(workspace: Workspace) -> Iterator[str]:
    """Return what is still in the repository, each with the command that deletes or shows it."""
    prefix, refs = workspace.config.prefix, workspace.repository.refs
    if any(ref.startswith(f"refs/heads/{prefix}") for ref in refs("refs/heads")):
        yield f"branches stay; to delete them: git branch -D $(git branch --list '{prefix}*')"
    if refs(NOTES):
        yield f"notes stay; to delete them: git update-ref -d {NOTES}"
    if kept := refs(OWN_REFS.rstrip("/")):
        yield f"refs with commits that no branch has stay ({len(kept)}); to list them: git for-each-ref {OWN_REFS}"


def _listing(plan: UninstallPlan) -> str:
    lines = [f"worktree   {safe(str(path))}" for path in plan.worktrees]
    lines += [f"hook       {safe(str(path))}" for path in plan.hooks]
    lines += [f"state      {safe(str(plan.folder))}", f"refs       {len(plan.refs)} of gitorch's own"]
    lines += [f"unfinished {name}: its request is lost" for name in plan.open]
    lines += [f"kept       {safe(ref)}" for ref in plan.remaining]
    return "\n".join(lines)


def _answer(plan: UninstallPlan, *, dry_run: bool) -> schema.maintenance.UninstallAnswer:
    return schema.maintenance.UninstallAnswer(
        worktrees=[str(path) for path in plan.worktrees],
        refs=[str(ref) for ref in plan.refs],
        kept=[str(ref) for ref in plan.remaining],
        hooks=[str(path) for path in plan.hooks],
        folder=str(plan.folder),
        unfinished=[str(name) for name in plan.open],
        dry_run=dry_run,
    )
