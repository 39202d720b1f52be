"""Machines in network namespaces behind one bridge, whose links can be cut; and a stand-in for ssh between them.

Needs root, and `ip` of iproute2. The bridge is on this machine, at `HOME`.

    python -m tests.support.network serve PORT    # runs the commands that `ssh` asks for
    python -m tests.support.network ssh ...       # what `ssh` does on a machine
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_NET = "10.213.77"
HOME = f"{_NET}.1"
_BLOCK = 65_536


class Network:
    """Some machines, each with a link of its own to the bridge."""

    def __init__(self, machines: int) -> None:
        self._prefix = f"gx{os.getpid() % 100_000}"
        self._machines = machines

    def __enter__(self) -> Network:
        _ip("link", "add", self._prefix, "type", "bridge")
        _ip("addr", "add", f"{HOME}/24", "dev", self._prefix)
        _ip("link", "set", self._prefix, "up")
        for number in range(self._machines):
            name, link = self._name(number), self._link(number)
            _ip("netns", "add", name)
            _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", link, "master", self._prefix, "up")
            _ip("-n", name, "addr", "add", f"{_NET}.{number + 10}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                _ip("-n", name, "link", "set", device, "up")
        return self

    def __exit__(self, *_: object) -> None:
        for number in range(self._machines):
            _ip("netns", "del", self._name(number))
        _ip("link", "del", self._prefix)

    def on(self, number: int, *command: str) -> tuple[str, ...]:
        """Return the command that runs another one on a machine."""
        return ("ip", "netns", "exec", self._name(number), *command)

    def cut(self, number: int) -> None:
        """Let all packets from and to a machine vanish."""
        _ip("link", "set", self._link(number), "down")

    def heal(self, number: int) -> None:
        """Let packets pass again."""
        _ip("link", "set", self._link(number), "up")

    def _name(self, number: int) -> str:
        return f"{self._prefix}-{number}"

    def _link(self, number: int) -> str:
        return f"{self._prefix}v{number}"


def _ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True)


@contextlib.contextmanager
def far_commands(port: int) -> Iterator[None]:
    """Run the commands that `ssh` on the machines asks for."""
    words = (sys.executable, "-m", "tests.support.network", "serve", str(port))
    with subprocess.Popen(words, cwd=Path(__file__).parents[2]) as server:
        try:
            yield
        finally:
            server.kill()


def install_ssh(folder: Path, port: int) -> None:
    """Write a program `ssh` that asks for commands at a port of this machine."""
    program = folder / "ssh"
    program.write_text(f'#!/bin/sh\nfor last; do :; done\nexec {sys.executable} -S {__file__} ssh {port} "$last"\n')
    program.chmod(0o755)


def _serve(port: int) -> None:
    with socket.create_server((HOME, port)) as listener:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            command = _line(connection)
            subprocess.Popen(("/bin/sh", "-c", command), stdin=connection.fileno(), stdout=connection.fileno())
            connection.close()


def _line(connection: socket.socket) -> str:
    read = b""
    while not read.endswith(b"\n") and (byte := connection.recv(1)):
        read += byte
    return read.decode().strip()


def _ssh(port: int, command: str) -> None:
    with socket.create_connection((HOME, port)) as connection, selectors.DefaultSelector() as ready:
        connection.sendall(f"{command}\n".encode())
        ready.register(0, selectors.EVENT_READ)
        ready.register(connection, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is connection:
                    if not (block := connection.recv(_BLOCK)):
                        return
                    os.write(1, block)
                elif block := os.read(0, _BLOCK):
                    connection.sendall(block)
                else:
                    ready.unregister(0)
                    connection.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(int(sys.argv[2]))
    _ssh(int(sys.argv[2]), sys.argv[3])
