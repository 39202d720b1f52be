"""`plan discuss`, `take`, `leave`, `edit`: changes that come out of an exchange with a model or an editor."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.commands.plan_edits import PLAN, tell
from gitorch.cli.session import Session, pass_session
from gitorch.errors import AnswerNeeded, GitorchError, InvalidInput

if TYPE_CHECKING:
    from gitorch.model.plan import Difference, PlanSession
    from gitorch.services.planner import PlannerChoice


@click.command("edit")
@click.argument("plan", type=PLAN)
@click.option("-F", "--file", "file", metavar="FILE", help="Read TOML from FILE instead of an editor (- is stdin).")
@pass_session
def edit_command(session: Session, plan: str, file: str | None) -> None:
    """Edit a plan as TOML in your editor.

    If the text is not a valid plan, it is kept: the next `plan edit` starts with it.
    """
    workspace = session.workspace
    found = services.plan_approval.find_plan(workspace, plan)
    kept = services.plan_approval.plan_store(workspace).draft_file(found)
    text = _read(session, file) if file else _edited(session, found)
    if text is None:
        waits = f"; the text that was not a valid plan still waits in {kept}" if kept.exists() else ""
        session.answer(f"nothing was changed{waits}", schema.plan.PlanAnswer.of(found))
        return
    if not text.strip():
        kept.unlink(missing_ok=True)
        session.answer("nothing was changed", schema.plan.PlanAnswer.of(found))
        return
    changed = _of_toml(session, found, text, keep=not file)
    kept.unlink(missing_ok=True)
    tell(session, changed, "edited")


def _of_toml(session: Session, found: PlanSession, text: str, *, keep: bool) -> PlanSession:
    from gitorch import config
    from gitorch.storage.atomic import replace

    workspace = session.workspace
    try:
        plan = services.plan.read_edited(workspace, config.parse(text, "the edited plan").settings, found)
        return services.plan.change_plan(workspace, found, plan, "edited")
    except GitorchError as error:
        if not keep:
            raise
        replace(services.plan_approval.plan_store(workspace).draft_file(found), text.encode("utf-8", "surrogateescape"))
        again = f"orchestrate plan edit {found.id}   your text is kept; empty it to drop it"
        raise type(error)(error.code, error.what, why=error.why, fix=(again,)) from error


def _read(session: Session, file: str) -> str:
    from gitorch import config

    try:
        content = sys.stdin.buffer.read() if file == "-" else (session.start / file).read_bytes()
    except OSError as error:
        raise InvalidInput("no-file", f"{file} cannot be read", why=str(error)) from error
    return config.decode(content, file)


def _edited(session: Session, found: PlanSession) -> str | None:
    """Return what the user makes of a plan's TOML; None when they leave it as it is."""
    from gitorch.cli.views import plan_formats

    if not session.interactive and not {"VISUAL", "EDITOR"}.intersection(os.environ):
        fix = f"orchestrate plan edit {found.id} -F FILE"
        raise AnswerNeeded("answer-needed", "there is nobody to edit the plan", fix=(fix,))
    kept = services.plan_approval.plan_store(session.workspace).draft_file(found)
    text = kept.read_text("utf-8", "surrogateescape") if kept.exists() else plan_formats.toml(found.plan)
    edited = click.edit(text, extension=".toml")
    return None if edited == text else edited


@click.command("discuss")
@click.argument("plan", type=PLAN)
@click.argument("text", nargs=-1, required=True)
@click.option("-a", "--agent", default="", help="Model to use: claude, codex, api.")
@click.option("-y", "--yes", is_flag=True, help="Accept the proposal without asking.")
@pass_session
def discuss_command(session: Session, plan: str, text: Sequence[str], agent: str, yes: bool) -> None:
    """Discuss a plan with the model, and accept or discard what it proposes.

    Without a terminal, the proposal is saved: `plan take PLAN` accepts it.
    """
    from gitorch.model.plan import difference

    workspace = session.workspace
    found = services.plan_approval.find_plan(workspace, plan)
    own = found.agent if found.agent in workspace.config.agents else ""
    chosen = services.planner.choose_model(workspace, agent or own)
    tell_asking(session, chosen)
    answered = services.plan.discuss(workspace, found, " ".join(text), chosen)
    proposed = difference(answered.plan, answered.proposal or answered.plan)
    taken = bool(proposed) and yes
    if taken:
        answered = services.plan.accept_proposal(workspace, answered)
    _tell_answer(session, answered, proposed, taken=taken)
    if proposed and not taken:
        _decide(session, answered)


def _tell_answer(session: Session, answered: PlanSession, proposed: Difference, *, taken: bool) -> None:
    from gitorch.cli.terminal.blocks import stack
    from gitorch.cli.views import plan as plan_view

    last = answered.conversation[-1]
    content = stack([plan_view.conversation([last]), "", plan_view.difference(proposed)])
    session.answer(content, schema.plan.PlanDiscussAnswer.of(answered, proposed, taken=taken))
    tell_cost(session, answered)


def _decide(session: Session, answered: PlanSession) -> None:
    workspace = session.workspace
    if not session.interactive:
        if not session.json:
            session.say(f"not taken: there is nobody to ask\nnext: orchestrate plan take {answered.id}")
        sys.exit(AnswerNeeded.exit)
    if session.confirm("Take it?", yes=False):
        tell(session, services.plan.accept_proposal(workspace, answered), "taken")
    else:
        services.plan.drop_proposal(workspace, answered)
        session.say("left; the plan is as it was")


def tell_asking(session: Session, chosen: PlannerChoice) -> None:
    """Say who is asked; that no model is there is a warning."""
    if chosen.agent:
        session.say(f"asking {chosen.agent} ...")
    elif chosen.reason != "asked for":
        session.screen.warn(f"there is no model to ask, so the plan is made by heuristics ({chosen.reason})")


def tell_cost(session: Session, answered: PlanSession) -> None:
    """Say which model answered, and what that took."""
    from gitorch.cli.views import labels

    last = answered.conversation[-1]
    if last.usage is not None and not session.json:
        dollars = f", {labels.dollars(last.usage.usd)}" if last.usage.usd is not None else ""
        session.say(f"{last.model}: {labels.tokens(last.usage)}{dollars}")


@click.command("take")
@click.argument("plan", type=PLAN)
@pass_session
def take_command(session: Session, plan: str) -> None:
    """Accept the last proposal."""
    workspace = session.workspace
    tell(session, services.plan.accept_proposal(workspace, services.plan_approval.find_plan(workspace, plan)), "taken")


@click.command("leave")
@click.argument("plan", type=PLAN)
@pass_session
def leave_command(session: Session, plan: str) -> None:
    """Discard the last proposal."""
    workspace = session.workspace
    tell(
        session,
        services.plan.drop_proposal(workspace, services.plan_approval.find_plan(workspace, plan)),
        "left; the plan is as it was",
    )


ANSWERS = (discuss_command, take_command, leave_command, edit_command)
