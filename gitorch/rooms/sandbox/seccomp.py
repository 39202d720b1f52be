"""The system calls that a box takes away: a seccomp filter as the kernel's BPF bytes.

Namespaces and read-only mounts stop files and processes. The filter closes what they leave open: new namespaces,
mounts, tracing, kernel keys, io_uring, sockets of families that no network namespace covers (AF_VSOCK), and files that
would run with the rights of their owner: outside of the box anybody could start them.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Sequence

import msgspec

_LOAD, _AND, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in the kernel's `struct seccomp_data`."""

_NAMESPACES = 0x7E020000
"""The CLONE_NEW* flags of `clone`; `unshare` has one more, for time namespaces."""
_TIME_NAMESPACE = 0x80
_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK."""
_NETLINK = 16
_WITHOUT_UNIX = (2, 10, 16)
_STREAM, _TYPE_BITS = 1, 0xF
_TCP = (0, 6)
"""Protocols of a stream: the default, and TCP by its number; Landlock sees no other, such as MPTCP."""
_SELF = 0
_SET_USER, _SET_ANY = 0o4000, 0o6000
"""Bits of a mode. A folder may have the one for groups, which no new file needs."""
_CREATES = 0x400040
"""O_CREAT and O_TMPFILE: without them, a mode means nothing."""
_OPENAT2 = 437
"""Its mode is in memory, where a filter cannot see it. Programs then use `openat`."""
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX push characters into the terminal's input."""


