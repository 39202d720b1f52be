"""What else of the user's runs on the machine of an attack: servers that know a secret, and a process to hurt."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

_SECRET = b"secret-socket"


class Services(msgspec.Struct, frozen=True):
    """Servers on loopback, on a socket in a folder and on an abstract one, as a user has them."""

    addresses: dict[str, str]
    input: Path

    @contextlib.contextmanager
    def with_process(self) -> Iterator[dict[str, str]]:
        """Add a process with a secret in its environment; yield the variables that name everything."""
        self.input.write_text("mine")
        with (
            self.input.open("rb") as stdin,
            subprocess.Popen(["sleep", "600"], stdin=stdin, env={"TOKEN": "secret-environment"}) as process,
            subprocess.Popen(["sleep", "600"]) as second,
        ):
            try:
                yield {**self.addresses, "PID": str(process.pid), "PID2": str(second.pid), "INPUT": str(self.input)}
            finally:  # without it, a test that fails would wait for both to end by themselves
                process.kill()
                second.kill()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Services]:
    """Serve while the block runs."""
    path, name = folder / "agent.sock", f"gitorch-test-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(_server(family, address))
            for family, address in (
                (socket.AF_INET, ("127.0.0.1", 0)),
                (socket.AF_UNIX, str(path)),
                (socket.AF_UNIX, f"\0{name}"),
            )
        ]
        datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", 0))
        threading.Thread(target=_answer, args=(datagrams,), daemon=True).start()
        ports = {"PORT": str(servers[0].getsockname()[1]), "UDP_PORT": str(datagrams.getsockname()[1])}
        yield Services({**ports, "SOCKET": str(path), "ABSTRACT": name}, folder / "input")


def _server(family: socket.AddressFamily, address: tuple[str, int] | str) -> socket.socket:
    server = socket.socket(family, socket.SOCK_STREAM)
    server.bind(address)
    server.listen()
    threading.Thread(target=_serve, args=(server,), daemon=True).start()
    return server


def _serve(server: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it was closed
        while True:
            client, _ = server.accept()
            with client:
                client.sendall(_SECRET)


def _answer(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            _, client = server.recvfrom(99)
            server.sendto(_SECRET, client)
