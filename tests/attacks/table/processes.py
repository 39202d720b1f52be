"""Attacks on other processes, services, the network and the kernel."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from pathlib import Path

from tests.attacks.attack import Attack, Fate, Hit, World, encoded, reading


def _state(world: World, name: str = "PID") -> str:
    with contextlib.suppress(OSError):
        stat = Path("/proc", world.service[name], "stat").read_text("utf-8")
        return stat.rpartition(")")[2].split()[0]
    return "gone"


def _dead(world: World) -> bool:
    return _state(world, "PID2") in ("gone", "Z")


def _halted(world: World) -> bool:
    return _state(world) == "T"


def _outlived(world: World) -> bool:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if (world.outside / "outlived").exists():
            return True
        time.sleep(0.1)
    return False


def _has_other_input(world: World) -> bool:
    files = (Path(world.service["INPUT"]), *(world.state / "attempts" / "night").glob("*/*/stdin"))
    return any("evil-input" in file.read_text("utf-8") for file in files if file.exists())


def _limited(world: World) -> bool:
    return resource.prlimit(int(world.service["PID"]), resource.RLIMIT_CORE)[0] == 4096


def _niced(world: World) -> bool:
    return os.getpriority(os.PRIO_PROCESS, int(world.service["PID"])) == 7


def _hit(id: str, what: str, script: str, hit: Hit, fate: Fate = "hits") -> Attack:
    return Attack(id=id, what=what, script=script, hit=hit, night="p", private=fate, off=fate)


def _python(body: str) -> str:
    """Return a script of Python, with a way to call the kernel."""
    return encoded(
        f"import ctypes, os, socket\nc = ctypes.CDLL(None, use_errno=True)\npid = int(os.environ['PID'])\n{body}"
    )


def _syscall(id: str, what: str, call: str) -> Attack:
    """Return an attack that asks the kernel for something: it hits where the kernel grants it."""
    return reading(
        id,
        what,
        _python(f"print('granted' if {call} >= 0 else 'refused')"),
        "granted",
        certain=False,
        night="p",
        private="hits",
        off="hits",
    )


_EVENT = "b''.join((b'\\1\\0\\0\\0', b'\\x70\\0\\0\\0', bytes(104)))"

ATTACKS: tuple[Attack, ...] = (
    _hit("P02", "end another process", "kill -9 $PID2", _dead),
    _hit("P02b", "stop another process", "kill -STOP $PID", _halted),
    reading(
        "P03",
        "a unix socket",
        _python("s = socket.socket(1); s.connect(os.environ['SOCKET']); print(s.recv(99))"),
        "secret-socket",
    ),
    reading(
        "P04",
        "a service on loopback",
        _python("s = socket.create_connection(('127.0.0.1', int(os.environ['PORT']))); print(s.recv(99))"),
        "secret-socket",
    ),
    reading(
        "P04b",
        "the same through the proxy",
        _python("""
try:
    s = socket.create_connection(("127.0.0.1", 3128), 2)
    s.sendall(f"CONNECT 127.0.0.1:{os.environ['PORT']} HTTP/1.1\\r\\n\\r\\n".encode())
    print(s.recv(999)); print(s.recv(99))
except OSError:
    print(socket.create_connection(("127.0.0.1", int(os.environ["PORT"]))).recv(99))
