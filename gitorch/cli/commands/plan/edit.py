"""`plan edit`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gitorch import config, services
from gitorch.cli import schema, views
from gitorch.cli.commands.plan.names import PLAN
from gitorch.cli.commands.plan.output import print_plan
from gitorch.cli.commands.text_editor import edit_text, require_editor
from gitorch.cli.session import FILE_NAME, Session, pass_session
from gitorch.errors import GitorchError, InvalidInput
from gitorch.storage.atomic import replace

if TYPE_CHECKING:
    from gitorch.model.plan import PlanSession


@click.command("edit")
@click.argument("name", type=PLAN, metavar="PLAN")
@click.option("-F", "--file", "file", type=FILE_NAME, help="Read TOML from FILE instead of an editor (- is stdin).")
@pass_session
def edit_command(session: Session, name: str, file: str | None) -> None:
    """Edit a plan as TOML in your editor.

    If the text is not a valid plan, it is kept: the next `plan edit` starts with it.
    """
    workspace = session.workspace
    plan = services.plan_approval.find_plan(workspace, name)
    draft = services.plan_approval.plan_store(workspace).draft_file(plan)
    text = _read(session, file) if file else _edited(session, plan)
    if text is None:
        hint = f"; your text that is not a valid plan is still in {draft}" if draft.exists() else ""
        session.answer(f"nothing was changed{hint}", schema.plan.PlanAnswer.of(plan))
        return
    if not text.strip():
        draft.unlink(missing_ok=True)
        session.answer("nothing was changed", schema.plan.PlanAnswer.of(plan))
        return
    changed = _of_toml(session, plan, text, save_draft=not file)
    draft.unlink(missing_ok=True)
    print_plan(session, changed, "edited")


def _of_toml(session: Session, plan: PlanSession, text: str, *, save_draft: bool) -> PlanSession:
    workspace = session.workspace
    try:
        edited = services.plan.read_edited(workspace, config.parse(text, "the edited plan").settings, plan)
        return services.plan.change_plan(workspace, plan, edited, "edited")
    except GitorchError as error:
        if not save_draft:
            raise
        replace(services.plan_approval.plan_store(workspace).draft_file(plan), text.encode("utf-8", "surrogateescape"))
        fix = f"orchestrate plan edit {plan.id}   your text is kept; empty it to drop it"
        raise type(error)(error.code, error.what, why=error.why, fix=(fix,)) from error


def _read(session: Session, file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == "-" else (session.start / file).read_bytes()
    except OSError as error:
        raise InvalidInput("no-file", f"cannot read {file}", why=error.strerror or "") from error
    return config.decode(content, file)


def _edited(session: Session, plan: PlanSession) -> str | None:
    """Return a plan's TOML as the user has edited it; None if it is unchanged."""
    require_editor(session, "edit the plan", f"orchestrate plan edit {plan.id} -F FILE")
    draft = services.plan_approval.plan_store(session.workspace).draft_file(plan)
    text = (
        draft.read_text("utf-8", "surrogateescape") if draft.exists() else views.planning.plan_formats.toml(plan.plan)
    )
    edited = edit_text(session, text, extension=".toml")
    return None if edited == text else edited
