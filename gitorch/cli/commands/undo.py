"""`undo`, `redo`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.session import UNDO_HINT, Session, pass_session
from gitorch.cli.terminal.sanitize import safe

if TYPE_CHECKING:
    from gitorch.cli.schema.undo import PastOperationJson, RedoAnswer, UndoAnswer
    from gitorch.flow.undo import UndoEntry
    from gitorch.services.undo import UndoResult

_LIMIT = 20


@click.command("undo")
@click.option("--list", "listing", is_flag=True, help="List what can be undone, without undoing it.")
@click.option("--all", "list_all", is_flag=True, help=f"With --list: everything, not the last {_LIMIT} operations.")
@pass_session
def undo_command(session: Session, listing: bool, list_all: bool) -> None:
    """Undo the last operation: refs, notes and tasks as they were before it.

    Run it again to undo the operation before. Refuses, and moves nothing, if the state cannot be restored exactly. Work
    that agents did during a run is not undone, and neither is anything older on the same task.
    """
    if list_all and not listing:
        raise click.UsageError("--all requires --list")
    if listing:
        _list(session, None if list_all else _LIMIT)
        return
    result = services.undo.undo(session.workspace)
    _print(session, "undone", result, schema.undo.UndoAnswer)
    session.say("to redo: orchestrate redo")
    if result.plan:
        session.say(f"change the plan: orchestrate plan continue {result.plan.id}")


@click.command("redo")
@pass_session
def redo_command(session: Session) -> None:
    """Redo what the last undo took back. Not possible after a new operation."""
    _print(session, "redone", services.undo.redo(session.workspace), schema.undo.RedoAnswer)
    session.say(UNDO_HINT)


def _print(session: Session, verb: str, result: UndoResult, answer: type[UndoAnswer | RedoAnswer]) -> None:
    session.refresh()
    operation = result.operation
    tasks = session.workspace.tasks
    changed = [change.task for change in operation.changes]
    lines = [f"{verb}: {safe(operation.summary)}"]
    lines += [f"{name}  {tasks[name].state if name in tasks else 'removed'}" for name in changed]
    if result.plan:
        lines.append(f"plan {result.plan.id}  {'approved' if result.plan.is_approved else 'not approved'}")
    session.answer("\n".join(lines), answer.of(result, tasks))
    if not session.json:
        for message in result.missing:
            session.screen.warn(message)


def _list(session: Session, limit: int | None) -> None:
    forward, back = services.undo.undo_entries(session.workspace, None if limit is None else limit + 1)
    has_more = limit is not None and len(back) > limit
    if limit is not None:
        forward, back = forward[:limit], back[:limit]
    operations, undone = ([_listed(entry) for entry in entries] for entries in (back, forward))
    answer = schema.undo.UndoListAnswer(operations=operations, undone=undone, has_more=has_more)
    session.answer(views.history.operations(forward, back, datetime.now().astimezone()), answer)
    if has_more:
        session.say("for older operations: orchestrate undo --list --all")


def _listed(entry: UndoEntry) -> PastOperationJson:
    return schema.undo.PastOperationJson.of(
        entry.operation, views.history.reason(entry), possible=entry.why_not is None
    )
