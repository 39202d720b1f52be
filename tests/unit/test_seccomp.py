"""The seccomp filter, run by a small interpreter of the kernel's instructions."""

from __future__ import annotations

import errno
import struct

import pytest

from gitorch.rooms.sandbox import seccomp

ALLOWED = 0x7FFF0000
X86_64, AARCH64, I386 = 0xC000003E, 0xC00000B7, 0x40000003
NEW_USER, NEW_NET, THREAD = 0x10000000, 0x40000000, 0x00010F00


def verdict(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Run a filter on one system call; return 0 when it is allowed, else the error that the caller gets."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    instructions = list(struct.iter_unpack("=HBBI", program))
    accumulator = place = 0
    while True:
        code, jump_true, jump_false, value = instructions[place]
        place += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x15:
                place += jump_true if accumulator == value else jump_false
            case 0x35:
                place += jump_true if accumulator >= value else jump_false
            case 0x54:
                accumulator &= value
            case 0x45:
                place += jump_true if accumulator & value else jump_false
            case 0x06:
                return 0 if value == ALLOWED else value & 0xFFFF
            case _:
                raise AssertionError(code)


@pytest.mark.parametrize(
    ("number", "arguments", "error"),
    [
        (0, (), 0),  # read
        (59, (), 0),  # execve
        (101, (), errno.EPERM),  # ptrace
        (165, (), errno.EPERM),  # mount
        (321, (), errno.EPERM),  # bpf
        (425, (), errno.EPERM),  # io_uring_setup
        (435, (), errno.ENOSYS),  # clone3
        (56, (THREAD,), 0),  # clone: a thread
        (56, (NEW_USER | 17,), errno.EPERM),
        (272, (0x400,), 0),  # unshare: its own files
        (272, (NEW_NET,), errno.EPERM),
        (272, (0x80,), errno.EPERM),  # a time namespace
        (41, (1,), 0),  # socket: AF_UNIX
        (41, (2,), 0),
        (41, (10,), 0),
        (41, (16,), 0),
        (41, (40,), errno.EAFNOSUPPORT),  # AF_VSOCK
        (41, (38,), errno.EAFNOSUPPORT),  # AF_ALG
        (53, (1,), 0),  # socketpair
        (53, (40,), errno.EAFNOSUPPORT),
        (16, (0, 0x5401), 0),  # ioctl: TCGETS
        (16, (0, 0x5412), errno.EPERM),  # TIOCSTI
        (90, (0, 0o755), 0),  # chmod
        (90, (0, 0o4755), errno.EPERM),
        (90, (0, 0o2775), 0),  # of a folder that a group shares
        (91, (0, 0o4700), errno.EPERM),  # fchmod
        (268, (0, 0, 0o6755), errno.EPERM),  # fchmodat
        (452, (0, 0, 0o4755), errno.EPERM),  # fchmodat2
        (2, (0, 0o101, 0o644), 0),  # open, to create
        (2, (0, 0o101, 0o4755), errno.EPERM),
        (2, (0, 0, 0o4755), 0),  # only to read: the mode means nothing
        (257, (0, 0, 0o101, 0o2755), errno.EPERM),  # openat
        (257, (0, 0, 0x410002, 0o4755), errno.EPERM),  # a file without a name yet
        (257, (0, 0, 0, 0o4755), 0),
        (437, (), errno.ENOSYS),  # openat2
        (85, (0, 0o4755), errno.EPERM),  # creat
        (259, (0, 0, 0o104755), errno.EPERM),  # mknodat
        (133, (0, 0o100644), 0),
        (0x40000000 + 41, (40,), errno.ENOSYS),  # the x32 numbers
    ],
)
def test_calls_on_x86_64(number: int, arguments: tuple[int, ...], error: int) -> None:
    """What a box takes away is an error, everything else goes on."""
    assert verdict(seccomp.program("x86_64"), X86_64, number, *arguments) == error


@pytest.mark.parametrize(
    ("number", "arguments", "error"),
    [
        (63, (), 0),  # read
        (117, (), errno.EPERM),  # ptrace
        (40, (), errno.EPERM),  # mount
        (97, (NEW_USER,), errno.EPERM),  # unshare
        (220, (17,), 0),  # clone
        (198, (40,), errno.EAFNOSUPPORT),  # socket
        (198, (2,), 0),
        (53, (0, 0, 0o4755), errno.EPERM),  # fchmodat
        (56, (0, 0, 0o101, 0o4755), errno.EPERM),  # openat
        (56, (0, 0, 0o101, 0o755), 0),
        (33, (0, 0, 0o104755), errno.EPERM),  # mknodat
    ],
)
def test_calls_on_aarch64(number: int, arguments: tuple[int, ...], error: int) -> None:
    """The same on the other architecture, with its own numbers."""
    assert verdict(seccomp.program("aarch64"), AARCH64, number, *arguments) == error


def test_a_foreign_architecture_gets_nothing() -> None:
    """32-bit calls have other numbers: none of them passes."""
    assert verdict(seccomp.program("x86_64"), I386, 3) == errno.ENOSYS


def test_unknown_machines_have_no_filter() -> None:
    """There is no guessing at numbers."""
    with pytest.raises(KeyError):
        seccomp.program("riscv64")


STREAM, DATAGRAM, RAW, NON_BLOCKING, CLOSED_BY_EXEC = 1, 2, 3, 0x800, 0x80000


@pytest.mark.parametrize(
    ("number", "arguments", "error"),
    [
        (41, (1, STREAM), errno.EAFNOSUPPORT),  # a unix socket: ssh-agent, Docker, D-Bus
        (53, (1, STREAM), 0),  # a pair of them
        (53, (2, STREAM), errno.EAFNOSUPPORT),
        (41, (2, STREAM), 0),
        (41, (2, STREAM | NON_BLOCKING | CLOSED_BY_EXEC, 6), 0),
        (41, (10, STREAM), 0),
        (41, (2, STREAM, 262), errno.EPROTONOSUPPORT),  # MPTCP, which Landlock does not see
        (41, (2, DATAGRAM), errno.EACCES),  # UDP, which it does not see either
        (41, (10, DATAGRAM | NON_BLOCKING), errno.EACCES),
        (41, (2, RAW), errno.EACCES),
        (41, (16, RAW), 0),  # AF_NETLINK
        (41, (40, STREAM), errno.EAFNOSUPPORT),
        (29, (), errno.EPERM),  # shmget
        (302, (0,), 0),  # prlimit64 of itself
        (302, (77,), errno.EPERM),
        (101, (), errno.EPERM),
        (0, (), 0),
    ],
)
def test_calls_without_namespaces(number: int, arguments: tuple[int, ...], error: int) -> None:
    """The filter closes what Landlock leaves open, and what namespaces would make harmless."""
    program = seccomp.program("x86_64", without_namespaces=True)
    assert verdict(program, X86_64, number, *arguments) == error


def test_an_open_network_has_all_of_the_internet() -> None:
    """And no unix sockets of the host."""
    program = seccomp.program("x86_64", without_namespaces=True, shares_network=True)
    assert verdict(program, X86_64, 41, 2, DATAGRAM) == 0
    assert verdict(program, X86_64, 41, 1, STREAM) == errno.EAFNOSUPPORT
