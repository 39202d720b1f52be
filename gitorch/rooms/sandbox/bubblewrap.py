"""A box as a value, and the arguments of bubblewrap that make it: no file is looked at here."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Bind: TypeAlias = tuple[str, str]
"""A path of the host, and where it is in the box."""

TMP_BYTES = 1 << 30
"""The size of each of the box's temporary folders: without a limit it would be half of the memory."""

_TEMPORARY = ("/dev/shm", "/tmp", "/run", "/var/tmp")  # noqa: S108 (they are folders of the box)
_NAMESPACES = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """What a program can see and touch. Everything else of the host does not exist for it.

    `read` is visible, `links` are symbolic links (target, path). `write` may be changed, except `protect`, which is
    bound read-only over it. Later entries hide earlier ones. `shares_network`: it has the host's network, loopback and
    all, instead of an empty one. `own_user` is off only where a system forbids user namespaces and the user is root.
    """

    read: tuple[Bind, ...]
    write: tuple[Bind, ...]
    protect: tuple[Bind, ...] = ()
    links: tuple[Bind, ...] = ()
    folder: str
    shares_network: bool = False
    own_user: bool = True
    tmp_bytes: int = TMP_BYTES
    program: str = "bwrap"


def arguments(box: Box) -> tuple[str, ...]:
    """Return the command line of bubblewrap for a box, up to the program to run."""
    return (
        box.program,
        *(("--unshare-user",) if box.own_user else ()),
        *_NAMESPACES,
        *(() if box.shares_network else ("--unshare-net",)),
        # as root, without this, the box could be undone from inside by a remount
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *("--proc", "/proc", "--dev", "/dev"),
        *(word for path in _TEMPORARY for word in _tmpfs(path, box.tmp_bytes)),
        *(word for target, path in box.links for word in ("--symlink", target, path)),
        *_binds("--ro-bind", box.read),
        *_binds("--bind", box.write),
        *_binds("--ro-bind", box.protect),
        # the folders that lead to the binds are in memory: nobody fills them
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--chdir", box.folder),
    )


def _tmpfs(path: str, size: int) -> tuple[str, ...]:
    return "--size", str(size), "--tmpfs", path


def _binds(option: str, binds: tuple[Bind, ...]) -> tuple[str, ...]:
    return tuple(word for source, target in binds for word in (option, source, target))
