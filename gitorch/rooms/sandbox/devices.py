"""Keep root's agents from changing the machine's devices: permissions, owners, times. Standard library only."""

from __future__ import annotations

import ctypes
import os

_NEW_MOUNTS = 0x20000
_NO_SETUID, _READ_ONLY, _NO_PROGRAMS, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 2, 1, 8, 32, 4096, 16384, 1 << 18
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
"""Those that bubblewrap puts into a box, and that Landlock's rules open. Reading and writing a device is no change."""


def freeze() -> str:
    """Make the devices read-only for this thread and what it starts; return why that is impossible, or nothing.

    For root alone, who owns them: a mount of its own, because a box has the same files as the machine.
    """
    if os.geteuid() != 0:
        return ""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS) or _mounted(libc, None, b"/", _RECURSIVE | _PRIVATE):
        return os.strerror(ctypes.get_errno())
    for name in _DEVICES:
        path = os.fsencode(os.path.join("/dev", name))
        if not os.path.exists(path):
            continue
        flags = _REMOUNT | _BIND | _READ_ONLY | _NO_SETUID | _NO_PROGRAMS
        if _mounted(libc, path, path, _BIND) or _mounted(libc, None, path, flags):
            return os.strerror(ctypes.get_errno())
    return ""


def _mounted(libc: ctypes.CDLL, source: bytes | None, target: bytes, flags: int) -> int:
    """Call mount; return 0 where it worked."""
    return int(libc.mount(source, target, None, ctypes.c_ulong(flags), None))