"""),
        "secret-socket",
    ),
    reading(
        "P04c",
        "by a name that leads there",
        _python("s = socket.create_connection(('localhost', int(os.environ['PORT']))); print(s.recv(99))"),
        "secret-socket",
    ),
    reading(
        "P04d",
        "a datagram",
        _python(
            "s = socket.socket(2, 2); s.settimeout(2); s.sendto(b'x', ('127.0.0.1', int(os.environ['UDP_PORT']))); print(s.recv(99))"
        ),
        "secret-socket",
    ),
    reading(
        "P05",
        "an abstract socket",
        _python("s = socket.socket(1); s.connect('\\0' + os.environ['ABSTRACT']); print(s.recv(99))"),
        "secret-socket",
    ),
    reading("P06", "vsock", _python("socket.socket(40, 1); print('granted')"), "granted", certain=False, night="p"),
    reading("P07", "a new user namespace", "unshare -U true && echo granted", "granted", certain=False, night="p"),
    reading("P09", "remount", "mount -o remount,rw / && echo granted", "granted", certain=False, night="p"),
    reading("P10", "devices", "mknod dev b 8 0 && echo granted; rm -f dev", "granted", certain=False, night="p"),
    reading(
        "P11",
        "trace another process",
        _python("print('granted' if c.ptrace(0x4206, pid, 0, 0) == 0 else 'refused')"),
        "granted",
        certain=False,
        night="p",
    ),
    reading(
        "P12",
        "the memory of another process",
        _python("print('granted' if os.open(f'/proc/{pid}/mem', os.O_RDWR) else '')"),
        "granted",
        certain=False,
        night="p",
    ),
    _hit(
        "P13",
        "the limits of another process",
        _python("import resource; resource.prlimit(pid, resource.RLIMIT_CORE, (4096, 4096))"),
        _limited,
    ),
    _hit("P14", "the priority of another process", "renice -n 7 -p $PID", _niced),
    _hit(
        "P15",
        "the folder of another process",
        "echo evil > /proc/$PID/cwd/evil-by-proc-$PID; mv /proc/$PID/cwd/evil-by-proc-$PID $OUTSIDE/by-proc",
        lambda world: (world.outside / "by-proc").exists(),
    ),
    reading(
        "P16", "a raw socket", _python("socket.socket(2, 3, 1); print('granted')"), "granted", certain=False, night="p"
    ),
    reading(
        "P17",
        "a packet socket",
        _python("socket.socket(17, 3, 0); print('granted')"),
        "granted",
        certain=False,
        night="p",
    ),
    reading(
        "P18",
        "a mount of its own",
        "mkdir -p m; mount -t tmpfs none m && { echo granted; umount m; }",
        "granted",
        certain=False,
        night="p",
    ),
    reading(
        "P19",
        "the namespaces of the first process",
        'nsenter -t 1 -n true && test "$(readlink /proc/1/ns/pid)" != "$(readlink /proc/self/ns/pid)" && echo granted || { test -r "$VICTIM" && nsenter -t $PID -n true && echo granted; }',
        "granted",
        certain=False,
        night="p",
    ),
    reading(
        "P20",
        "the log of the kernel",
        "dmesg | head -1 | grep -q . && echo granted",
        "granted",
        certain=False,
        night="p",
    ),
    reading("P21", "another root", "mkdir -p r; chroot / true && echo granted", "granted", certain=False, night="p"),
    reading("P23", "the passwords of the machine", "cat /etc/shadow", "root:", certain=False, night="p"),
    reading(
        "P24",
        "the name of the machine",
        _python("n = socket.gethostname().encode(); print('granted' if c.sethostname(n, len(n)) == 0 else '')"),
        "granted",
        certain=False,
        night="p",
    ),
    _syscall("P25", "io_uring", "c.syscall(425, 1, ctypes.create_string_buffer(120))"),
    _syscall("P26", "a key in the kernel", "c.syscall(248, b'user', b'evil', b'x', 1, -3)"),
    _syscall(
        "P27",
        "a program in the kernel",
        "c.syscall(321, 0, ctypes.create_string_buffer(b'\\1\\0\\0\\0\\4\\0\\0\\0\\4\\0\\0\\0\\1\\0\\0\\0' + bytes(104)), 120)",
    ),
    _syscall(
        "P28", "counters of the processor", f"c.syscall(298, ctypes.create_string_buffer({_EVENT}), 0, -1, -1, 0)"
    ),
    _hit(
        "P31",
        "the file that is a program's input",
        "for f in /proc/[0-9]*/fd/0; do"
        " case $(readlink $f) in $STATE/*|$INPUT) printf evi%s-input l >> $f;; esac; done 2>/dev/null",
        _has_other_input,
    ),
    reading(
        "P32",
        "settings of the kernel",
        'f=/proc/sys/kernel/core_pattern; was="$(cat $f)"; printf %s "$was" > $f && echo granted',
        "granted",
        certain=False,
        night="p",
    ),
    reading(
        "P33",
        "a control group of its own",
        "mkdir /sys/fs/cgroup/evil /sys/fs/cgroup/pids/evil 2>/dev/null; rmdir /sys/fs/cgroup/evil /sys/fs/cgroup/pids/evil 2>/dev/null && echo granted",
        "granted",
        certain=False,
        night="p",
    ),
    reading(
        "P34",
        "the permissions of a device",
        "was=$(stat -c %a /dev/full); chmod 644 /dev/full && echo granted; chmod $was /dev/full",
        "granted",
        certain=False,
        night="p",
    ),
    reading("P40", "files by another process's root", "cat /proc/$PID/root$VICTIM/.ssh/id_rsa", "secret-key"),
    reading("P41", "what another process has open", "readlink /proc/$PID/fd/0 && echo has-files", "has-files"),
    reading(
        "P43",
        "a file that runs with the rights of its owner",
        "cp /bin/true s; chmod 4755 s; echo mode $(stat -c %a s)",
        "mode 4755",
    ),
    reading(
        "P44",
        "the same from the beginning",
        encoded("import os\nprint('mode %o' % os.fstat(os.open('s', os.O_CREAT | os.O_WRONLY, 0o4755)).st_mode)"),
        "mode 104755",
    ),
    reading(
        "P45",
        "which process the kernel ends first",
        "F=/proc/$PID/oom_score_adj; echo 900 > $F; grep -q 900 $F && echo is-first; echo 0 > $F",
        "is-first",
    ),
    reading(
        "P46",
        "a socket by another process's root",
        _python("s = socket.socket(1); s.connect('/proc/%d/root%s' % (pid, os.environ['SOCKET'])); print(s.recv(99))"),
        "secret-socket",
    ),
    reading("P49", "a way back by a descriptor", "exec 9<$REPO; cat /proc/self/fd/9/dirty.txt", "secret-dirty"),
    _syscall("P29", "page faults in user space", "c.syscall(323, 0)"),
    _syscall("P30", "another process's files", "c.syscall(438, c.syscall(434, pid, 0), 0, 0)"),
    _hit(
        "P01",
        "outlive the attempt",
        "(setsid sh -c 'trap \"\" TERM HUP INT; sleep 4; touch $OUTSIDE/outlived' >/dev/null 2>&1 </dev/null &)",
        _outlived,
        "misses",
    ),
)
