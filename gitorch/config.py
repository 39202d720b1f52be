"""The configuration: `.orchestrate.toml` and its layers as one frozen `Config`, with the origin of each value."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import tomli

from gitorch.errors import InvalidInput
from gitorch.model.roles import BUILT_IN, Role

FILE = ".orchestrate.toml"
PERSONAL = ".orchestrate.local.toml"


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration."""


class PrepareSettings(Section, frozen=True, kw_only=True):
    """`[prepare]`: what happens in a worktree before its agent starts."""

    copy: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    env: dict[str, str] = {}


class RunSettings(Section, frozen=True, kw_only=True):
    """`[run]`: how many agents, how long, how often."""

    max_agents: int = 3
    start_after: Literal["finished", "approved"] = "finished"
    task_timeout: str = "90m"
    idle_timeout: str = "15m"
    retries: int = 1
    fix_checks: int = 1
    rate_limits: Literal["wait", "switch", "stop"] = "wait"
    max_unreviewed: int = 0
    until: str = ""
    budget: float = 0.0
    min_free_disk: str = "2GB"


class SandboxSettings(Section, frozen=True, kw_only=True):
    """`[sandbox]`: what an agent is wrapped in."""

    mode: Literal["auto", "bwrap", "off"] = "auto"
    network: Literal["on", "off"] = "on"


class AgentSettings(Section, frozen=True, kw_only=True):
    """One `[agents.NAME]` table: the kind, the executable, the model, and what it is started with."""

    kind: Literal["claude", "codex", "api", "command"]
    path: str = ""
    model: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    pass_env: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    key: dict[str, str] = {}


class RoleSettings(Section, frozen=True, kw_only=True):
    """One `[roles.NAME]` table: changes a built-in specialist, or adds one."""

    prompt: str = ""
    prompt_file: str = ""
    purpose: str = ""
    match: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    agent: str = ""


class ReviewSettings(Section, frozen=True, kw_only=True):
    """`[review]`: what approval asks for, and what deserves a second look."""

    require_checks: bool = True
    sensitive: tuple[str, ...] = ("**/auth/**", ".github/**", "*.lock")


class MergeSettings(Section, frozen=True, kw_only=True):
    """`[merge]`: how approved work reaches the integration branch."""

    verify: Literal["each", "batch", "end", "never"] = "batch"
    max_checks: int = 0
    auto: Literal["approved", "finished"] = "approved"
    on_conflict: Literal["hold", "agent"] = "hold"
    regenerate: dict[str, str] = {}


class RemoteSettings(Section, frozen=True, kw_only=True):
    """`[remote]`: agents on other machines."""

    address: str = ""


class NotifySettings(Section, frozen=True, kw_only=True):
    """`[notify]`: a command that gets each event as JSON on its standard input."""

    command: tuple[str, ...] = ()


BUILT_IN_AGENTS: dict[str, dict[str, str]] = {
    "claude": {"kind": "claude", "path": "claude"},
    "codex": {"kind": "codex", "path": "codex"},
    "api": {"kind": "api"},
}


