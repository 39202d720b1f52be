"""`notes`."""

from __future__ import annotations

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.choices import REMOTE
from gitorch.cli.session import UNDO_HINT, Session, pass_session, print_help
from gitorch.services.notes_exchange import Exchange


@click.group("notes", invoke_without_command=True)
@click.pass_context
def notes_command(ctx: click.Context) -> None:
    """Exchange the notes on commits with a remote.

    Notes say who wrote a commit, from which prompt, what was checked and who approved it. gitorch never sends them by
    itself.
    """
    if ctx.invoked_subcommand is None:
        print_help(ctx)


@notes_command.command("push")
@click.argument("remote", type=REMOTE, default="origin")
@pass_session
def push_notes(session: Session, remote: str) -> None:
    """Send the notes to REMOTE (origin).

    Nothing is overwritten there: if it has notes that are not here, fetch them first.
    """
    services.people_only.require_person("push notes")
    exchange = services.notes_exchange.push(session.workspace, remote)
    text = f"pushed the notes to {remote}" if exchange.moved else f"{remote} has these notes already"
    session.answer(text, _answer(exchange))


@notes_command.command("fetch")
@click.argument("remote", type=REMOTE, default="origin")
@pass_session
def fetch_notes(session: Session, remote: str) -> None:
    """Fetch the notes of REMOTE (origin).

    Adds lines that are missing here, and removes none.
    """
    services.people_only.require_person("fetch notes")
    exchange = services.notes_exchange.fetch(session.workspace, remote)
    text = f"added the notes of {remote}" if exchange.moved else f"the notes of {remote} are here already"
    session.answer(text, _answer(exchange))
    if exchange.moved:
        session.say(UNDO_HINT)


def _answer(exchange: Exchange) -> schema.maintenance.NotesAnswer:
    return schema.maintenance.NotesAnswer(remote=exchange.remote, before=exchange.before, after=exchange.after)
