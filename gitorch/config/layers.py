"""Sources of settings: files, the environment and the command line, each read as a layer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import tomli

from gitorch import regular_files
from gitorch.config.settings import Config, Section
from gitorch.errors import InvalidInput, did_you_mean

FILE = ".orchestrate.toml"
PERSONAL = ".orchestrate.local.toml"


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """Settings from one place: a file, the environment, or the command line.

    `variables` are the names of environment variables by setting.
    """

    origin: str
    settings: dict[str, Any]
    text: str = ""
    variables: dict[str, str] = {}


def parse(text: str, origin: str) -> Layer:
    """Read TOML text as a layer, or raise `InvalidInput` that points at the line and column."""
    try:
        return Layer(origin=origin, settings=tomli.loads(text), text=text)
    except tomli.TOMLDecodeError as error:
        line = [*text.split("\n"), ""][error.lineno - 1]
        raise InvalidInput(
            "toml-syntax",
            f"{origin}:{error.lineno}:{error.colno}  {error.msg}",
            why=f"{error.lineno} | {line.strip()}",
        ) from error


def parse_file(path: Path) -> Layer | None:
    """Read a configuration file as a layer; None when there is none."""
    try:
        raw = regular_files.read(path)
    except FileNotFoundError:
        return None
    return parse(decode(raw, path.name), path.name)


def decode(raw: bytes, origin: str) -> str:
    """Return UTF-8 bytes as text, or raise `InvalidInput` that names the file."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("not-utf8", f"{origin} is not UTF-8 text", why=str(error)) from error


def from_environment(environment: Mapping[str, str]) -> Layer:
    """Read `GITORCH_*` (`GITORCH_RUN_MAX_AGENTS=5`) and the older `USE_API_MODE` and `MAX_AGENTS`.

    Inside an agent, `GITORCH_*` describes its task and is not read as configuration.
    """
    settings: dict[str, Any] = {}
    variables: dict[str, str] = {}
    if environment.get("USE_API_MODE", "").lower() in ("1", "true", "yes"):
        settings["agent"], variables["agent"] = "api", "USE_API_MODE"
    if environment.get("MAX_AGENTS", "").isdigit():
        _store(settings, "run.max_agents", int(environment["MAX_AGENTS"]))
        variables["run.max_agents"] = "MAX_AGENTS"
    if "GITORCH_TASK" not in environment:
        names = {"GITORCH_" + name.upper().replace(".", "_"): name for name in _scalar_names()}
        _refuse_near_misses(environment, names)
        for variable, name in names.items():
            if variable in environment:
                _store(settings, name, literal(environment[variable], name))
                variables[name] = variable
    return Layer(origin="the environment", settings=settings, variables=variables)


def _refuse_near_misses(environment: Mapping[str, str], names: Mapping[str, str]) -> None:
    """Raise `InvalidInput` for a variable that begins like those of a table of settings, and is none of them."""
    tables = {name.partition(".")[0] for name in names.values() if "." in name}
    prefixes = tuple(f"GITORCH_{table.upper()}_" for table in tables)
    for variable in environment:
        if variable.startswith(prefixes) and variable not in names:
            hint = did_you_mean(variable, names, lead="; ")
            raise InvalidInput("config-invalid", f"there is no variable {variable}{hint}", fix=(f"unset {variable}",))


def from_assignments(assignments: Sequence[str]) -> Layer:
    """Read `-c key=value` arguments; a value that is not TOML is text."""
    settings: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise InvalidInput("config-assignment", f"-c {assignment}: must be KEY=VALUE")
        _store(settings, name.strip(), literal(value, name.strip()))
    return Layer(origin="-c", settings=settings)


def user_file() -> Path:
    """Return the user's configuration file, in the platform's configuration folder."""
    return user_folder() / "config.toml"


def user_folder() -> Path:
    """Return the folder for the user's files that belong to no repository."""
    if home := os.environ.get("XDG_CONFIG_HOME"):
        return Path(home) / "gitorch"
    # platformdirs takes 40 ms to import, and Linux does not need it
    if os.name == "posix" and os.uname().sysname == "Linux":
        return Path.home() / ".config" / "gitorch"
    import platformdirs

    return Path(platformdirs.user_config_dir("gitorch", appauthor=False))


def _scalar_names() -> Iterator[str]:
    for name, kind in get_type_hints(Config).items():
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from (f"{name}.{key}" for key in kind.__struct_fields__)
        elif name not in ("agents", "roles", "checks"):
            yield name


def _store(settings: dict[str, Any], name: str, value: Any) -> None:
    *tables, key = name.split(".")
    for table in tables:
        settings = settings.setdefault(table, {})
        if not isinstance(settings, dict):
            raise InvalidInput("config-assignment", f"-c {name}: {table} is not a table")
    settings[key] = value


def literal(text: str, name: str) -> Any:
    """Return the value of a setting given without quotes: TOML, or text if it is not TOML or the setting is text."""
    try:
        value = tomli.loads(f"value = {text}")["value"]
    except tomli.TOMLDecodeError:
        return text
    return text if _is_text(name) and not isinstance(value, str) else value


def _is_text(name: str) -> bool:
    kind: Any = Config
    for part in name.split("."):
        if isinstance(kind, type) and issubclass(kind, Section):
            kind = get_type_hints(kind).get(part)
        else:
            kind = get_args(kind)[1] if get_origin(kind) is dict else None
    return kind is str
