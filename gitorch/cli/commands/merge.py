"""`merge`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import LOCAL_BRANCH, MERGEABLE_TASK, REMOTE, not_empty
from gitorch.cli.commands.pull_requests import open_pull_requests
from gitorch.cli.session import UNDO_HINT, Session, pass_session
from gitorch.config import Verify
from gitorch.errors import InvalidInput, Refused
from gitorch.model.generators import drain

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gitorch.flow.merge import MergePlan, ReportProgress
    from gitorch.model.naming import TaskId
    from gitorch.replay import Replayer
    from gitorch.replay.hunks import Hunk
    from gitorch.services.workspace import Workspace

_MOVED = ("refs-moved", "task-moved")
_TRIES = 3
_RESOLVED_HINT = "hint: take them with 'orchestrate merge --resolved'"


@click.command("merge")
@click.argument("tasks", nargs=-1, type=MERGEABLE_TASK)
@click.option("-n", "--dry-run", is_flag=True, help="Show the plan and its conflicts without merging.")
@click.option("--skip", multiple=True, type=MERGEABLE_TASK, metavar="TASK", help="Leave this task out (repeatable).")
@click.option("--verify", type=click.Choice(get_args(Verify)), help="Which trees to check.")
@click.option("--recheck", is_flag=True, help="Ignore cached check results.")
@click.option("--resolved", is_flag=True, help="Also merge what conflicts and has a proven resolution.")
@click.option("--squash", is_flag=True, help="Squash each task into one commit.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "merge-tree", "git-rebase"]),
    default="auto",
    help="Replay engine; all give the same result.",
)
@click.option("--sign/--no-sign", default=None, help="Sign the commits; by default as merge.sign says.")
@click.option(
    "--into",
    default="",
    type=LOCAL_BRANCH,
    callback=not_empty,
    metavar="BRANCH",
    help="Also fast-forward BRANCH to the result.",
)
@click.option("--pr", is_flag=True, help="Push the branches and open stacked draft pull requests instead (needs gh).")
@click.option("--remote", type=REMOTE, default="origin", metavar="NAME", help="With --pr: where to push (origin).")
@click.option("-y", "--yes", is_flag=True, help="With --pr: do not ask.")
@pass_session
def merge_command(
    session: Session, /, tasks: tuple[str, ...], pr: bool, remote: str, yes: bool, **options: Any
) -> None:
    """Rebase approved work onto the integration branch, in dependency order.

    With TASKS, merges only those and their dependencies. If the base branch has moved, rebases the integration branch
    onto it first. Your own branches never move, except the one you name with --into; a clean checkout of it is updated
    too.

    A task that conflicts stays out, unless the checks prove a resolution and you take it with --resolved.
    """
    if not pr:
        _merge(session, tasks, **options)
        return
    if options["into"] or options["skip"] or options["squash"]:
        raise click.UsageError("--pr goes with --remote, --yes and --dry-run only")
    open_pull_requests(session, tasks, remote, dry_run=options["dry_run"], yes=yes)


def _merge(
    session: Session,
    tasks: Sequence[str],
    *,
    dry_run: bool,
    skip: Sequence[str],
    verify: str,
    recheck: bool,
    resolved: bool,
    squash: bool,
    engine: str,
    sign: bool | None,
    into: str,
) -> None:
    """Plan a merge, publish it unless it is a dry run, and print what went in."""
    workspace = session.workspace
    takes = _takes_resolutions(workspace, resolved=resolved)
    how = _How(verify or workspace.config.merge.verify, takes=takes, recheck=recheck, sign=sign)
    if not dry_run:
        services.people_only.require_person("merge")
        for message in services.recovery.operations.recover(workspace):
            session.say(message)
    task_ids = [services.lookup.find_task(workspace, name).id for name in tasks] or None
    left_out = [services.lookup.find_task(workspace, name).id for name in skip]
    with services.merging.replaying.open_replayer(
        workspace, squash=squash, dry_run=dry_run, engine=services.merging.replaying.Engine(engine)
    ) as replayer:

        def attempt() -> _Merge:
            with _progress(session) as report:
                plan = services.merging.merge.plan_merge(workspace, replayer, task_ids, left_out, into, report)
            services.merging.merge.save_errors(workspace, plan)
            return (_preview if dry_run else _publish)(session, replayer, plan, how)

        plan, page, answer = _planned_again(attempt)
    session.answer(page, answer)
    if plan.ready:
        session.say(_RESOLVED_HINT)
    # from a branch of the user's, `undo` takes nothing back
    if plan.steps and not dry_run and not views.merging.merge_branches.moves_target(plan):
        session.say(UNDO_HINT)
    _exit_for(plan, task_ids or ())


def _planned_again(attempt: Callable[[], _Merge]) -> _Merge:
    """Plan and merge; again if something has moved since the plan, as by a run, which merges what is approved, too."""
    for _ in range(_TRIES - 1):
        try:
            return attempt()
        except Refused as moved:  # before anything was published
            if moved.code not in _MOVED:
                raise
    return attempt()


def _preview(session: Session, replayer: Replayer, plan: MergePlan, how: _How) -> _Merge:
    """Return what a merge would do, with the resolutions and the conflicts that are expected."""
    workspace, branch = session.workspace, session.workspace.config.integration
    hunks = _conflict_hunks(replayer, plan)
    proposed = _resolved(session, replayer, plan, reorder=True, recheck=how.recheck)
    plan = proposed if how.takes else services.merging.merge.with_resolutions(plan, proposed)
    conflicts = services.merging.forecast.update_forecast(workspace, replayer)
    removed = services.merging.forecast_record.saved_names(workspace)
    page = views.merging.merge.merge_plan(plan, branch, hunks=hunks, expected=conflicts, removed_names=removed)
    answer = schema.merge.MergeAnswer.of(plan, branch, hunks, conflicts=conflicts, removed_names=removed, dry_run=True)
    return _Merge(plan, page, answer)


def _publish(session: Session, replayer: Replayer, plan: MergePlan, how: _How) -> _Merge:
    """Publish what passes its checks; return what went in."""
    branch = session.workspace.config.integration
    hunks = _conflict_hunks(replayer, plan)
    plan = _published(session, replayer, plan, how)
    if not session.json:
        return _Merge(plan, views.merging.merge_result.merge_result(plan, branch), None)
    answer = schema.merge.MergeAnswer.of(plan, branch, hunks, conflicts=None, removed_names=(), dry_run=False)
    return _Merge(plan, None, answer)


def _conflict_hunks(replayer: Replayer, plan: MergePlan) -> dict[TaskId, tuple[Hunk, ...]]:
    return {clash.task.id: services.merging.merge.conflict_hunks(replayer, clash) for clash in plan.conflicts}


def _takes_resolutions(workspace: Workspace, *, resolved: bool) -> bool:
    """Return whether a merge also publishes what conflicts and has a proven resolution."""
    setting = workspace.config.merge.resolve
    if resolved and setting == "off":
        fix = "orchestrate -c merge.resolve=propose merge --resolved"
        raise InvalidInput("resolve-off", "--resolved has no effect: merge.resolve is off", fix=(fix,))
    return resolved or setting == "auto"


@contextmanager
def _progress(session: Session, *, lines: bool = False) -> Iterator[ReportProgress]:
    """Yield a function that shows the progress of a merge: a bar on a terminal, else (`lines`) one line per step."""
    with views.running.progress.progress_bar(session.screen, lines=lines) as show:
        yield lambda progress: show(progress.step, progress.of, lambda: views.merging.merge.merge_progress(progress))


class _How(NamedTuple):
    """How a plan is checked and published; `takes` says whether proven resolutions are published, too."""

    verify: str
    takes: bool
    recheck: bool
    sign: bool | None


class _Merge(NamedTuple):
    """A merge that was planned or published, as a page or as a JSON answer: making both would take twice as long."""

    plan: MergePlan
    page: RenderableType | None
    answer: schema.merge.MergeAnswer | None


def _published(session: Session, replayer: Replayer, plan: MergePlan, how: _How) -> MergePlan:
    """Check a plan, publish what passes, and return the plan of that, with the resolutions that wait."""
    if not session.quiet and (tree := views.merging.merge.merge_order(plan)) is not None:
        session.say(tree)
    plan = _verified(session, replayer, plan, how.verify, recheck=how.recheck)
    if how.takes:
        plan = _resolved(session, replayer, plan, reorder=True, recheck=how.recheck)
    with views.running.progress.progress_bar(session.screen, lines=False) as show:
        show(0, 1, lambda: views.merging.merge.publishing())
        plan = services.merging.merge.publish(session.workspace, replayer, plan, how.sign)
    if not how.takes and services.merging.merge.may_be_proven(plan):
        # in the order that is published now: a proof holds for exactly these tips
        proposed = _resolved(session, replayer, plan, reorder=False, recheck=how.recheck)
        plan = services.merging.merge.with_resolutions(plan, proposed)
    session.refresh()
    return plan


def _resolved(session: Session, replayer: Replayer, plan: MergePlan, *, reorder: bool, recheck: bool) -> MergePlan:
    """Return the plan with the proven resolutions of what conflicts in it."""
    if not plan.conflicts:
        return plan
    search = services.merging.resolving.resolve_merge(
        session.workspace, replayer, plan, reorder=reorder, recheck=recheck
    )
    with _progress(session, lines=True) as show:
        return drain(search, show)


def _verified(session: Session, replayer: Replayer, plan: MergePlan, verify: str, *, recheck: bool) -> MergePlan:
    with _progress(session, lines=True) as show:
        return drain(
            services.merging.merge.verify_merge(session.workspace, replayer, plan, verify, recheck=recheck), show
        )


def _exit_for(plan: MergePlan, requested: Collection[TaskId]) -> None:
    """Exit with what a script has to know: it went wrong, or nothing that it asked for could go in."""
    if plan.conflicts or plan.is_base_conflict:
        sys.exit(7)
    if plan.failures or plan.red_base or any("union fails" in blocked.reason for blocked in plan.blocked):
        sys.exit(6)
    if any(blocked.error for blocked in plan.blocked):
        sys.exit(1)
    if plan.blocked and (not plan.steps or any(blocked.task.id in requested for blocked in plan.blocked)):
        sys.exit(5)
