"""Combine the layers into one configuration. The last layer wins; values and errors keep their origin."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, get_type_hints

import msgspec

from gitorch import typed
from gitorch.config import allowed
from gitorch.config.layers import Layer
from gitorch.config.settings import BUILT_IN_AGENTS, AgentSettings, Config, RemoteSettings, RoleSettings, Section
from gitorch.config.source_lines import find_setting
from gitorch.config.units import seconds, size
from gitorch.errors import InvalidInput, did_you_mean
from gitorch.model import globs
from gitorch.model.wall_clock import next_time

_LEAST_OUTPUT = 64_000
_LEAST_LOST_AFTER = 2.0


class LoadedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The effective configuration, the origin of each value (by dotted name), and the layers."""

    config: Config
    origins: dict[str, str]
    layers: tuple[Layer, ...]


def combine(layers: Sequence[Layer]) -> LoadedConfig:
    """Merge the layers over the built-in values, the last one wins, and check the result.

    Tables merge key by key; plain values and lists replace. Raises `InvalidInput` with every unknown
    key (similar name, file, line), or with the first value of a wrong type.
    """
    built_in = Layer(origin="built-in", settings={"agents": BUILT_IN_AGENTS})
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: list[str] = []
    for layer in (built_in, *layers):
        problems += _unknown_keys(layer)
        overlay(merged, layer.settings, origins, layer.origin)
    if problems:
        raise InvalidInput("config-invalid", "; ".join(problems), fix=("orchestrate config show",))
    return LoadedConfig(config=_checked(merged, origins, layers), origins=origins, layers=tuple(layers))


def _checked(merged: dict[str, Any], origins: Mapping[str, str], layers: Sequence[Layer]) -> Config:
    try:
        config = typed.from_object(merged, Config)
    except msgspec.ValidationError as error:
        message, _, position = str(error).partition(" - at `$.")
        path = _full_path(position.rstrip("`"), merged)
        if missing := re.fullmatch(r"Object missing required field `(\w+)`", message):
            what = allowed.required_field(f"{path}.{missing[1]}")
        else:
            what = allowed.problem(path, merged)
        raise InvalidInput("config-invalid", f"{_location(path, origins, layers)}: {what}") from error
    for name, read, text in _quantities(config):
        try:
            read(text)
        except InvalidInput as error:
            raise _refusal(name, f"{name}: {error}", origins, layers, *error.fix) from error
    for name, pattern in _globs(config):
        if reason := globs.problem(pattern):
            location = _location(name, origins, layers)
            raise InvalidInput("config-invalid", f"{location}: {name}: {pattern} is not a valid glob", why=reason)
    for name, value, is_allowed, must in _ranges(config):
        if not is_allowed:
            shown = json.dumps(value, ensure_ascii=False)
            raise _refusal(name, f"{name} = {shown} is not valid: it must {must}", origins, layers)
    agents = (problem for name, agent in config.agents.items() for problem in _agent_problems(name, agent))
    for problem in (*agents, *_remote_problems(config.remote)):
        raise _refusal(problem.setting, problem.what, origins, layers, *problem.fix, why=problem.why)
    return config


class _Problem(msgspec.Struct, frozen=True):
    """Settings that do not go together: the setting to change, what is wrong, why, and what helps."""

    setting: str
    what: str
    why: str = ""
    fix: tuple[str, ...] = ()


def _refusal(
    name: str, what: str, origins: Mapping[str, str], layers: Sequence[Layer], *fix: str, why: str = ""
) -> InvalidInput:
    return InvalidInput("config-invalid", f"{_location(name, origins, layers)}: {what}", why=why, fix=fix)


def _ranges(config: Config) -> Iterator[tuple[str, object, bool, str]]:
    """Yield values with a range: name, value, whether it is allowed, and what it must do."""
    for name in ("branch", "worktrees"):
        yield name, getattr(config, name), "{task}" in getattr(config, name), "contain {task}"
    yield "run.max_agents", config.run.max_agents, config.run.max_agents >= 1, "be 1 or more"
    yield "run.max_output", config.run.max_output, size(config.run.max_output) >= _LEAST_OUTPUT, "be 64kB or more"
    for table, key in (
        *(("merge", "parallel_checks"), ("merge", "max_checks"), ("run", "retries"), ("run", "fix_checks")),
        *(("run", "max_unreviewed"), ("run", "budget"), ("run", "token_budget"), ("sandbox", "processes")),
    ):
        value = getattr(getattr(config, table), key)
        yield f"{table}.{key}", value, value >= 0, "be 0 or more"


def _remote_problems(remote: RemoteSettings) -> Iterator[_Problem]:
    if remote.api_key and set(remote.api_key) != {"env"}:
        what = "remote.api_key must name the environment variable that holds the key"
        yield _Problem("remote.api_key", what, fix=('remote.api_key = { env = "TEMPORAL_API_KEY" }',))
    host, _, port = remote.address.rpartition(":")
    if remote.address not in ("", "env") and not (host and port.isdecimal()):
        yield _Problem("remote.address", f"remote.address: {remote.address!r} is not HOST:PORT")
    if seconds(remote.lost_after) < _LEAST_LOST_AFTER:
        yield _Problem("remote.lost_after", f"remote.lost_after must be at least 2s, not {remote.lost_after}")