class Config(Section, frozen=True, kw_only=True):
    """All settings in force."""

    base: str = "auto"
    integration: str = "orch/integration"
    branch: str = "orch/{task}"
    worktrees: str = "../{repo}.orch/{task}"
    agent: str = "auto"
    role: str = "auto"
    prepare: PrepareSettings = PrepareSettings()
    run: RunSettings = RunSettings()
    checks: dict[str, str] = {}
    sandbox: SandboxSettings = SandboxSettings()
    agents: dict[str, AgentSettings] = {}
    roles: dict[str, RoleSettings] = {}
    review: ReviewSettings = ReviewSettings()
    merge: MergeSettings = MergeSettings()
    remote: RemoteSettings = RemoteSettings()
    notify: NotifySettings = NotifySettings()

    def branch_of(self, task: str) -> str:
        """Return the branch of a task."""
        return self.branch.replace("{task}", task)

    @property
    def candidate(self) -> str:
        """Return the branch of the night's candidate."""
        return self.branch_of("candidate")

    @property
    def prefix(self) -> str:
        """Return what all task branches start with: `orch/`."""
        return self.branch.partition("{task}")[0]


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """Settings from one place: a file, the environment, or the command line."""

    origin: str
    settings: dict[str, Any]
    text: str = ""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration in force, where each value comes from (by dotted name), and the layers it was made of."""

    config: Config
    origins: dict[str, str]
    layers: tuple[Layer, ...]


# What this version reads but cannot do yet is refused aloud: a setting that silently does nothing is a lie.
_AVAILABLE: dict[str, tuple[object, ...]] = {
    "sandbox.mode": ("auto", "off"),
    "sandbox.network": ("on",),
    "run.rate_limits": ("wait", "stop"),
    "remote.address": ("",),
    "notify.command": ((),),
}


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
        raw = path.read_bytes()
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
    """Read `GITORCH_*` (`GITORCH_RUN_MAX_AGENTS=5`) and the seed's `USE_API_MODE` and `MAX_AGENTS`.

    Inside an agent `GITORCH_*` tells of its task and is not read as configuration.
    """
    settings: dict[str, Any] = {}
    if environment.get("USE_API_MODE", "").lower() in ("1", "true", "yes"):
        settings["agent"] = "api"
    if environment.get("MAX_AGENTS", "").isdigit():
        _store(settings, "run.max_agents", int(environment["MAX_AGENTS"]))
    if "GITORCH_TASK" not in environment:
        names = {"GITORCH_" + name.upper().replace(".", "_"): name for name in _scalar_names()}
        for variable, name in names.items():
            if variable in environment:
                _store(settings, name, _literal(environment[variable], name))
    return Layer(origin="the environment", settings=settings)


def from_assignments(assignments: Sequence[str]) -> Layer:
    """Read the command line's `-c key=value` words; a value that is not TOML is taken as text."""
    settings: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise InvalidInput("config-assignment", f"-c {assignment}: it must be KEY=VALUE")
        _store(settings, name.strip(), _literal(value, name.strip()))
    return Layer(origin="-c", settings=settings)


def user_file() -> Path:
    """Return the user's own configuration file, in the platform's configuration folder."""
    return user_folder() / "config.toml"


def user_folder() -> Path:
    """Return the folder for what belongs to the user and not to a repository."""
    if home := os.environ.get("XDG_CONFIG_HOME"):
        return Path(home) / "gitorch"
    # platformdirs takes 30 ms to import, and on Linux the answer is this line
    if os.name == "posix" and os.uname().sysname == "Linux":
        return Path.home() / ".config" / "gitorch"
    import platformdirs

    return Path(platformdirs.user_config_dir("gitorch", appauthor=False))


def combine(layers: Sequence[Layer]) -> Loaded:
    """Lay the layers over the built-in values, the last one winning, and check the result.

    Tables merge key by key; plain values and lists replace. Raises `InvalidInput` that names every unknown
    key with its near miss, file and line, or the first value of a wrong type.
    """
    built_in = Layer(origin="built-in", settings={"agents": BUILT_IN_AGENTS})
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: list[str] = []
    for layer in (built_in, *layers):
        problems += _unknown_keys(layer)
        _overlay(merged, layer.settings, origins, layer.origin)
    if problems:
        raise InvalidInput("config-invalid", "; ".join(problems), fix=("orchestrate config show",))
    return Loaded(config=_checked(merged, origins, layers), origins=origins, layers=tuple(layers))


def _checked(merged: dict[str, Any], origins: Mapping[str, str], layers: Sequence[Layer]) -> Config:
    try:
        config = msgspec.convert(merged, Config)
    except msgspec.ValidationError as error:
        what, _, at = str(error).partition(" - at `$.")
        path = _whole_path(at.rstrip("`"), merged)
        raise InvalidInput("config-invalid", f"{_place(path, origins, layers)}: {path}: {what}") from error
    for name, read in (("task_timeout", seconds), ("idle_timeout", seconds), ("min_free_disk", size)):
        try:
            read(getattr(config.run, name))
        except InvalidInput as error:
            where = _place(f"run.{name}", origins, layers)
            raise InvalidInput("config-invalid", f"{where}: run.{name}: {error}", fix=error.fix) from error
    _refuse_unavailable(config, origins, layers)
    if "{task}" not in config.branch or "{task}" not in config.worktrees:
        raise InvalidInput("config-invalid", "branch and worktrees must contain {task}")
    if config.run.max_agents < 1:
        raise InvalidInput("config-invalid", f"run.max_agents must be at least 1, not {config.run.max_agents}")
    if config.merge.max_checks < 0:
        raise InvalidInput("config-invalid", f"merge.max_checks cannot be {config.merge.max_checks}")
    return config


