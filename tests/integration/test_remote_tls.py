"""TLS to the cluster: the server proves itself with a certificate, and so does the client."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gitorch.config import RemoteSettings
from gitorch.errors import SetupNeeded
from gitorch.executors.temporal.connection import Connection
from gitorch.executors.temporal.engine import Engine
from gitorch.services.remote import target_of
from tests.support.certificates import certify
from tests.support.temporal import serving


class Terminator:
    """Ends TLS in front of a server that has none, and lets in only those with a certificate."""

    def __init__(self, folder: Path, port: int) -> None:
        self._port = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self._context.load_verify_locations(folder / "ca.pem")
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.set_alpn_protocols(["h2"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(client, server_side=True) as near:
            far = socket.create_connection(("127.0.0.1", self._port))
            threading.Thread(target=self._copy, args=(far, near), daemon=True).start()
            self._copy(near, far)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[RemoteSettings]:
    """Run a server behind TLS; return settings that it accepts."""
    for name, authority in (("ca", ""), ("server", "ca"), ("client", "ca"), ("stranger", "")):
        certify(tmp_path, name, authority)
    with serving(tmp_path / "temporal") as server:
        terminator = Terminator(tmp_path, server.port)
        with terminator.listener:
            yield RemoteSettings(
                address=f"localhost:{terminator.listener.getsockname()[1]}",
                ca=str(tmp_path / "ca.pem"),
                certificate=str(tmp_path / "client.pem"),
                private_key=str(tmp_path / "client.key"),
            )


def answers(settings: RemoteSettings, patience: float = 0.0) -> bool:
    try:
        Engine(Connection(target_of(settings, {}))).machines(patience)
    except SetupNeeded as error:
        assert error.code == "remote-unreachable"  # noqa: PT017
        return False
    return True


def test_both_sides_prove_who_they_are(settings: RemoteSettings, tmp_path: Path) -> None:
    """A client without a certificate is refused by the server, a server of another authority by the client."""
    assert answers(settings, 60.0)  # it has just started, and may be busy with that
    assert not answers(msgspec.structs.replace(settings, certificate="", private_key=""))
    assert not answers(msgspec.structs.replace(settings, ca=str(tmp_path / "stranger.pem")))
