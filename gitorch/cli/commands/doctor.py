"""`doctor`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from gitorch import __version__, services
from gitorch.cli import schema, views
from gitorch.cli.session import Session, pass_session
from gitorch.cli.terminal.line_breaks import broken_between_words
from gitorch.cli.terminal.sanitize import safe
from gitorch.errors import SetupNeeded
from gitorch.services.doctor.repairs import DESCRIPTIONS
from gitorch.services.doctor.setup_checks import SetupFinding

_MARKS = {True: "ok     ", None: "note   ", False: "FAILS  "}


@click.command("doctor")
@click.option("--checks", is_flag=True, help="Also run the repository's checks on the base, unless a result is known.")
@click.option("--remote", is_flag=True, help="Also ask the workers: link, clock, versions, disk, agents.")
@click.option("--fix", is_flag=True, help="Repair what can be repaired safely. Names each repair and asks.")
@click.option("-y", "--yes", is_flag=True, help="With --fix: do not ask.")
@pass_session
def doctor_command(session: Session, checks: bool, remote: bool, fix: bool, yes: bool) -> None:
    """Show what works, what does not, and how to fix it."""
    services.recovery.losses.examine(session.workspace)
    findings = _findings(session, checks=checks)
    workers = [*services.doctor.setup_remote.worker_findings(session.workspace, __version__)] if remote else []
    findings += workers
    repaired = _repair(session, findings, yes=yes) if fix else []
    if repaired:
        findings = [*_findings(session, checks=False), *workers]
    text = "\n".join(map(_line, findings))
    if (width := session.screen.out.width) is not None:
        text = broken_between_words(text, width, len(_MARKS[True]) + 1)
    session.answer(text, schema.start.DoctorAnswer(findings=[*map(_json, findings)], repaired=repaired))
    if any(item.repair for item in findings) and not fix:
        session.say("to repair what can be repaired safely: orchestrate doctor --fix")
    if any(item.works is False for item in findings):
        sys.exit(SetupNeeded.exit)


def _findings(session: Session, *, checks: bool) -> list[SetupFinding]:
    def report(name: str) -> None:
        session.say(views.setup.trying(name))

    return services.doctor.setup.check_setup(session.workspace, run_checks=checks, report=report)


def _repair(session: Session, findings: Sequence[SetupFinding], *, yes: bool) -> list[str]:
    """Make each repair that a person agrees to; return their names."""
    names = dict.fromkeys(item.repair for item in findings if item.repair)
    repaired = [name for name in names if session.confirm(f"{DESCRIPTIONS[name]}?", yes=yes)]
    for name in repaired:
        services.doctor.repairs.carry_out(session.workspace, name)
        session.say(f"done: {DESCRIPTIONS[name]}")
    if not names:
        session.say("there is nothing that can be repaired safely")
    return repaired


def _line(item: SetupFinding) -> str:
    return f"{_MARKS[item.works]} {safe(item.description)}" + (f"\n    {safe(item.fix)}" if item.fix else "")


def _json(item: SetupFinding) -> schema.start.FindingJson:
    return schema.start.FindingJson(
        ok=item.works, what=item.description, fix=item.fix or None, repair=item.repair or None
    )
