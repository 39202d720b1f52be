"""`mcp`."""

from __future__ import annotations

import importlib

import click

from gitorch import services
from gitorch.cli.session import Session, pass_session
from gitorch.errors import SetupNeeded
from gitorch.extras import install_command


@click.command("mcp")
@click.option("--allow-run", is_flag=True, help="Also offer `run` and `kill`: a client may then spend money.")
@pass_session
def mcp_command(session: Session, allow_run: bool) -> None:
    """Serve this repository to a program over MCP, on standard input and output.

    Offers status, task, submit, plan, diff, log, comment and report. It never offers to approve, merge or undo: these
    are for people. Needs the extra `mcp`: without it, the command says how to install it.

    \b
    claude mcp add gitorch -- orchestrate mcp
    """
    services.people_only.require_person("serve MCP")
    session.workspace  # noqa: B018  outside of a repository it fails now, and not at the first call
    try:
        server = importlib.import_module("gitorch.cli.commands.mcp_tools")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "mcp":
            raise
        fix = (install_command("mcp"),)
        raise SetupNeeded("mcp-missing", "the MCP SDK is not installed", why="it is an extra", fix=fix) from error
    server.serve(session.start, session.assignments, allow_run=allow_run)
