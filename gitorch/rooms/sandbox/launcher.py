"""The process outside of a sandbox: starts its program, serves the box's way to the network, and passes signals on.

Uses only the standard library, and outlives the orchestrator. Started as
`python -I -S launcher.py SETTINGS [--brief FILE] -- PROGRAM ARGUMENT...` with the environment of the program.

SETTINGS is a JSON object: `bwrap` (the arguments of bubblewrap up to the program) or `confine` (rules as `confine.py`
wants them, without ports and filter), `cwd` and `ports` (of a confined program: where it starts, and what it may
connect to beside the proxy), `filter` (the seccomp filter in hexadecimal), `network` (None, or `folder`: None without a
box, `log`, `hosts`: rules `HOST:PORT`, and `keys`: None, or the service whose keys stay outside, for `key_proxy`),
`seconds` and `output_bytes` (limits; 0: none), `hints` (whether a program that fails gets a line about refused hosts).
It ends with the exit code of the program, or with 128 and the signal's number.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would delay the start of every agent and every check
    from typing import Any

    from gitorch.rooms.sandbox import confine, devices, key_proxy, network_proxy

BRIEF = "/run/gitorch-brief"
_CHUNK = 1 << 20
TOO_MUCH = 125
"""The exit code of a program that printed more than it may."""


class BoxLaunch:
    """One box with a program in it."""

    def __init__(self, settings: dict[str, Any], brief: str, argv: list[str]) -> None:
        self.settings = settings
        self.brief = brief
        self.argv = argv
        self.box: subprocess.Popen[bytes] | None = None
        self.inner = 0
        self.pending: list[int] = []

    def run(self) -> int:
        """Run the program to its end; return its exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._pass_on)
        env = dict(os.environ)
        gate = None
        if self.settings["confine"]:
            _import("confine")
            confine.die_with_parent(os.getppid())
        if network := self.settings["network"]:
            _import("network_proxy")
            keys = None
            if network["keys"]:
                _import("key_proxy")
                keys = key_proxy.KeyProxy(network["keys"], env)
            gate = network_proxy.serve(network["folder"], network["log"], network["hosts"], env, keys)
        if os.geteuid() == 0:
            _import("devices")
            devices.freeze()  # where root may not mount, `run` reports such a change
        limit = self.settings["output_bytes"]
        stdout = subprocess.PIPE if limit else None
        if self.settings["confine"]:
            self._start_confined(env, stdout, gate.port if gate else 0)
        else:
            self._start(env, stdout)
        assert self.box is not None
        if self.settings["seconds"]:
            signal.signal(signal.SIGALRM, lambda *_: self._kill())
            signal.alarm(self.settings["seconds"])
        if limit and not self._copy_output(limit):
            self._kill()
            self.box.wait()
            return TOO_MUCH
        code = self.box.wait()
        if code != 0 and gate and gate.refused and self.settings["hints"]:
            _say_refused(gate.refused)
        return code if code >= 0 else 128 - code

    def _start(self, env: dict[str, str], stdout: int | None) -> None:
        status, status_writer = os.pipe()
        descriptors = [status_writer]
        argv = [*self.settings["bwrap"], "--info-fd", str(status_writer)]
        if self.settings["filter"]:
            descriptors.append(_readable(bytes.fromhex(self.settings["filter"])))
            argv += ["--seccomp", str(descriptors[-1])]
        if self.brief:
            argv += ["--ro-bind", self.brief, BRIEF]
        source = _sealed_input()
        # a program that asks for no terminal input does not get gitorch's
        words = [*argv, "--", *self.argv]
        self.box = subprocess.Popen(words, env=env, stdin=source, stdout=stdout, pass_fds=descriptors)
        for descriptor in (*descriptors, *([] if source is None else [source])):
            os.close(descriptor)
        self._read_status(status)

    def _start_confined(self, env: dict[str, str], stdout: int | None, proxy_port: int) -> None:
        rules, argv = dict(self.settings["confine"]), self.argv
        rules["filter"] = self.settings["filter"]
        if self.settings["ports"] is not None:
            rules["ports"] = [*self.settings["ports"], *([proxy_port] if proxy_port else [])]
        if self.brief:
            rules["read"] = [*rules["read"], os.path.realpath(self.brief)]
        if proxy_port:
            # the address of the key's service, which was written down before the port was known
            before, after = (f"http://127.0.0.1:{port}/key" for port in (network_proxy.PORT_IN_BOX, proxy_port))
            argv = [word.replace(before, after) for word in argv]
            env = {name: text.replace(before, after) for name, text in env.items()}
        words = [sys.executable, "-I", "-S", confine.__file__, json.dumps(rules), str(os.getpid()), "--", *argv]
        self.box = subprocess.Popen(words, env=env, stdout=stdout, cwd=self.settings["cwd"])
        self.inner = self.box.pid
        while self.pending:
            self._deliver(self.pending.pop())

    def _read_status(self, descriptor: int) -> None:
        """Learn the process id of the box's first process, and deliver the signals that came before it was known."""
        with os.fdopen(descriptor, "rb") as pipe:
            text = pipe.read()
        with contextlib.suppress(ValueError, KeyError):
            self.inner = int(json.loads(text)["child-pid"])
        while self.pending:
            self._deliver(self.pending.pop())

    def _pass_on(self, number: int, _: object) -> None:
        if self.inner:
            self._deliver(number)
        else:
            self.pending.append(number)

    def _deliver(self, number: int) -> None:
        if self.settings["confine"]:
            assert self.box is not None
            self.box.send_signal(number)
            return
        # the first process of the box is bubblewrap's own: its child is the program
        path = f"/proc/{self.inner}/task/{self.inner}/children"
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            for pid in file.read().split()[:1]:
                os.kill(int(pid), number)

    def _copy_output(self, limit: int) -> bool:
        """Pass the program's output on; return whether it stayed within the limit."""
        assert self.box is not None
        assert self.box.stdout is not None
        for chunk in iter(lambda: os.read(self.box.stdout.fileno(), 65_536), b""):  # type: ignore[union-attr]
            limit -= len(chunk)
            if limit < 0:
                return False
            try:
                _write_all(chunk)
            except BrokenPipeError:
                return True  # the reader has what it wants
        return True

    def _kill(self) -> None:
        if self.box is not None and self.box.poll() is None:
            self.box.kill()  # the box dies with it


