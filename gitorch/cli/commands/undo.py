"""`undo`, `redo`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import WAY_BACK, Session, pass_session

if TYPE_CHECKING:
    from gitorch.cli.schema.undo import PastOperationJson, RedoAnswer, UndoAnswer
    from gitorch.flow.undo import UndoEntry
    from gitorch.services.undo import UndoResult

_MOST = 20


@click.command("undo")
@click.option("--list", "listing", is_flag=True, help="List what can be undone, without undoing it.")
@click.option("--all", "every", is_flag=True, help=f"With --list: everything, not the last {_MOST} operations.")
@pass_session
def undo_command(session: Session, listing: bool, every: bool) -> None:
    """Undo the last operation: refs, notes and tasks as they were before it.

    Run it again to undo the operation before. Refuses, and moves nothing, if the state cannot be restored exactly. Work
    that agents did during a run is not undone, and neither is anything older on the same task.
    """
    if every and not listing:
        raise click.UsageError("--all goes with --list")
    if listing:
        _list(session, None if every else _MOST)
        return
    taken = services.undo.undo(session.workspace)
    _tell(session, "undone", taken, schema.undo.UndoAnswer)
    session.say("redo it: orchestrate redo")
    if taken.plan:
        session.say(f"change the plan: orchestrate plan continue {taken.plan.id}")


@click.command("redo")
@pass_session
def redo_command(session: Session) -> None:
    """Redo what the last undo took back. Not possible after a new operation."""
    _tell(session, "redone", services.undo.redo(session.workspace), schema.undo.RedoAnswer)
    session.say(WAY_BACK)


def _tell(session: Session, done: str, taken: UndoResult, answer: type[UndoAnswer | RedoAnswer]) -> None:
    from gitorch.cli.terminal.sanitize import safe

    session.refresh()
    operation = taken.operation
    tasks = session.workspace.tasks
    changed = [change.task for change in operation.changes]
    lines = [f"{done}: {safe(operation.summary)}"]
    lines += [f"{name}  {tasks[name].state if name in tasks else 'gone'}" for name in changed]
    if taken.plan:
        lines.append(f"plan {taken.plan.id}  {'approved' if taken.plan.is_approved else 'not approved'}")
    session.answer("\n".join(lines), answer.of(taken, tasks))
    if not session.json:
        for what in taken.missing:
            session.screen.warn(what)


def _list(session: Session, most: int | None) -> None:
    from gitorch.cli.views import history

    forward, back = services.undo.undo_entries(session.workspace, None if most is None else most + 1)
    cut = most is not None and len(back) > most
    if most is not None:
        forward, back = forward[:most], back[:most]
    operations, undone = ([_listed(entry) for entry in entries] for entries in (back, forward))
    answer = schema.undo.UndoListAnswer(operations=operations, undone=undone, more=cut)
    session.answer(history.operations(forward, back, datetime.now().astimezone()), answer)
    if cut:
        session.say("there is more: orchestrate undo --list --all")


def _listed(entry: UndoEntry) -> PastOperationJson:
    from gitorch.cli.views import history

    return schema.undo.PastOperationJson.of(entry.operation, history.reason(entry), possible=entry.why_not is None)
