"""`adopt`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import PREDECESSOR, REF, not_empty
from gitorch.cli.session import UNDO_HINT, Session, pass_session
from gitorch.model.generators import drain

if TYPE_CHECKING:
    from gitorch.services.adopt import Adoption


@click.command("adopt")
@click.argument("branches", nargs=-1, required=True, type=REF, metavar="BRANCH...")
@click.option(
    "--base",
    default="",
    type=REF,
    callback=not_empty,
    metavar="REF",
    help="Compare with REF instead of the configured base.",
)
@click.option("--after", multiple=True, type=PREDECESSOR, help="Merge them after this task (repeatable).")
@click.option("--check", is_flag=True, help="Run the checks on their tips.")
@click.option("-n", "--dry-run", is_flag=True, help="Show the tasks without creating them.")
@pass_session
def adopt_command(session: Session, /, branches: tuple[str, ...], dry_run: bool, **options: Any) -> None:
    """Import existing branches as finished tasks.

    BRANCH is a name or a glob ('task/*'), local or remote-tracking (origin/x). Branches are never moved. A branch that
    contains another one depends on it. Fails if a named branch cannot be adopted; skips (and lists) branches that only
    matched a glob.
    """
    if not dry_run:
        services.people_only.require_person("adopt branches")
    workspace = session.workspace
    after = [services.lookup.find_task(workspace, name).id for name in options["after"]]
    planned = services.adopt.plan_adoption(
        workspace, branches, base=options["base"], after=after, check=options["check"]
    )
    if options["check"] and not dry_run:
        planned = _checked(session, planned)
    adopted = planned if dry_run else services.adopt.adopt_branches(workspace, planned)
    _print(session, adopted, dry_run=dry_run)
    if adopted.tasks and not dry_run:
        session.refresh()
    if any(task.passed is False for task in (*adopted.tasks, *adopted.checked_tasks)):
        sys.exit(6)


def _checked(session: Session, planned: Adoption) -> Adoption:
    steps = services.adopt.check_adoption(session.workspace, planned)
    return drain(steps, lambda progress: session.say(f"{progress.step}/{progress.of}  check {progress.task}"))


def _print(session: Session, adopted: Adoption, *, dry_run: bool) -> None:
    session.answer(views.adopt.adoption(adopted), schema.queue.AdoptAnswer.of(adopted, dry_run=dry_run))
    if session.json:
        return
    for branch, checkout in adopted.unsaved:
        session.screen.warn(f"{branch} is checked out in {checkout}: only its commits are adopted")
    if dry_run:
        session.say("nothing was adopted (dry run)")
    elif adopted.tasks or adopted.checked_tasks:
        session.say(UNDO_HINT)
        unchecked = services.check.unchecked_tasks(session.workspace)
        session.say(f"next: orchestrate {'check --all' if unchecked else 'review'}")
