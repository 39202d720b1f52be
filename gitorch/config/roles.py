"""The specialists, as the configuration changes them and adds to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from gitorch.config.combine import Loaded
from gitorch.config.layers import FILE, PERSONAL, decode
from gitorch.errors import InvalidInput
from gitorch.model.roles import BUILT_IN, Role

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
            match=dict.fromkeys(settings.match, 5) or before.match,
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
