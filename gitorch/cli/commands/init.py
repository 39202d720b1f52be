"""`init`, `doctor`."""

from __future__ import annotations

import sys

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import Session, pass_session
from gitorch.config import FILE
from gitorch.errors import Refused, SetupNeeded

_MARKS = {True: "ok     ", None: "note   ", False: "FAILS  "}


@click.command("init")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option("--print", "only_print", is_flag=True, help="Print the file instead of writing it.")
@pass_session
def init_command(session: Session, force: bool, only_print: bool) -> None:
    """Write a commented .orchestrate.toml.

    Detects the checks and agents of this repository. Asks nothing.
    """
    workspace = session.workspace
    text = services.setup.config_template(
        services.setup.detect_checks(workspace), services.setup.detect_agents(workspace)
    )
    if only_print:
        session.answer(text, schema.start.InitAnswer(text=text))
        return
    if workspace.repository.checkout is None:
        raise Refused("bare", "this bare repository has no worktree to write to", fix=("orchestrate init --print",))
    path = workspace.repository.checkout / FILE
    if path.exists() and not force:
        raise Refused("exists", f"{FILE} already exists", fix=("orchestrate init --force", "orchestrate init --print"))
    path.write_text(text, "utf-8")
    session.answer(f"wrote {path}", schema.start.InitAnswer(path=str(path), text=text))
    session.say("next: orchestrate config trust")


@click.command("doctor")
@pass_session
def doctor_command(session: Session) -> None:
    """Show what works, what does not, and how to fix it."""
    findings = services.setup.check_setup(session.workspace)
    lines = [
        f"{_MARKS[item.works]} {item.description}" + (f"\n    {item.fix}" if item.fix else "") for item in findings
    ]
    rows = [schema.start.FindingJson(ok=item.works, what=item.description, fix=item.fix or None) for item in findings]
    session.answer("\n".join(lines), schema.start.DoctorAnswer(findings=rows))
    if any(item.works is False for item in findings):
        sys.exit(SetupNeeded.exit)
