"""`roles`."""

from __future__ import annotations

import click

from gitorch.cli import schema, views
from gitorch.cli.choices import ROLE
from gitorch.cli.session import Session, pass_session, print_help
from gitorch.errors import NotFound, did_you_mean


@click.group("roles", invoke_without_command=True)
@click.pass_context
def roles_command(ctx: click.Context) -> None:
    """Show the roles of this repository: instructions for specialists."""
    if ctx.invoked_subcommand is None:
        print_help(ctx)


@roles_command.command("list")
@pass_session
def list_roles(session: Session) -> None:
    """List all roles, and where each is defined."""
    roles = list(session.workspace.roles.values())
    answer = schema.start.RolesAnswer(roles=[schema.start.RoleJson.of(role) for role in roles])
    session.answer(None if session.json else views.planning.roles.roles(roles), answer)


@roles_command.command("show")
@click.argument("name", type=ROLE, metavar="NAME")
@pass_session
def show_role(session: Session, name: str) -> None:
    """Show one role: its instructions, and what selects it."""
    roles = session.workspace.roles
    if name not in roles:
        hint = did_you_mean(name, roles, lead="; ")
        raise NotFound("no-such-role", f"there is no role {name}{hint}", fix=("orchestrate roles list",))
    answer = schema.start.RoleAnswer(role=schema.start.RoleJson.of(roles[name]), instructions=roles[name].instructions)
    session.answer(None if session.json else views.planning.roles.role(roles[name]), answer)
