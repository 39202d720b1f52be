"""Read, change and check the configuration files; comments and order of a changed file stay as they are."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from gitorch import config as configuration
from gitorch.config import FILE, PERSONAL, Config, LoadedConfig
from gitorch.errors import InvalidInput, Refused, did_you_mean
from gitorch.git.protected import file_state
from gitorch.git.repository import Repository
from gitorch.model.credentials.redaction import redacted
from gitorch.model.credentials.secret_values import secret_values
from gitorch.services import people_only
from gitorch.services.lookup import require_configured_agents
from gitorch.storage import atomic, own_changes

HIDDEN = "[hidden]"
"""What is shown in place of a credential."""


class ConfigFile(StrEnum):
    """A configuration file that a person edits."""

    REPOSITORY = "repository"
    PERSONAL = "personal"
    USER = "user"


def path_of(repository: Repository, file: ConfigFile) -> Path:
    """Return where a configuration file is, or would be; raise `Refused` in a bare repository without a worktree."""
    if file is ConfigFile.USER:
        return configuration.user_file()
    checkout = repository.checkout
    if checkout is None:
        raise Refused(
            "bare",
            "this bare repository has no worktree with a configuration file",
            fix=("orchestrate config set --user ...",),
        )
    return checkout / (FILE if file is ConfigFile.REPOSITORY else PERSONAL)


def flat(config: Config) -> dict[str, Any]:
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


def shown(config: Config) -> dict[str, Any]:
    """Return settings by their dotted names, for a person: credentials are hidden."""
    values = flat(config)
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    safe = {name: _redacted(value) for name, value in values.items()}
    return {**safe, **dict.fromkeys(secret_values(texts), HIDDEN)}


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    return [_redacted(item) for item in value] if isinstance(value, (list, tuple)) else value


def value_of(config: Config, name: str) -> Any:
    """Return the value of a setting, or a whole table; raise `InvalidInput` for an unknown name."""
    value: Any = msgspec.to_builtins(config)
    for key in name.split("."):
        if not isinstance(value, dict) or key not in value:
            hint = did_you_mean(name, [*flat(config), *_tables(config)], lead="; ")
            raise InvalidInput("no-such-key", f"there is no setting {name}{hint}", fix=("orchestrate config show",))
        value = value[key]
    return value


def check(repository: Repository, file: ConfigFile, text: str) -> LoadedConfig:
    """Return what the files give with another text for one of them; raise `InvalidInput` if that would not be valid."""
    texts = {other: text if other is file else read(repository, other) for other in _files(repository)}
    return configuration.combine(
        [configuration.parse(content, path_of(repository, other).name) for other, content in texts.items() if content]
    )


def check_alone(path: Path) -> LoadedConfig:
    """Return the configuration that a file gives by itself; raise `InvalidInput` if it is not valid."""
    try:
        text = configuration.decode(path.read_bytes(), path.name)
    except OSError as error:
        raise InvalidInput("unreadable", f"{path} cannot be read", why=error.strerror or "") from error
    return configuration.combine([configuration.parse(text, path.name)])


def read(repository: Repository, file: ConfigFile) -> str:
    """Return the text of a configuration file; empty if there is none."""
    path = path_of(repository, file)
    return configuration.decode(atomic.read_or_empty(path), path.name)


def with_value(text: str, name: str, value: Any) -> str:
    """Return the text of a file with one setting changed or added. Comments, order and spaces stay."""
    import tomlkit.exceptions  # 60 ms, for the one command that changes a file

    try:
        document = tomlkit.parse(text)
        table: Any = document
        *tables, key = name.split(".")
        for part in tables:
            if part not in table:
                table[part] = tomlkit.table()
            table = table[part]
            if not isinstance(table, Mapping):
                raise InvalidInput("config-assignment", f"{name}: {part} is not a table")
        table[key] = value
        return tomlkit.dumps(document)
    except tomlkit.exceptions.TOMLKitError as error:
        raise InvalidInput("toml-syntax", f"the file cannot be changed: {error}") from error


def set_value(repository: Repository, file: ConfigFile, name: str, text: str) -> Path:
    """Set one setting in a file, if the configuration stays valid; return the path of the file."""
    if not all(name.split(".")):
        raise InvalidInput("no-such-key", f"{name!r} is not the name of a setting", fix=("orchestrate config show",))
    changed = with_value(read(repository, file), name, configuration.literal(text, name))
    return write(repository, file, changed)


def write(repository: Repository, file: ConfigFile, text: str) -> Path:
    """Replace a configuration file, if the configuration is valid with it; return its path."""
    require_configured_agents(check(repository, file, text))
    path = path_of(repository, file)
    if file is not ConfigFile.USER and path.is_symlink():
        raise Refused("link", f"{path} is a symbolic link", why="a repository could point it at any of your files")
    target = path.resolve()  # people keep their own file in a repository of dotfiles
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    before = file_state.quick_digest(path)
    atomic.replace(target, text.encode(), mode=mode)
    if file is ConfigFile.USER and not people_only.inside_agent():  # a run watches it: this was no agent
        states = (before, file_state.quick_digest(path))
        own_changes.record(repository.common_dir / "gitorch", {file_state.printable(str(path)): states})
    return path


def keep_draft(repository: Repository, text: str) -> Path:
    """Save a text that is not valid, so that a person's work is not lost; return where it is."""
    folder = repository.common_dir / "gitorch"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config-draft.toml"
    atomic.replace(path, text.encode())
    return path


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a configuration file, for editors."""
    (reference,), definitions = msgspec.json.schema_components([Config], ref_template="#/$defs/{name}")
    definitions["AgentSettings"]["required"] = []  # the built-in agents have their kind
    for definition in definitions.values():
        # msgspec before 0.23 and Python before 3.13 keep the indentation of docstrings
        definition["description"] = inspect.cleandoc(definition["description"])
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "gitorch/orchestrate.toml/1",
        "title": FILE,
    }
    return {**head, **reference, "$defs": definitions}


def _tables(config: Config) -> list[str]:
    names = {name.rpartition(".")[0] for name in flat(config)}
    return sorted(name for name in names if name)


def _files(repository: Repository) -> Sequence[ConfigFile]:
    """Return the files that can exist, in the order of their rank."""
    own = (ConfigFile.REPOSITORY, ConfigFile.PERSONAL) if repository.checkout is not None else ()
    return (ConfigFile.USER, *own)
