"""`config`."""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import Session, pass_session, print_help
from gitorch.cli.terminal.sanitize import safe_block
from gitorch.config import FILE
from gitorch.errors import InvalidInput, did_you_mean
from gitorch.storage import trust

_BUILT_IN = "built-in"


@click.group("config", invoke_without_command=True)
@click.pass_context
def config_command(ctx: click.Context) -> None:
    """Show the configuration, and trust a repository's commands."""
    if ctx.invoked_subcommand is None:
        print_help(ctx)


@config_command.command("show")
@click.option("--origin", is_flag=True, help="Show which file or option sets each value.")
@pass_session
def show_config(session: Session, origin: bool) -> None:
    """Print all settings in force."""
    loaded = session.workspace.loaded
    values = _flatten(loaded.config)
    origins = {name: loaded.origins.get(name, _BUILT_IN) for name in values}
    width = max(map(len, origins.values()))
    lines = [
        (f"{origins[name]:<{width}}  " if origin else "") + f"{name} = {json.dumps(value)}"
        for name, value in values.items()
    ]
    session.answer("\n".join(lines), schema.maintenance.ConfigShowAnswer(values=values, origins=origins))


@config_command.command("get")
@click.argument("name")
@pass_session
def get_config(session: Session, name: str) -> None:
    """Print one setting."""
    values = _flatten(session.workspace.config)
    if name not in values:
        hint = did_you_mean(name, values, lead="; ")
        raise InvalidInput("no-such-key", f"there is no setting {name}{hint}", fix=("orchestrate config show",))
    value = values[name]
    text = value if isinstance(value, str) else json.dumps(value)
    session.answer(text, schema.maintenance.ConfigGetAnswer(name=name, value=value))


@config_command.command("trust")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def trust_config(session: Session, yes: bool) -> None:
    """Show the commands in this repository's configuration, and allow them to run.

    You are asked again when one of these commands changes. Checks come from the commit that a task starts on: where its
    file differs from yours, they are shown too.
    """
    services.guard.require_person("trust commands")
    workspace = session.workspace
    commands = trust.commands(workspace.loaded.layers)
    common = workspace.repository.common_dir
    untrusted = services.checks.untrusted_checks(workspace)
    # trusting the files includes their checks
    base_checks = {str(commit): checks for commit, checks in untrusted.items() if checks != commands.get("checks")}
    answer = schema.maintenance.ConfigTrustAnswer(commands=commands, base_checks=base_checks)
    is_trusted = trust.is_trusted(common, commands)
    if is_trusted and not base_checks:
        session.answer("already trusted" if commands else "there are no commands to trust", answer)
        return
    if not is_trusted:
        session.say(safe_block(json.dumps(commands, indent=2, ensure_ascii=False)))
    for commit, checks in base_checks.items():
        session.say(f"checks in {FILE} of commit {commit[:12]}, which tasks start on:")
        session.say(safe_block(json.dumps(checks, indent=2, ensure_ascii=False)))
    agreed = session.confirm("Allow these commands to run in this repository?", yes=yes)
    if agreed:
        trust.agree(common, commands, *({"checks": checks} for checks in base_checks.values()))
    answer = msgspec.structs.replace(answer, digest=trust.digest(commands), agreed=agreed)
    text = "trusted; you will be asked again if these commands change" if agreed else "not trusted"
    session.answer(text, answer)


def _flatten(config: Any) -> dict[str, Any]:
    """Return settings by their dotted names."""
    values: dict[str, Any] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                add(f"{name}.{key}" if name else key, item)
        else:
            values[name] = value

    add("", msgspec.to_builtins(config))
    return values
