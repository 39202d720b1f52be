"""`rescue`: list, show and restore the rescue points of uncommitted work."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import Name, Session, pass_session, print_help
from gitorch.cli.terminal.sanitize import safe

if TYPE_CHECKING:
    from gitorch.services.rescue import RescuePoint

_NUMBER = click.option("-n", "--number", type=click.IntRange(1), default=1, help="Which one; 1 is the newest.")


class RescuedTask(Name):
    """A task that has rescue points, also one that was cleaned up; completes the slugs."""

    name = "task"

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the tasks that have rescue points."""
        return ((task, "") for task in services.rescue.rescued_tasks(ctx.ensure_object(Session).workspace))


@click.group("rescue", invoke_without_command=True)
@click.pass_context
def rescue_command(ctx: click.Context) -> None:
    """List, show and restore rescue points: commits that hold uncommitted work.

    gitorch makes them while a task runs, and before it removes a worktree.
    """
    if ctx.invoked_subcommand is None:
        print_help(ctx)


@rescue_command.command("list")
@click.argument("task", required=False, type=RescuedTask())
@pass_session
def list_command(session: Session, task: str | None) -> None:
    """List rescue points, the newest of each task first: all, or those of TASK."""
    workspace = session.workspace
    names = [_task(session, task)] if task else services.rescue.rescued_tasks(workspace)
    points = [point for name in names for point in services.rescue.list_points(workspace, name)]
    answer = schema.rescue.RescueListAnswer(points=[schema.rescue.RescuePointJson.of(point) for point in points])
    session.answer("\n".join(map(_line, points)) or "there are no rescue points", answer)


@rescue_command.command("show")
@click.argument("task", type=RescuedTask())
@_NUMBER
@pass_session
def show_command(session: Session, task: str, number: int) -> None:
    """Show what a rescue point of TASK holds, and what was not saved."""
    workspace = session.workspace
    point = services.rescue.find_point(workspace, _task(session, task), number)
    files = services.rescue.saved_files(workspace, point)
    lines = [_line(point), *(f"{'saved' if file.blob else 'deleted':>9}  {safe(file.path)}" for file in files)]
    lines += [f"not saved  {safe(entry)}" for entry in point.skipped]
    answer = schema.rescue.RescueShowAnswer(
        point=schema.rescue.RescuePointJson.of(point), files=schema.rescue.saved_files(files)
    )
    session.answer("\n".join(lines), answer)
    session.say(f"get the files back: orchestrate rescue restore {point.task} -n {point.number}")


@rescue_command.command("restore")
@click.argument("task", type=RescuedTask())
@_NUMBER
@click.option("--to", "folder", type=click.Path(path_type=Path), help="The folder to write to: new, or empty.")
@pass_session
def restore_command(session: Session, task: str, number: int, folder: Path | None) -> None:
    """Write the files of a rescue point of TASK into a new folder.

    No existing file is overwritten. Without --to, the folder is next to the worktrees.
    """
    workspace = session.workspace
    point = services.rescue.find_point(workspace, _task(session, task), number)
    target = session.start / folder if folder else services.rescue.default_folder(workspace, point)
    files = services.rescue.restore(workspace, point, target)
    answer = schema.rescue.RescueRestoreAnswer(
        point=schema.rescue.RescuePointJson.of(point), files=schema.rescue.saved_files(files), folder=str(target)
    )
    session.answer(f"{len(files)} files written to {safe(str(target))}", answer)
    if any("/.git-saved/" in f"/{file.path}" for file in files):
        session.say(
            "a .git-saved folder holds a repository that an agent configured: read its config before you use it"
        )


def _task(session: Session, name: str) -> str:
    """Return the task of a name; one that was cleaned up is known by its rescue points."""
    if name in services.rescue.rescued_tasks(session.workspace):
        return name
    return session.find(name).id


def _line(point: RescuePoint) -> str:
    skipped = f"  ({len(point.skipped)} not saved)" if point.skipped else ""
    time = f"{point.time:%Y-%m-%d %H:%M}"
    return f"{safe(point.task)}  {point.number}  {point.commit[:12]}  {time}  {safe(point.subject)}{skipped}"
