"""The HOME of a box: folders of the user's HOME that the settings open are in it too, where programs look for them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from gitorch.rooms.sandbox.bubblewrap import Bind


def in_home(paths: Iterable[Path], env: Mapping[str, str], home: Path) -> tuple[Bind, ...]:
    """Return the binds that show paths of the user's HOME at the same place of the box's; `env` is the host's.

    Agents can write the box's HOME: a link that one left on the way would lead the bind somewhere else, so that it is
    moved aside.
    """
    if not env.get("HOME"):
        return ()
    binds = []
    for path in paths:
        parts = _below(path, Path(env["HOME"]))
        if parts:
            target = plain_folder(home, *parts[:-1]) / parts[-1]
            if target.is_symlink() or (target.exists() and target.is_dir() != path.is_dir()):
                set_aside(target)
            binds.append((os.fspath(path), os.fspath(target)))
    return tuple(binds)


def plain_folder(top: Path, *names: str) -> Path:
    """Return a folder below one, made as needed, to which no link leads."""
    folder = top
    for name in names:
        folder /= name
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            set_aside(folder)
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def set_aside(path: Path) -> None:
    """Rename what an agent left where something is bound; remove a link, which holds nothing."""
    if path.is_symlink():
        path.unlink()
        return
    path.rename(path.with_name(f"{path.name}-{uuid.uuid4().hex}"))


def link(binds: Iterable[Bind]) -> None:
    """Show paths in a HOME by links, where there are no mounts; what an agent left in their places is moved aside."""
    for source, target in binds:
        path = Path(target)
        if os.path.lexists(path):
            set_aside(path)
        path.symlink_to(source)


def _below(path: Path, home: Path) -> tuple[str, ...]:
    return path.relative_to(home).parts if path.is_relative_to(home) and ".." not in path.parts else ()
