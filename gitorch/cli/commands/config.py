"""`config`."""

from __future__ import annotations

import json
from pathlib import Path

import click
import msgspec

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import SETTING
from gitorch.cli.commands.text_editor import edit_text, require_editor
from gitorch.cli.session import Session, pass_session, print_help
from gitorch.cli.terminal.sanitize import safe, safe_block
from gitorch.config import FILE, PERSONAL, LoadedConfig
from gitorch.errors import InvalidInput
from gitorch.git.repository import Repository
from gitorch.services.settings import ConfigFile
from gitorch.storage import trust

_BUILT_IN = "built-in"

_personal = click.option("--personal", is_flag=True, help=f"Use {PERSONAL}, which is not committed.")
_user = click.option("--user", is_flag=True, help="Use your own configuration file, for all repositories.")


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
    """Print all settings in force. Credentials are hidden; `config get` prints them."""
    session.check_configuration()
    loaded = session.workspace.loaded
    values = services.settings.shown(loaded.config)
    origins = {name: loaded.origins.get(name, _BUILT_IN) for name in values}
    width = max(map(len, origins.values()))
    lines = [
        (f"{safe(origins[name]):<{width}}  " if origin else "") + f"{safe(name)} = {json.dumps(value)}"
        for name, value in values.items()
    ]
    session.answer("\n".join(lines), schema.maintenance.ConfigShowAnswer(values=values, origins=origins))


@config_command.command("get")
@click.argument("name", type=SETTING, metavar="NAME")
@pass_session
def get_config(session: Session, name: str) -> None:
    """Print one setting, or a table of settings."""
    session.check_configuration()
    value = services.settings.value_of(session.workspace.config, name)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    session.answer(safe_block(text), schema.maintenance.ConfigGetAnswer(name=name, value=value))


@config_command.command("set")
@click.argument("name", type=SETTING, metavar="NAME")
@click.argument("value")
@_personal
@_user
@pass_session
def set_config(session: Session, name: str, value: str, personal: bool, user: bool) -> None:
    """Change one setting in .orchestrate.toml.

    Comments and order of the file stay. VALUE is TOML, or text without quotes: `true`, `3`, `90m`, `["a", "b"]`.
    Nothing is written if the configuration would not be valid.
    """
    services.people_only.require_person("change the configuration")
    workspace = session.workspace
    path = services.settings.set_value(workspace.repository, _file(personal, user), name, value)
    changed = services.open.load_config(workspace.repository, session.assignments, workspace.environment)
    in_force = services.settings.value_of(changed.config, name)
    session.answer(
        f"set {name} in {path}", schema.maintenance.ConfigSetAnswer(name=name, value=in_force, path=str(path))
    )
    origin = changed.origins.get(name, path.name)
    if origin != path.name:
        session.screen.warn(f"{name} is still {json.dumps(in_force)}: {origin} overrides the file")
    session.check_configuration()
    _say_trust(session, changed)


@config_command.command("edit")
@_personal
@_user
@pass_session
def edit_config(session: Session, personal: bool, user: bool) -> None:
    """Open .orchestrate.toml in your editor, and check it before it is written."""
    services.people_only.require_person("change the configuration")
    # not the workspace: a file that is not valid is what most needs an editor
    repository, file = Repository.discover(session.start), _file(personal, user)
    before = services.settings.read(repository, file)
    text = before
    require_editor(session, "edit the configuration", "orchestrate config set KEY VALUE")
    while True:
        edited = edit_text(session, text, extension=".toml")
        if edited is None or edited == before:
            session.answer("nothing changed", schema.maintenance.ConfigEditAnswer(path=None))
            return
        try:
            path = services.settings.write(repository, file, edited)
        except InvalidInput as error:
            session.fail(error)
            if not session.interactive or not session.confirm("Edit it again?", yes=False):
                draft = services.settings.keep_draft(repository, edited)
                raise InvalidInput("config-invalid", "nothing was written", why=f"your text is in {draft}") from error
            text = edited
            continue
        break
    session.answer(f"wrote {path}", schema.maintenance.ConfigEditAnswer(path=str(path)))
    _say_trust(session, session.workspace.loaded)


@config_command.command("validate")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@pass_session
def validate_config(session: Session, file: Path | None) -> None:
    """Check the configuration in force, or one FILE by itself.

    Exits with 2 if it is not valid.
    """
    if file:
        loaded = services.settings.check_alone(session.start / file)
    else:
        session.check_configuration()
        loaded = session.workspace.loaded
        services.lookup.require_configured_agents(loaded)
    origins = [str(file)] if file else [layer.origin for layer in loaded.layers if layer.settings]
    text = f"valid: {', '.join(origins)}" if origins else "valid: only built-in settings are in force"
    session.answer(text, schema.maintenance.ConfigValidateAnswer(origins=origins))


@config_command.command("schema")
@pass_session
def schema_config(session: Session) -> None:
    """Print the JSON Schema of .orchestrate.toml, for editors."""
    document = services.settings.schema()
    text = json.dumps(document, indent=2, ensure_ascii=False)
    session.answer(text, schema.maintenance.ConfigSchemaAnswer(document=document))


@config_command.command("trust")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def trust_config(session: Session, yes: bool) -> None:
    """Show the commands in this repository's configuration, and allow them to run.

    You are asked again when one of these commands changes. Checks come from the commit that a task starts on: where its
    file differs from yours, they are shown too.
    """
    services.people_only.require_person("trust commands")
    workspace = session.workspace
    commands = trust.commands(workspace.loaded.layers)
    common = workspace.repository.common_dir
    untrusted = services.configured_checks.untrusted_checks(workspace)
    # trusting the files includes their checks
    base_checks = {str(commit): checks for commit, checks in untrusted.items() if checks != commands.get("checks")}
    answer = schema.maintenance.ConfigTrustAnswer(commands=commands, base_checks=base_checks)
    is_trusted = trust.is_trusted(common, commands)
    if is_trusted and not base_checks:
        session.answer("already trusted" if commands else "there are no commands to trust", answer)
        return
    if not is_trusted:
        before = trust.agreed_before(common)
        files = " and ".join(trust.files(workspace.loaded.layers))
        changed = "" if before is None else ", with what changed since you trusted them"
        session.say(f"commands in {files or FILE}{changed}:")
        session.say(views.trust.commands(commands, before))
    for commit, checks in base_checks.items():
        session.say(f"checks in {FILE} of commit {commit[:12]}, which tasks start on:")
        session.say(views.trust.commands({"checks": checks}))
    agreed = session.confirm("Allow these commands to run in this repository?", yes=yes)
    if agreed:
        trust.agree(common, commands, *({"checks": checks} for checks in base_checks.values()))
    answer = msgspec.structs.replace(answer, digest=trust.digest(commands), agreed=agreed)
    text = "trusted; you will be asked again if these commands change" if agreed else "not trusted"
    session.answer(text, answer)


def _file(personal: bool, user: bool) -> ConfigFile:
    if personal and user:
        raise click.UsageError("--personal and --user exclude each other")
    return ConfigFile.USER if user else ConfigFile.PERSONAL if personal else ConfigFile.REPOSITORY


def _say_trust(session: Session, loaded: LoadedConfig) -> None:
    commands = trust.commands(loaded.layers)
    if not trust.is_trusted(session.workspace.repository.common_dir, commands):
        session.say("next: orchestrate config trust")
