"""Roles with the changes and additions of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from gitorch.config.combine import LoadedConfig
from gitorch.config.layers import FILE, PERSONAL, decode
from gitorch.errors import InvalidInput
from gitorch.model.roles import Role, built_in_roles

_LONGEST_ROLE = 65_536


def roles(loaded: LoadedConfig, root: Path | None, base: Mapping[str, Role] | None = None) -> dict[str, Role]:
    """Return the roles of `base` (by default the built-in ones) with the changes and additions of the configuration.

    `prompt_file` is relative to `root`, the top of the work tree. A repository's own configuration cannot name a file
    outside of it.
    """
    built_in = built_in_roles()
    configured = dict(built_in if base is None else base)
    for name, settings in loaded.config.roles.items():
        before = configured.get(name, Role(name=name, instructions=""))
        origins = {key: origin for key, origin in loaded.origins.items() if key.startswith(f"roles.{name}.")}
        text = settings.prompt
        if settings.prompt_file:
            text = _role_file(name, settings.prompt_file, root, origins.get(f"roles.{name}.prompt_file", ""))
        changed = ", ".join(dict.fromkeys(origins.values()))
        configured[name] = msgspec.structs.replace(
            before,
            instructions=text or before.instructions,
            purpose=settings.purpose or before.purpose,
            # 5 points: one configured word selects the role
            match=dict.fromkeys(settings.match, 5) or before.match,
            paths=settings.paths or before.paths,
            agent=settings.agent or before.agent,
            origin=f"{built_in[name].origin}, changed by {changed}" if name in built_in else changed or before.origin,
        )
    return configured


def _role_file(name: str, file: str, root: Path | None, origin: str) -> str:
    top = root or Path.cwd()
    path = (top / Path(file).expanduser()).resolve()
    if origin in (FILE, PERSONAL) and not path.is_relative_to(top.resolve()):
        raise InvalidInput("role-prompt", f"roles.{name}.prompt_file is outside of the repository: {file}")
    try:
        with path.open("rb") as content:
            raw = content.read(_LONGEST_ROLE + 1)
    except OSError as error:
        raise InvalidInput("role-prompt", f"roles.{name}.prompt_file cannot be read: {error}") from error
    if len(raw) > _LONGEST_ROLE:
        raise InvalidInput("role-prompt", f"roles.{name}.prompt_file is longer than {_LONGEST_ROLE} bytes: {file}")
    return decode(raw, file)