def _whole_path(path: str, merged: Mapping[str, Any]) -> str:
    """Return the dotted name of a value; the names in open tables, which the checker leaves out, are found again."""
    table, unnamed, rest = path.partition("[...]")
    kind = get_type_hints(Config).get(table)
    if unnamed and get_origin(kind) is dict:
        for key, value in merged[table].items():
            try:
                msgspec.convert(value, get_args(kind)[1])
            except msgspec.ValidationError:
                return f"{table}.{key}{rest}"
    return path


def _refuse_unavailable(config: Config, origins: Mapping[str, str], layers: Sequence[Layer]) -> None:
    for name, possible in _AVAILABLE.items():
        table, _, key = name.partition(".")
        value = getattr(getattr(config, table), key)
        if value not in possible:
            raise InvalidInput(
                "config-unavailable",
                f"{_place(name, origins, layers)}: {name} = {json.dumps(value)} is not available in this version",
                why="gitorch does not accept a setting that it would not keep",
                fix=(f"set {name} to {' or '.join(json.dumps(one) for one in possible)}",),
            )


def _place(name: str, origins: Mapping[str, str], layers: Sequence[Layer]) -> str:
    name = name.partition("[")[0]
    below = (origin for other, origin in reversed([*origins.items()]) if other.startswith(f"{name}."))
    origin = origins.get(name) or next(below, "")
    for layer in layers:
        if layer.origin == origin and layer.text:
            return f"{origin}:{_line(layer.text, name)}"
    return origin or "configuration"


