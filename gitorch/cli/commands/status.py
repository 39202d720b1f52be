"""`status`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.session import Session, pass_session
from gitorch.model.branch_state import BranchState, describe
from gitorch.model.forecasts.conflict_forecast import Candidate, Conflict, RemovedName, without_rewritten
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task, change
from gitorch.services.branches.own_branches import WithdrawnWork
from gitorch.services.protection import Protection
from gitorch.services.workspace import Workspace
from gitorch.storage.foreign_changes import ForeignChange

if TYPE_CHECKING:
    from rich.console import RenderableType


@click.command("status")
@click.option("--all", "show_all", is_flag=True, help="Show every task.")
@click.option(
    "--acknowledge",
    is_flag=True,
    help="Stop showing lost state, and changes that gitorch did not make.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 6 if something needs your attention.")
@pass_session
def status_command(session: Session, show_all: bool, acknowledge: bool, exit_code: bool) -> None:
    """Show tasks and what needs your attention."""
    if acknowledge:
        _acknowledge(session)
    session.check_forecast()
    board = _board(session.workspace)
    if session.json:
        session.answer(None, _answer(session.workspace, board))
    else:
        session.answer(_page(session.workspace, board, show_all=show_all))
    needs_you = any(task.state in (State.FINISHED, State.CONFLICTED, State.FAILED) for task in board.tasks.values())
    if exit_code and (board.moved or needs_you):
        sys.exit(6)


class _Board(msgspec.Struct, frozen=True, kw_only=True):
    """What `status` shows: the tasks as their branches are, and what is true of all of them."""

    tasks: Mapping[TaskId, Task]
    branches: Mapping[TaskId, BranchState]
    withdrawn: WithdrawnWork
    moved: Sequence[ForeignChange]
    tip: Oid | None
    sizes: Mapping[TaskId, tuple[int, int]]
    protection: Protection
    conflicts: Sequence[Conflict]
    removed_names: Sequence[RemovedName]
    candidate: Candidate | None


def _acknowledge(session: Session) -> None:
    session.say(f"acknowledged {services.change_watch.acknowledgement.acknowledge(session.workspace)} changes")
    if lost := services.recovery.losses.acknowledge(session.workspace):
        session.say(f"acknowledged {lost} losses")


def _board(workspace: Workspace) -> _Board:
    branches = services.branches.branch_tips.branch_states(workspace, workspace.tasks.values())
    # an approval covers the commits that were approved, and no later ones
    tasks = {
        name: task if task.state is State.APPROVED else branches[name].task for name, task in workspace.tasks.items()
    }
    moved_by_hand = [name for name, state in branches.items() if state.unseen]
    if moved_by_hand:
        tasks |= {task.id: task for task in services.branches.stale.outdated(workspace, moved_by_hand, tasks)}
    tip = services.branches.own_branches.integration_tip(workspace)
    withdrawn = services.branches.own_branches.withdrawn_work(workspace, tasks.values(), tip)
    name = workspace.config.integration
    tasks |= {
        task: change(tasks[task], reason=f"{commit[:7]} is no longer in {name}")
        for task, commit in withdrawn.commits.items()
    }
    return _Board(
        tasks=tasks,
        branches=branches,
        withdrawn=withdrawn,
        moved=services.change_watch.acknowledgement.unacknowledged(workspace),
        tip=tip,
        sizes=services.reviewing.diff_sizes.diff_sizes(workspace, tasks.values()),
        protection=services.protection.to_show(workspace),
        conflicts=without_rewritten(services.merging.forecast_record.saved_conflicts(workspace), branches.values()),
        removed_names=services.merging.forecast_record.saved_names(workspace),
        candidate=services.merging.forecast_record.saved_candidate(workspace),
    )


def _answer(workspace: Workspace, board: _Board) -> schema.status.StatusAnswer:
    space = services.doctor.disk.for_worktrees(workspace)
    return schema.status.StatusAnswer.of(
        board.tasks.values(),
        repository=_top(workspace),
        sandbox=schema.status.SandboxJson(
            mode=board.protection.mode,
            network=board.protection.network,
            keys=board.protection.keys,
            warnings=list(services.protection.warnings(board.protection)),
        ),
        disk=schema.status.DiskJson(free=space.free, floor=space.floor),
        integration=workspace.config.integration,
        tip=board.tip,
        conflicts=board.conflicts,
        removed_names=board.removed_names,
        candidate=board.candidate,
        moved=board.moved,
        later={name: state.later for name, state in board.branches.items()},
        sizes=board.sizes,
    )


def _page(workspace: Workspace, board: _Board, *, show_all: bool) -> RenderableType:
    is_running = services.run_lock.is_running(workspace)
    # what reads the record takes longer to load than the rest of the page
    run = services.past.past_runs.active_run(workspace.folder) if is_running else None
    shown = views.status.StatusBoard(
        tasks=board.tasks.values(),
        repository=_top(workspace).name,
        integration=workspace.config.integration,
        tip=board.tip,
        running=is_running,
        run_start=run.started if run else None,
        sandbox=services.protection.label(board.protection),
        warnings=(*services.protection.warnings(board.protection), *_withdrawn(workspace, board)),
        moved=board.moved,
        conflicts=board.conflicts,
        removed_names=board.removed_names,
        candidate=board.candidate,
        diffs=board.sizes,
        by_hand={name: text for name, state in board.branches.items() if (text := describe(state))},
    )
    return views.status.status(shown, show_all=show_all)


def _withdrawn(workspace: Workspace, board: _Board) -> tuple[str, ...]:
    """Return the warning that merged work is no longer in the integration branch."""
    withdrawn = board.withdrawn
    if not withdrawn.commits:
        return ()
    count = views.quantities.plural(len(withdrawn.commits), "merged task")
    fix = f"; to put it back: {withdrawn.fix}" if withdrawn.fix else ""
    return (f"{workspace.config.integration} was moved, and does not have {count}{fix}",)


def _top(workspace: Workspace) -> Path:
    return workspace.repository.work_tree or workspace.repository.common_dir
