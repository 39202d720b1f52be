"""Become a program under Landlock: what it may read, write and connect to, for it and all its descendants.

Uses only the standard library. Started as `python -I -S confine.py RULES PARENT -- PROGRAM ARGUMENT...` by the process
PARENT, with which it ends. RULES is a JSON object: `read`, `write`, `list` (names alone) and `devices` (paths), `ports`
(of TCP, to connect to; None: all), `filter` (the seccomp filter in hexadecimal).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import stat
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would delay the start of every program
    from typing import Any

OLDEST = 4
"""The first version that limits TCP connections (Linux 6.7). Earlier ones would leave the network open."""
SCOPED = 6
"""The first version that keeps signals inside (Linux 6.12)."""
UNABLE = 126

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CAPSET = {"x86_64": 126, "aarch64": 91}
_PATH_BENEATH, _NET_PORT = 1, 2
_NO_NEW_PRIVS, _SECCOMP, _PARENT_DEATH, _DROP_BOUND = 38, 22, 1, 24
_SECCOMP_FILTER = 2
_CAPABILITIES_VERSION = 0x20080522
_LAST_CAPABILITY = 63

# access to files, as bits; the version of Landlock that has each group is in `_handled_files`
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_FIRST = (1 << 13) - 1
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_DEVICE = _READ_FILE | _WRITE_FILE | _IOCTL_DEVICE | _TRUNCATE
_BIND_TCP, _CONNECT_TCP = 1, 2
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Return the version of Landlock's interface; 0 where the kernel has none, or has it switched off."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))))


def confine(rules: dict[str, Any]) -> None:
    """Confine this process: Landlock, then no capabilities, then the filter. Raises `OSError` when one is refused."""
    abi = version()
    if abi < OLDEST:
        raise OSError(0, f"Landlock {abi or 'is not available'}: version {OLDEST} (Linux 6.7) is needed")
    _control(_NO_NEW_PRIVS, 1)
    ruleset = _ruleset(abi, rules)
    _checked(_libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)), "landlock_restrict_self")
    os.close(ruleset)
    _drop_capabilities()
    _install(bytes.fromhex(str(rules["filter"])))


def _ruleset(abi: int, rules: dict[str, Any]) -> int:
    files = _FIRST | _REFER | _TRUNCATE | (_IOCTL_DEVICE if abi >= 5 else 0)
    ports = rules["ports"]
    network = 0 if ports is None else _BIND_TCP | _CONNECT_TCP
    scoped = _ABSTRACT_SOCKETS | _SIGNALS if abi >= SCOPED else 0
    # the kernel takes a shorter structure from before its newest field
    attributes = struct.pack("=QQQ", files, network, scoped)[: 24 if abi >= SCOPED else 16]
    ruleset = _checked(
        _libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)),
        "landlock_create_ruleset",
    )
    for name, access in (("read", _READ), ("list", _READ_DIR), ("write", files & ~_IOCTL_DEVICE), ("devices", _DEVICE)):
        for path in rules[name]:
            _allow(ruleset, path, access & files)
    for port in ports or ():
        _add(ruleset, _NET_PORT, struct.pack("=QQ", _CONNECT_TCP, port), f"port {port}")
    return ruleset


def _allow(ruleset: int, path: str, access: int) -> None:
    # what an agent could have replaced by a link is not followed
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISLNK(mode):
            raise OSError(0, f"{path} is a symbolic link")
        allowed = access if stat.S_ISDIR(mode) else access & _OF_FILES
        _add(ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, descriptor), path)
    finally:
        os.close(descriptor)


def _add(ruleset: int, kind: int, rule: bytes, what: str) -> None:
    _checked(_libc.syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(kind), rule, ctypes.c_uint32(0)), what)


def _drop_capabilities() -> None:
    """Give up what root may do beyond its own files: a new program cannot regain it (`no_new_privs`)."""
    for capability in range(_LAST_CAPABILITY + 1):
        if _libc.prctl(_DROP_BOUND, ctypes.c_ulong(capability), 0, 0, 0) != 0:
            break
    header = struct.pack("=Ii", _CAPABILITIES_VERSION, 0)
    _checked(_libc.syscall(_CAPSET[os.uname().machine], header, bytes(24)), "capset")


def _install(program: bytes) -> None:
    buffer = ctypes.create_string_buffer(program, len(program))
    filter_of = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    if _libc.prctl(_SECCOMP, ctypes.c_ulong(_SECCOMP_FILTER), filter_of, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp: " + os.strerror(ctypes.get_errno()))


def _control(option: int, argument: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(argument), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def _checked(answer: int, what: str) -> int:
    if answer < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return int(answer)


def die_with_parent(parent: int) -> None:
    """End this process when its parent, which started it, does."""
    _control(_PARENT_DEATH, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _program(name: str) -> str:
    """Return the path of a program on PATH."""
    folders = [] if "/" in name else os.get_exec_path()
    paths = (os.path.join(folder, name) for folder in folders)
    return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), name)


def main(words: list[str]) -> None:
    """Read the arguments, confine this process and become the program."""
    split = words.index("--")
    argv = words[split + 1 :]
    program = _program(argv[0])  # afterwards, Python's own files may be out of reach
    with contextlib.suppress(PermissionError):  # it is the leader of its group
        os.setsid()
    try:
        die_with_parent(int(words[1]))
        confine(json.loads(words[0]))
    except OSError as error:
        sys.stderr.write(f"could not be confined: {error.strerror}\n")
        sys.exit(UNABLE)
    try:
        os.execv(program, argv)  # noqa: S606 (the rules are made for this program)
    except OSError as error:
        sys.stderr.write(f"could not start {argv[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