class _Calls(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of system calls on one architecture; `foreign` is where calls of another ABI start (0: nowhere).

    `shared` are those with which processes share memory and messages by number or name, `limit` sets the limits of any
    process of the user: namespaces make them harmless. `modes` and `creations` are those that give a file a mode, with
    its argument's place; `opens` do so with certain flags, whose place comes first.
    """

    architecture: int
    refused: tuple[int, ...]
    shared: tuple[int, ...]
    limit: int
    clone: int
    clone3: int
    unshare: int
    socket: tuple[int, int]
    ioctl: int
    modes: tuple[tuple[int, int], ...]
    creations: tuple[tuple[int, int], ...]
    opens: tuple[tuple[int, int, int], ...]
    foreign: int = 0


# of both: open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr, io_uring_{setup,enter,register}
_SHARED = (428, 429, 430, 431, 432, 433, 442, 425, 426, 427)
_MACHINES = {
    "x86_64": _Calls(
        architecture=0xC000003E,
        # ptrace, process_vm_{readv,writev}, mount, umount2, pivot_root, setns, add_key, request_key, keyctl, bpf,
        # userfaultfd, perf_event_open, kexec_{load,file_load}, {init,finit,delete}_module, open_by_handle_at
        refused=(101, 310, 311, 165, 166, 155, 308, 248, 249, 250, 321, 323, 298, 246, 320, 175, 313, 176, 304),
        # shm{get,at,ctl}, sem{get,op,ctl}, msg{get,snd,rcv,ctl}, semtimedop, mq_{open,unlink}
        shared=(29, 30, 31, 64, 65, 66, 68, 69, 70, 71, 220, 240, 241),
        limit=302,
        clone=56,
        clone3=435,
        unshare=272,
        socket=(41, 53),
        ioctl=16,
        # chmod, fchmod, fchmodat, fchmodat2
        modes=((90, 1), (91, 1), (268, 2), (452, 2)),
        # creat, mknod, mknodat
        creations=((85, 1), (133, 1), (259, 2)),
        # open, openat
        opens=((2, 1, 2), (257, 2, 3)),
        foreign=0x40000000,  # x32
    ),
    "aarch64": _Calls(
        architecture=0xC00000B7,
        refused=(117, 270, 271, 40, 39, 41, 268, 217, 218, 219, 280, 282, 241, 104, 294, 105, 273, 106, 265),
        shared=(194, 196, 195, 190, 193, 191, 186, 189, 188, 187, 192, 180, 181),
        limit=261,
        clone=220,
        clone3=435,
        unshare=97,
        socket=(198, 199),
        ioctl=29,
        modes=((52, 1), (53, 2), (452, 2)),
        creations=((33, 2),),
        opens=((56, 2, 3),),
    ),
}


def machines() -> tuple[str, ...]:
    """Return the machines (as `platform.machine` names them) that have a filter."""
    return tuple(_MACHINES)


def program(machine: str, *, without_namespaces: bool = False, shares_network: bool = False) -> bytes:
    """Return the filter for a machine; raise `KeyError` where there is none.

    With `without_namespaces`, it also closes what these would: unix sockets (a pair is allowed), what is shared by
    number, limits of other processes, and, unless it `shares_network`, everything of the internet but TCP.
    """
    calls = _MACHINES[machine]
    sockets = _only_families(_FAMILIES)
    pairs = sockets
    more: list[bytes] = []
    if without_namespaces:
        pairs = _only_families(_FAMILIES[:1])
        more += [word for number in calls.shared for word in _when(number, errno.EPERM)]
        more += _if_call(calls.limit, [_load(_ARGUMENTS), *_only((_SELF,), errno.EPERM)])
        sockets = _only_families(_WITHOUT_UNIX) if shares_network else _only_tcp()
    instructions = [
        *(_load(_ARCHITECTURE), *_unless(calls.architecture, errno.ENOSYS), _load(_NUMBER)),
        *(_from(calls.foreign, errno.ENOSYS) if calls.foreign else ()),
        *(word for number in (*calls.refused, *_SHARED) for word in _when(number, errno.EPERM)),
        *more,
        # libraries then use `clone`, whose flags the filter can see
        *_when(calls.clone3, errno.ENOSYS),
        *_if_call(calls.clone, [_load(_ARGUMENTS), *_when_bits(_NAMESPACES)]),
        *_if_call(calls.unshare, [_load(_ARGUMENTS), *_when_bits(_NAMESPACES | _TIME_NAMESPACE)]),
        *_if_call(calls.socket[0], sockets),
        *_if_call(calls.socket[1], pairs),
        *_if_call(calls.ioctl, [_load(_ARGUMENTS + 8), *(w for n in _TERMINAL_INPUT for w in _when(n, errno.EPERM))]),
        *_modes(calls),
        _return(_ALLOW),
    ]
    return b"".join(instructions)


def _modes(calls: _Calls) -> Iterator[bytes]:
    """Yield what refuses a file that runs with the rights of its owner."""
    yield from _when(_OPENAT2, errno.ENOSYS)
    for number, place in calls.modes:
        yield from _if_call(number, [_load_argument(place), *_when_bits(_SET_USER)])
    for number, place in calls.creations:
        yield from _if_call(number, [_load_argument(place), *_when_bits(_SET_ANY)])
    for number, flags, place in calls.opens:
        opens_only = (_instruction(_JUMP_BITS, _CREATES, 1, 0), _return(_ALLOW))
        yield from _if_call(number, [_load_argument(flags), *opens_only, _load_argument(place), *_when_bits(_SET_ANY)])


def _only_families(families: Sequence[int]) -> list[bytes]:
    return [_load(_ARGUMENTS), *_only(families, errno.EAFNOSUPPORT)]


def _only_tcp() -> list[bytes]:
    return [
        *_only_families(_WITHOUT_UNIX),
        *(_instruction(_JUMP_EQUAL, _NETLINK, 0, 1), _return(_ALLOW)),
        *(_load(_ARGUMENTS + 8), _instruction(_AND, _TYPE_BITS), *_only((_STREAM,), errno.EACCES)),
        *(_load(_ARGUMENTS + 16), *_only(_TCP, errno.EPROTONOSUPPORT)),
    ]


def _only(allowed: Sequence[int], code: int) -> list[bytes]:
    """Refuse a loaded value that is none of these."""
    count = len(allowed)
    # each match jumps over the rest of the list and the refusal
    return [
        *(_instruction(_JUMP_EQUAL, value, count - place, 0) for place, value in enumerate(allowed)),
        _refuse(code),
    ]


def _if_call(number: int, block: Sequence[bytes]) -> list[bytes]:
    """Run a block only for one call, and allow that call at its end."""
    return [_instruction(_JUMP_EQUAL, number, 0, len(block) + 1), *block, _return(_ALLOW)]


def _when(value: int, code: int) -> tuple[bytes, bytes]:
    return _instruction(_JUMP_EQUAL, value, 0, 1), _refuse(code)


def _unless(value: int, code: int) -> tuple[bytes, bytes]:
    return _instruction(_JUMP_EQUAL, value, 1, 0), _refuse(code)


def _from(value: int, code: int) -> tuple[bytes, bytes]:
    return _instruction(_JUMP_AT_LEAST, value, 0, 1), _refuse(code)


def _when_bits(bits: int) -> tuple[bytes, bytes]:
    return _instruction(_JUMP_BITS, bits, 0, 1), _refuse(errno.EPERM)


def _load(offset: int) -> bytes:
    return _instruction(_LOAD, offset)


def _load_argument(place: int) -> bytes:
    return _load(_ARGUMENTS + 8 * place)


def _refuse(code: int) -> bytes:
    return _return(_ERRNO | code)


def _return(value: int) -> bytes:
    return _instruction(_RETURN, value)


def _instruction(code: int, value: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, value)