def _agent_problems(name: str, agent: AgentSettings) -> Iterator[_Problem]:
    table = f"agents.{name}"
    if wrong := [code for code in agent.exit_codes if not (code.isascii() and code.isdigit() and int(code) < 256)]:
        yield _Problem(f"{table}.exit_codes", f"{table}.exit_codes: {wrong[0]} is not an exit code")
    if agent.readonly_args is not None and agent.kind not in ("command", "acp"):
        what = f"{table}.readonly_args is for programs that gitorch does not know, not for {agent.kind}"
        yield _Problem(f"{table}.readonly_args", what, fix=(f'{table}.permissions = "readonly" is enough',))
    if agent.permissions == "readonly" and agent.kind == "command" and agent.readonly_args is None:
        yield _Problem(
            f"{table}.permissions",
            f'{table}.permissions = "readonly" needs {table}.readonly_args',
            why="gitorch does not know with which arguments this program only reads",
            fix=(f'{table}.readonly_args = ["--read-only"]', f"{table}.readonly_args = []  (it never writes)"),
        )


def _quantities(config: Config) -> Iterator[tuple[str, Callable[[str], float], str]]:
    """Yield the name of each duration and size, what reads it, and its text."""
    yield "run.task_timeout", seconds, config.run.task_timeout
    yield "run.idle_timeout", seconds, config.run.idle_timeout
    yield "run.min_free_disk", size, config.run.min_free_disk
    yield "sandbox.memory", size, config.sandbox.memory
    yield "sandbox.disk", size, config.sandbox.disk
    yield "run.max_output", size, config.run.max_output
    yield "run.rescue_every", seconds, config.run.rescue_every
    yield "trash.keep", seconds, config.trash.keep
    yield "remote.lost_after", seconds, config.remote.lost_after
    if config.run.until:
        yield "run.until", _time_of_day, config.run.until


def _time_of_day(text: str) -> float:
    return next_time(text, datetime.now(UTC)).timestamp()


def _globs(config: Config) -> Iterator[tuple[str, str]]:
    """Yield each path glob with the name of its setting."""
    yield from (("review.sensitive", pattern) for pattern in config.review.sensitive)
    yield from (("merge.regenerate", pattern) for pattern in config.merge.regenerate)
    yield from ((f"roles.{name}.paths", pattern) for name, role in config.roles.items() for pattern in role.paths)


def _full_path(path: str, merged: Mapping[str, Any]) -> str:
    """Return the dotted name of a value; restore the table keys that msgspec leaves out of its message."""
    table, unnamed, tail = path.partition("[...]")
    keys = allowed.value_at(table, merged) if unnamed else None
    for key, value in keys.items() if isinstance(keys, Mapping) else ():
        try:
            typed.from_object(value, allowed.kind_of(f"{table}.{key}"))
        except msgspec.ValidationError:
            return _full_path(f"{table}.{key}{tail}", merged)
    return path


def _location(name: str, origins: Mapping[str, str], layers: Sequence[Layer]) -> str:
    name = name.partition("[")[0]
    nested = (origin for other, origin in reversed([*origins.items()]) if other.startswith(f"{name}."))
    origin = origins.get(name) or next(nested, "")
    for layer in layers:
        if layer.origin == origin and layer.text:
            return f"{origin}:{find_setting(layer.text, name)}"
        if layer.origin == origin and name in layer.variables:
            return f"{origin} ({layer.variables[name]})"
    return origin or "configuration"


def _unknown_keys(layer: Layer) -> list[str]:
    return [
        _unknown(layer, f"{table}.{key}" if table else key, valid)
        for table, keys, valid in _tables(layer.settings)
        for key in keys
        if key not in valid
    ]


def _unknown(layer: Layer, name: str, valid: Sequence[str]) -> str:
    hint = did_you_mean(name.rpartition(".")[2], valid, lead="; ")
    location = f"{layer.origin}:{find_setting(layer.text, name)}" if layer.text else layer.origin
    return f"{location}: unknown key {name}{hint}"


def _tables(settings: Mapping[str, Any]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each table of the settings with its keys and its valid keys."""
    yield "", list(settings), list(_kinds())
    for name, kind in _kinds().items():
        table = settings.get(name)
        if isinstance(table, Mapping) and isinstance(kind, type) and issubclass(kind, Section):
            yield name, list(table), list(kind.__struct_fields__)
    for name, section in (("agents", AgentSettings), ("roles", RoleSettings)):
        tables = settings.get(name)
        for key, table in tables.items() if isinstance(tables, Mapping) else ():
            if isinstance(table, Mapping):
                yield f"{name}.{key}", list(table), list(section.__struct_fields__)


@cache
def _kinds() -> dict[str, Any]:
    """Return the type of each top-level setting and table; cached, as it takes milliseconds."""
    return get_type_hints(Config)


def overlay(
    merged: dict[str, Any], settings: Mapping[str, Any], origins: dict[str, str], origin: str, prefix: str = ""
) -> None:
    """Merge settings into `merged` in place, and record the origin of each value in `origins` by dotted name.

    Tables merge key by key; plain values and lists replace.
    """
    for key, value in settings.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, Mapping):
            table = merged.setdefault(key, {})
            if isinstance(table, dict):
                overlay(table, value, origins, origin, name)
                continue
        merged[key] = list(value) if isinstance(value, tuple) else value
        origins[name] = origin
