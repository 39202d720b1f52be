"""`cleanup`, `config`, `completion`."""

from __future__ import annotations

import json
from typing import Any

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import WAY_BACK, Session, pass_session, print_help
from gitorch.errors import InvalidInput, did_you_mean


@click.command("cleanup")
@click.option("-n", "--dry-run", is_flag=True, help="List what would go.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def cleanup_command(session: Session, dry_run: bool, yes: bool) -> None:
    """Remove worktrees and branches of merged and rejected tasks, and the tasks from the file.

    Uncommitted files are saved under refs/gitorch/rescue/ first, and each branch's commits stay reachable under
    refs/gitorch/trash/.
    """
    from gitorch.storage import trust

    if not dry_run:
        trust.require_person("clean up")
    workspace = session.workspace
    found = services.maintenance.removable(workspace)
    answer = schema.maintenance.CleanupAnswer(tasks=[task.id for task in found], dry_run=dry_run)
    listing = "\n".join(f"{task.id}  {task.state}  {task.worktree}" for task in found)
    if dry_run or not found:
        session.answer(listing or "nothing to clean up", answer)
        return
    if not yes:
        session.say(listing)
    if not session.confirm(f"Remove {len(found)} worktrees and branches?", yes=yes):
        session.answer("nothing was removed", schema.maintenance.CleanupAnswer(tasks=[], dry_run=dry_run))
        return
    for task in services.maintenance.cleanup(workspace, found):
        session.say(f"removed {task.id}")
    session.answer(f"{len(found)} tasks removed", answer)
    session.say(WAY_BACK)


@click.group("config", invoke_without_command=True)
@click.pass_context
def config_command(ctx: click.Context) -> None:
    """Show the configuration, and agree to the commands that a repository's own file would run."""
    if ctx.invoked_subcommand is None:
        print_help(ctx)


@config_command.command("show")
@click.option("--origin", is_flag=True, help="Where each value comes from.")
@pass_session
def show_config(session: Session, origin: bool) -> None:
    """Print all settings in force."""
    loaded = session.workspace.loaded
    values = _flat(loaded.config)
    width = max(len(loaded.origins.get(name, "built-in")) for name in values)
    lines = [
        (f"{loaded.origins.get(name, 'built-in'):<{width}}  " if origin else "") + f"{name} = {json.dumps(value)}"
        for name, value in values.items()
    ]
    origins = {name: loaded.origins.get(name, "built-in") for name in values}
    session.answer("\n".join(lines), schema.maintenance.ConfigShowAnswer(values=values, origins=origins))


@config_command.command("get")
@click.argument("name")
@pass_session
def read_config(session: Session, name: str) -> None:
    """Print one setting."""
    values = _flat(session.workspace.config)
    if name not in values:
        hint = did_you_mean(name, values, lead="; ")
        raise InvalidInput("no-such-key", f"there is no setting {name}{hint}", fix=("orchestrate config show",))
    value = values[name]
    text = value if isinstance(value, str) else json.dumps(value)
    session.answer(text, schema.maintenance.ConfigGetAnswer(name=name, value=value))


@config_command.command("trust")
@click.option("-y", "--yes", is_flag=True, help="Agree without being asked.")
@pass_session
def trust_config(session: Session, yes: bool) -> None:
    """Show the commands that this repository's files would run on your machine, and agree to them."""
    from gitorch.cli.terminal.sanitize import safe_block
    from gitorch.storage import trust

    trust.require_person("agree to commands")
    workspace = session.workspace
    found = trust.commands(workspace.loaded.layers)
    common = workspace.repository.common_dir
    if trust.is_trusted(common, found):
        text = "nothing to agree to" if not found else "agreed to already"
        session.answer(text, schema.maintenance.ConfigTrustAnswer(commands=found))
        return
    session.say(safe_block(json.dumps(found, indent=2, ensure_ascii=False)))
    agreed = session.confirm("Run these commands in this repository from now on?", yes=yes)
    if agreed:
        trust.agree(common, found)
    answer = schema.maintenance.ConfigTrustAnswer(commands=found, digest=trust.digest(found), agreed=agreed)
    session.answer("agreed; a change of these commands asks again" if agreed else "not agreed", answer)


def _flat(value: Any) -> dict[str, Any]:
    """Return settings by their dotted names."""
    import msgspec

    found: dict[str, Any] = {}

    def walk(at: str, one: Any) -> None:
        if isinstance(one, dict) and one:
            for key, below in one.items():
                walk(f"{at}.{key}" if at else key, below)
        else:
            found[at] = one

    walk("", msgspec.to_builtins(value))
    return found


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
@pass_session
def completion_command(session: Session, context: click.Context, shell: str) -> None:
    """Print the completion script of a shell: orchestrate completion bash >> ~/.bashrc"""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(context.find_root().command, {}, "orchestrate", "_ORCHESTRATE_COMPLETE").source()
    session.answer(script, schema.maintenance.CompletionAnswer(shell=shell, script=script))
