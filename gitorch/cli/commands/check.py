"""`check`."""

from __future__ import annotations

import sys

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import DONE_TASK
from gitorch.cli.session import UNDO_HINT, Session, pass_session
from gitorch.model.generators import drain


@click.command("check")
@click.argument("names", nargs=-1, type=DONE_TASK, metavar="[TASKS]...")
@click.option("--all", "check_all", is_flag=True, help="Check all finished tasks whose commits were not checked.")
@pass_session
def check_command(session: Session, names: tuple[str, ...], check_all: bool) -> None:
    """Run the checks of tasks again.

    Checks the commits that their branches have now, also those that you added by hand, and says who added what. Exits
    with 6 if a check fails.
    """
    workspace = session.workspace
    if check_all and names:
        raise click.UsageError("--all takes no tasks")
    tasks = services.check.unchecked_tasks(workspace) if check_all else session.find_all(names)
    if not tasks:
        session.answer("nothing to check", schema.review.CheckAnswer.of([]))
        return
    branches = services.check.branches_to_check(workspace, tasks)
    steps = services.check.run_checks(workspace, branches)
    results = drain(steps, lambda step: session.say(f"{step.step}/{step.of}  check {step.task}"))
    checked = services.check.record_results(workspace, branches, results)
    session.answer(views.check.checked_tasks(checked), schema.review.CheckAnswer.of(checked))
    session.refresh()
    for outcome in checked:
        if outcome.uncommitted:
            session.screen.warn(f"{outcome.task.id} has uncommitted files in its worktree: only commits are checked")
    session.say(UNDO_HINT)
    if not all(outcome.passed for outcome in checked):
        sys.exit(6)
    session.say(f"next: orchestrate review {checked[0].task.id}")
