"""What a confined program reaches, as a value: the same one for each way to confine it without mounts."""

from __future__ import annotations

import msgspec


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Paths that a program may read, and those that it may write; the folders `listed` show their names alone.

    `protect` are paths inside of `write` that stay as they are, where that can be kept (Landlock cannot). `ports` are
    what it may connect to on this machine (None: everything, everywhere). All paths are real: no link leads to them.
    """

    read: tuple[str, ...]
    write: tuple[str, ...]
    listed: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    ports: tuple[int, ...] | None = ()