def _say_refused(hosts: list[str]) -> None:
    names = ", ".join(f'"{name}"' for name in hosts)
    with contextlib.suppress(BrokenPipeError):
        _write_all(f"gitorch: the sandbox refused a connection; to allow it: sandbox.hosts = [{names}]\n".encode())


def _import(name: str) -> None:
    """Import a file beside this one: only boxes with a network pay for sockets and threads (15 ms), or for TLS."""
    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    globals()[name] = __import__(name)
    del sys.path[0]


def _write_all(chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(1, view) :]


def _readable(content: bytes) -> int:
    """Return a file descriptor from which a small content can be read."""
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    return reader


def _sealed_input() -> int | None:
    """Return a copy of a file that is the input, which nobody can change; None for any other input.

    A program could open the file itself again for writing, through `/proc/self/fd/0`: mounts do not hide that.
    """
    if not stat.S_ISREG(os.fstat(0).st_mode):
        return None
    copy = os.memfd_create("input", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    while chunk := os.read(0, _CHUNK):
        os.write(copy, chunk)
    os.lseek(copy, 0, os.SEEK_SET)
    fcntl.fcntl(
        copy, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    )
    return copy


def main(words: list[str]) -> int:
    """Read the arguments and run the box."""
    split = words.index("--")
    options, argv = words[:split], words[split + 1 :]
    brief = options[2] if len(options) > 2 else ""
    return BoxLaunch(json.loads(options[0]), brief, argv).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
