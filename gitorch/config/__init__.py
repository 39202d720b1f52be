"""The configuration: `.orchestrate.toml` and its layers as one frozen `Config`, with the origin of each value."""

from gitorch.config.combine import LoadedConfig, combine, overlay
from gitorch.config.layers import (
    FILE,
    PERSONAL,
    Layer,
    decode,
    from_assignments,
    from_environment,
    literal,
    parse,
    parse_file,
    user_file,
    user_folder,
)
from gitorch.config.roles import roles
from gitorch.config.settings import (
    AgentSettings,
    Config,
    DeclaredOutcome,
    Permissions,
    PrepareSettings,
    PriceSettings,
    RemoteSettings,
    RunSettings,
    SandboxSettings,
    Section,
    Verify,
)
from gitorch.config.source_lines import find_key
from gitorch.config.units import seconds, size

__all__ = [
    "FILE",
    "PERSONAL",
    "AgentSettings",
    "Config",
    "DeclaredOutcome",
    "Layer",
    "LoadedConfig",
    "Permissions",
    "PrepareSettings",
    "PriceSettings",
    "RemoteSettings",
    "RunSettings",
    "SandboxSettings",
    "Section",
    "Verify",
    "combine",
    "decode",
    "find_key",
    "from_assignments",
    "from_environment",
    "literal",
    "overlay",
    "parse",
    "parse_file",
    "roles",
    "seconds",
    "size",
    "user_file",
    "user_folder",
]
