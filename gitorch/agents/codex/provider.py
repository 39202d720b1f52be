"""The model provider that codex uses, by its configuration file and the options that replace settings of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import tomli

from gitorch.agents.streams import Record, object_at, text_at
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded


def model_provider(settings: AgentSettings, environment: Mapping[str, str]) -> tuple[str, Record, Record]:
    """Return the name and the table of the model provider in use (empty for the built-in one), and all settings."""
    config = _config_file(environment)
    for override in _overrides(settings.args):
        config = _merged(config, override)
    name = text_at(config, "model_provider")
    return name, object_at(config, "model_providers", name) if name else {}, config


def _config_file(environment: Mapping[str, str]) -> Record:
    home = environment.get("CODEX_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".codex")
    path = Path(home) / "config.toml"
    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SetupNeeded(
            "agent-login", "codex cannot read its configuration", why=f"{path}: {error}", fix=(f"edit {path}",)
        ) from error


def _overrides(args: Sequence[str]) -> Iterator[Record]:
    for index, arg in enumerate(args):
        if arg in ("-c", "--config") and index + 1 < len(args):
            yield _override(args[index + 1])
        elif arg.startswith("--config="):
            yield _override(arg.removeprefix("--config="))


def _override(setting: str) -> Record:
    key, _, value = setting.partition("=")
    try:
        return tomli.loads(f"{key} = {value}")
    except tomli.TOMLDecodeError:
        # as Codex does: a value that is not TOML is a plain string
        return tomli.loads(f"{key} = {msgspec.json.encode(value).decode()}")


def _merged(config: Record, override: Record) -> Record:
    both = {key: _merged(config[key], override[key]) for key in override if _are_tables(config, override, key)}
    return {**config, **override, **both}


def _are_tables(config: Record, override: Record, key: str) -> bool:
    return isinstance(config.get(key), dict) and isinstance(override[key], dict)
