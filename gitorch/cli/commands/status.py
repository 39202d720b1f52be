"""`status`."""

from __future__ import annotations

import sys

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.session import Session, pass_session
from gitorch.model.branch_state import describe
from gitorch.model.task import State


@click.command("status")
@click.option("--all", "show_all", is_flag=True, help="Show every task.")
@click.option(
    "--acknowledge",
    is_flag=True,
    help="Stop showing what is lost, and changes that runs found and gitorch did not make.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 6 if something needs your attention.")
@pass_session
def status_command(session: Session, show_all: bool, acknowledge: bool, exit_code: bool) -> None:
    """Show tasks and what needs your attention."""
    workspace = session.workspace
    if acknowledge:
        count = services.moved.acknowledge(workspace)
        session.say(f"acknowledged {count} changes")
        if lost := services.losses.acknowledge(workspace):
            session.say(f"acknowledged {lost} losses")
    moved = services.moved.unacknowledged(workspace)
    branches = services.branch_tips.branch_states(workspace, workspace.tasks.values())
    # an approval covers the commits that were approved, and no later ones
    tasks = {
        name: task if task.state is State.APPROVED else branches[name].task for name, task in workspace.tasks.items()
    }
    tip = services.branches.integration_tip(workspace)
    sizes = services.diff_sizes.diff_sizes(workspace, tasks.values())
    top = workspace.repository.work_tree or workspace.repository.common_dir
    protection = services.protection.to_show(workspace)
    if session.json:
        session.answer(
            "",
            schema.status.StatusAnswer.of(
                tasks.values(),
                repository=top,
                sandbox=schema.status.SandboxJson(
                    mode=protection.mode,
                    network=protection.network,
                    warnings=list(services.protection.warnings(protection)),
                ),
                integration=workspace.config.integration,
                tip=tip,
                conflicts=services.forecast_record.saved_conflicts(workspace),
                candidate=services.forecast_record.saved_candidate(workspace),
                moved=moved,
                later={name: state.later for name, state in branches.items()},
                sizes=sizes,
            ),
        )
    else:
        is_running = services.run_lock.is_running(workspace)
        session.answer(
            views.status.status(
                tasks.values(),
                repository=top.name,
                integration=workspace.config.integration,
                tip=tip,
                running=is_running,
                sandbox=services.protection.label(protection),
                warnings=services.protection.warnings(protection),
                show_all=show_all,
                moved=moved,
                conflicts=services.forecast_record.saved_conflicts(workspace),
                candidate=services.forecast_record.saved_candidate(workspace),
                diffs=sizes,
                by_hand={name: text for name, state in branches.items() if (text := describe(state))},
            )
        )
    needs_you = any(task.state in (State.FINISHED, State.CONFLICTED, State.FAILED) for task in tasks.values())
    if exit_code and (moved or needs_you):
        sys.exit(6)
