"""The system calls that a box takes away: a seccomp filter as the kernel's BPF bytes.

Namespaces and read-only mounts stop files and processes. The filter closes what they leave open: new namespaces,
mounts, tracing, kernel keys, io_uring, and sockets of families that no network namespace covers (AF_VSOCK).
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence

import msgspec

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in the kernel's `struct seccomp_data`."""

_NAMESPACES = 0x7E020000
"""The CLONE_NEW* flags of `clone`; `unshare` has one more, for time namespaces."""
_TIME_NAMESPACE = 0x80
_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK."""
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX push characters into the terminal's input."""


class _Calls(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of system calls on one architecture; `foreign` is where calls of another ABI start (0: nowhere)."""

    architecture: int
    refused: tuple[int, ...]
    clone: int
    clone3: int
    unshare: int
    socket: tuple[int, int]
    ioctl: int
    foreign: int = 0


# of both: open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr, io_uring_{setup,enter,register}
_SHARED = (428, 429, 430, 431, 432, 433, 442, 425, 426, 427)
_MACHINES = {
    "x86_64": _Calls(
        architecture=0xC000003E,
        # ptrace, process_vm_{readv,writev}, mount, umount2, pivot_root, setns, add_key, request_key, keyctl, bpf,
        # userfaultfd, perf_event_open, kexec_{load,file_load}, {init,finit,delete}_module, open_by_handle_at
        refused=(101, 310, 311, 165, 166, 155, 308, 248, 249, 250, 321, 323, 298, 246, 320, 175, 313, 176, 304),
        clone=56,
        clone3=435,
        unshare=272,
        socket=(41, 53),
        ioctl=16,
        foreign=0x40000000,  # x32
    ),
    "aarch64": _Calls(
        architecture=0xC00000B7,
        refused=(117, 270, 271, 40, 39, 41, 268, 217, 218, 219, 280, 282, 241, 104, 294, 105, 273, 106, 265),
        clone=220,
        clone3=435,
        unshare=97,
        socket=(198, 199),
        ioctl=29,
    ),
}


def machines() -> tuple[str, ...]:
    """Return the machines (as `platform.machine` names them) that have a filter."""
    return tuple(_MACHINES)


def program(machine: str) -> bytes:
    """Return the filter for a machine; raise `KeyError` where there is none."""
    calls = _MACHINES[machine]
    instructions = [
        *(_load(_ARCHITECTURE), *_unless(calls.architecture, errno.ENOSYS), _load(_NUMBER)),
        *(_from(calls.foreign, errno.ENOSYS) if calls.foreign else ()),
        *(word for number in (*calls.refused, *_SHARED) for word in _when(number, errno.EPERM)),
        # libraries then use `clone`, whose flags the filter can see
        *_when(calls.clone3, errno.ENOSYS),
        *_if_call(calls.clone, [_load(_ARGUMENTS), *_when_bits(_NAMESPACES, errno.EPERM)]),
        *_if_call(calls.unshare, [_load(_ARGUMENTS), *_when_bits(_NAMESPACES | _TIME_NAMESPACE, errno.EPERM)]),
        *(word for call in calls.socket for word in _if_call(call, _only_families())),
        *_if_call(calls.ioctl, [_load(_ARGUMENTS + 8), *(w for n in _TERMINAL_INPUT for w in _when(n, errno.EPERM))]),
        _return(_ALLOW),
    ]
    return b"".join(instructions)


def _only_families() -> list[bytes]:
    count = len(_FAMILIES)
    # each match jumps over the rest of the list and the refusal
    matches = [_instruction(_JUMP_EQUAL, family, count - place, 0) for place, family in enumerate(_FAMILIES)]
    return [_load(_ARGUMENTS), *matches, _refuse(errno.EAFNOSUPPORT)]


def _if_call(number: int, block: Sequence[bytes]) -> list[bytes]:
    """Run a block only for one call, and allow that call at its end."""
    return [_instruction(_JUMP_EQUAL, number, 0, len(block) + 1), *block, _return(_ALLOW)]


def _when(value: int, code: int) -> tuple[bytes, bytes]:
    return _instruction(_JUMP_EQUAL, value, 0, 1), _refuse(code)


def _unless(value: int, code: int) -> tuple[bytes, bytes]:
    return _instruction(_JUMP_EQUAL, value, 1, 0), _refuse(code)


def _from(value: int, code: int) -> tuple[bytes, bytes]:
    return _instruction(_JUMP_AT_LEAST, value, 0, 1), _refuse(code)


def _when_bits(bits: int, code: int) -> tuple[bytes, bytes]:
    return _instruction(_JUMP_BITS, bits, 0, 1), _refuse(code)


def _load(offset: int) -> bytes:
    return _instruction(_LOAD, offset)


def _refuse(code: int) -> bytes:
    return _return(_ERRNO | code)


def _return(value: int) -> bytes:
    return _instruction(_RETURN, value)


def _instruction(code: int, value: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, value)
