"""`report`."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import not_empty
from gitorch.cli.session import FILE_NAME, Session, pass_session
from gitorch.errors import GitorchError, InvalidInput, Refused


@click.command("report")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown", "html"]),
    default="text",
    help="The form of the report (default: text).",
)
@click.option(
    "-o",
    "--output",
    default="",
    type=FILE_NAME,
    callback=not_empty,
    help="Write to FILE (html: default in gitorch/reports/).",
)
@pass_session
def report_command(session: Session, form: str, output: str) -> None:
    """Report the night: what needs you, what went well and wrong, and what to do next.

    The HTML page holds everything about each task, in one file that loads nothing. `run` writes one when it ends. Exits
    with 6 if nothing was done.
    """
    session.json = session.json or form == "json"
    session.check_forecast()
    report = services.report.make_report(session.workspace, for_page=form == "html")
    now = datetime.now().astimezone()
    if form == "html":
        page = views.reporting.report_page.page(report, now)
        path = _write(output, page) if output else services.report.save_report(session.workspace, report, page)
        session.answer(str(path), schema.report.ReportAnswer.of(report, path))
    elif session.json:
        session.answer("", schema.report.ReportAnswer.of(report, None))
    elif form == "markdown":
        text = views.reporting.report_text.markdown(report, now)
        session.answer(str(_write(output, text)) if output else text)
    elif output:
        raise InvalidInput("output", "the text goes to stdout", fix=("pass --format markdown or html",))
    else:
        session.answer(views.reporting.report_text.text(report, now=now))
    if views.reporting.report_words.is_bad(report):
        sys.exit(6)


def write_page(session: Session) -> None:
    """Write the page of a run that ended, and print its path; a report that fails must not fail the run."""
    try:
        report = services.report.make_report(session.workspace, for_page=True)
        page = views.reporting.report_page.page(report, datetime.now().astimezone())
        path = services.report.save_report(session.workspace, report, page)
    except (GitorchError, OSError, ImportError) as error:
        session.screen.warn(f"the report could not be written: {error}")
    else:
        session.say(f"report: {path}")


def _write(output: str, text: str) -> Path:
    path = Path(output)
    try:
        path.write_text(text, "utf-8", "backslashreplace")
    except OSError as error:
        raise Refused("not-written", f"{output} cannot be written", why=error.strerror or "") from error
    return path