def _line(text: str, name: str) -> int:
    """Return the line of a key, searched for within its table (no TOML reader tells positions)."""
    table, _, key = name.rpartition(".")
    inside = not table
    for number, line in enumerate(text.split("\n"), start=1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            inside = header[1] == table
            if header[1] == name:
                return number
        elif inside and re.match(rf"\s*\"?{re.escape(key)}\"?\s*=", line):
            return number
    return 1


def _unknown_keys(layer: Layer) -> list[str]:
    return [
        _unknown(layer, f"{table}.{key}" if table else key, known)
        for table, keys, known in _tables(layer.settings)
        for key in keys
        if key not in known
    ]


def _unknown(layer: Layer, name: str, known: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name.rpartition(".")[2], known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    where = f"{layer.origin}:{_line(layer.text, name)}" if layer.text else layer.origin
    return f"{where}: unknown key {name}{hint}"


def _tables(settings: Mapping[str, Any]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each table of the settings with its keys and the keys that it may have."""
    yield "", list(settings), list(get_type_hints(Config))
    for name, kind in get_type_hints(Config).items():
        table = settings.get(name)
        if isinstance(table, Mapping) and isinstance(kind, type) and issubclass(kind, Section):
            yield name, list(table), list(kind.__struct_fields__)
    for name, section in (("agents", AgentSettings), ("roles", RoleSettings)):
        tables = settings.get(name)
        for key, table in tables.items() if isinstance(tables, Mapping) else ():
            if isinstance(table, Mapping):
                yield f"{name}.{key}", list(table), list(section.__struct_fields__)


def _overlay(
    merged: dict[str, Any], settings: Mapping[str, Any], origins: dict[str, str], origin: str, at: str = ""
) -> None:
    for key, value in settings.items():
        name = f"{at}.{key}" if at else key
        if isinstance(value, Mapping):
            below = merged.setdefault(key, {})
            if isinstance(below, dict):
                _overlay(below, value, origins, origin, name)
                continue
        merged[key] = list(value) if isinstance(value, tuple) else value
        origins[name] = origin


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


def _literal(text: str, name: str) -> Any:
    """Read a value that was given without quotes: TOML, or plain text where TOML or the setting says so."""
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


_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def seconds(text: str) -> float:
    """Read a duration: `90m`, `1h30m`, `45` (seconds); 0 means no limit."""
    if not re.fullmatch(rf"\s*(?:{_NUMBER}\s*[smhd]?\s*)+", text.lower()):
        raise InvalidInput("duration", f"{text!r} is not a duration", fix=("write it as 45s, 90m or 1h30m",))
    parts = re.findall(rf"({_NUMBER})\s*([smhd]?)", text.lower())
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def size(text: str) -> int:
    """Read a size in bytes: `2GB`, `500MB`."""
    match = re.fullmatch(rf"({_NUMBER})\s*([kmgt]?)b?", text.strip().lower())
    if match is None:
        raise InvalidInput("size", f"{text!r} is not a size", fix=("write it as 500MB or 2GB",))
    return int(float(match[1]) * _SIZES[match[2]])


_RUNS_COMMANDS = ("prepare", "checks", "agents", "notify")


def commands(layers: Sequence[Layer], origins: Sequence[str] = (FILE, PERSONAL)) -> dict[str, Any]:
    """Return all that a repository's own files would have run on this machine: the tables that name commands."""
    found: dict[str, Any] = {}
    for layer in layers:
        if layer.origin in origins:
            _overlay(found, {key: layer.settings[key] for key in _RUNS_COMMANDS if key in layer.settings}, {}, "")
            merge = layer.settings.get("merge", {})
            _overlay(found, {"merge": {"regenerate": made}} if (made := merge.get("regenerate")) else {}, {}, "")
    return {key: value for key, value in found.items() if value}


def digest(found: Mapping[str, Any]) -> str:
    """Return the hash that a set of commands is trusted by."""
    import hashlib

    return hashlib.sha256(json.dumps(found, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


_LONGEST_ROLE = 65_536


def roles(loaded: Loaded, root: Path | None, below: Mapping[str, Role] = BUILT_IN) -> dict[str, Role]:
    """Return the specialists: those `below`, changed and added to by the configuration.

    `prompt_file` is read relative to `root`, the top of the work tree; a repository's own file cannot name one outside.
    """
    known = dict(below)
    for name, settings in loaded.config.roles.items():
        before = known.get(name, Role(name=name, instructions=""))
        told = {key: origin for key, origin in loaded.origins.items() if key.startswith(f"roles.{name}.")}
        text = settings.prompt
        if settings.prompt_file:
            text = _role_file(name, settings.prompt_file, root, told.get(f"roles.{name}.prompt_file", ""))
        changed = ", ".join(dict.fromkeys(told.values()))
        known[name] = msgspec.structs.replace(
            before,
            instructions=text or before.instructions,
            purpose=settings.purpose or before.purpose,
            # a repository's own words decide by themselves
            match=dict.fromkeys(settings.match, 3) or before.match,
            paths=settings.paths or before.paths,
            agent=settings.agent or before.agent,
            origin=f"{BUILT_IN[name].origin}, changed by {changed}" if name in BUILT_IN else changed or before.origin,
        )
    return known


def _role_file(name: str, file: str, root: Path | None, origin: str) -> str:
    top = root or Path.cwd()
    path = (top / Path(file).expanduser()).resolve()
    if origin in (FILE, PERSONAL) and not path.is_relative_to(top.resolve()):
        raise InvalidInput("role-prompt", f"roles.{name}.prompt_file leads outside of the repository: {file}")
    try:
        with path.open("rb") as content:
            raw = content.read(_LONGEST_ROLE + 1)
    except OSError as error:
        raise InvalidInput("role-prompt", f"roles.{name}.prompt_file cannot be read: {error}") from error
    if len(raw) > _LONGEST_ROLE:
        raise InvalidInput("role-prompt", f"roles.{name}.prompt_file is longer than {_LONGEST_ROLE} bytes: {file}")
    return decode(raw, file)
