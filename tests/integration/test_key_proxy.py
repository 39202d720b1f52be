"""The proxy that adds a key outside of a box: what it sends where, with TLS, and what it refuses to send."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gitorch.rooms.sandbox import network_proxy
from gitorch.rooms.sandbox.key_proxy import KeyProxy, placeholder
from tests.support.certificates import certify

KEY = "the-real-key-1234"
SETTINGS = {"service": "WHERE", "prefix": "/key/", "keys": ["API_KEY"]}
INSIDE = placeholder("API_KEY")
LARGE = b"x" * 3_000_000


class _Service(BaseHTTPRequestHandler):
    """Answers with what it got, headers in lower case, and the length of the body."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        lines = [f"{self.command} {self.path}", *(f"{name.lower()}: {text}" for name, text in self.headers.items())]
        answer = "\n".join([*lines, f"body {len(body)}"]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer) + len(LARGE)))
        self.end_headers()
        self.wfile.write(answer + LARGE)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """A service without TLS."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def tls_port(tmp_path: Path) -> Iterator[int]:
    """A service with a certificate of an authority of its own."""
    certify(tmp_path, "ca")
    certify(tmp_path, "server", "ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Service) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def answered(folder: Path, url: str, request: bytes, *, hosts: tuple[str, ...] = (), **env: str) -> tuple[str, str]:
    """Return what a program in the box gets for its request, and the proxy's log."""
    variables = {"WHERE": url, "API_KEY": KEY, **env}
    keys = KeyProxy(SETTINGS, variables)
    assert "WHERE" not in variables
    assert variables["API_KEY"] == INSIDE
    log = folder / "log"
    allowed = [*hosts, keys.address]
    gate = network_proxy.Gate(allowed, str(log), "", keys)
    ours, box = socket.socketpair()

    def answer() -> None:
        with ours:
            gate.answer(ours)

    worker = threading.Thread(target=answer, daemon=True)
    with box:
        box.settimeout(30)
        worker.start()
        box.sendall(request)
        received = b"".join(iter(lambda: box.recv(1 << 20), b""))
    return received.decode("latin-1").replace("x" * 1000, ""), log.read_text() if log.exists() else ""


def post(path: str, *headers: str, body: bytes = b"hello") -> bytes:
    """Return a request of a box."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1:3128", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_the_key_takes_the_place_of_the_placeholder(port: int, tmp_path: Path) -> None:
    """In the headers that hold keys, whatever their spelling; path, query and body arrive as they were sent."""
    request = post("/key/v1/messages?beta=true", f"X-Api-Key: {INSIDE}", f"Authorization: Bearer {INSIDE}")
    answer, log = answered(tmp_path, f"http://127.0.0.1:{port}/base/", request)
    lines = answer.partition("\r\n\r\n")[2].splitlines()
    assert lines[0] == "POST /base/v1/messages?beta=true"
    assert f"x-api-key: {KEY}" in lines
    assert f"authorization: Bearer {KEY}" in lines
    assert f"host: 127.0.0.1:{port}" in lines
    assert "connection: close" in lines
    assert any(line.startswith("body 5") for line in lines)
    assert f" ALLOW 127.0.0.1:{port} with a key" in log


def test_other_headers_do_not_get_the_key(port: int, tmp_path: Path) -> None:
    """A service may answer with what it read in some other header."""
    request = post("/key/x", f"X-Echo: {INSIDE}", f"User-Agent: {INSIDE}")
    assert KEY not in answered(tmp_path, f"http://127.0.0.1:{port}", request)[0]


def test_tls_with_a_large_body_both_ways(tls_port: int, tmp_path: Path) -> None:
    """Nothing waits for the other side while there is more to send."""
    request = post("/key/x", f"x-api-key: {INSIDE}", body=LARGE)
    authority = str(tmp_path / "ca.pem")
    answer, _ = answered(tmp_path, f"https://localhost:{tls_port}", request, NODE_EXTRA_CA_CERTS=authority)
    assert f"x-api-key: {KEY}" in answer
    assert f"body {len(LARGE)}" in answer


def test_a_service_that_cannot_prove_itself_gets_no_key(tls_port: int, tmp_path: Path) -> None:
    """The answer says why."""
    answer, log = answered(tmp_path, f"https://localhost:{tls_port}", post("/key/x", f"x-api-key: {INSIDE}"))
    assert answer.startswith("HTTP/1.1 502 ")
    assert "certificate verify failed" in answer
    assert " FAIL " in log


@pytest.mark.parametrize(
    "request_line",
    [
        "TRACE /key/x HTTP/1.1",
        "CONNECT /key/x HTTP/1.1",
        "POST /key/../admin HTTP/1.1",
        "POST /key/a/%2e%2E/admin HTTP/1.1",
        "POST /key/a/..\\admin HTTP/1.1",
        "POST /other HTTP/1.1",
        "POST /keys HTTP/1.1",
        "POST //evil.example/key/ HTTP/1.1",
        "POST /key/x",
        "POST /key/x y HTTP/1.1",
    ],
)
def test_a_request_that_is_not_for_the_service(request_line: str, port: int, tmp_path: Path) -> None:
    """TRACE would send the key back, `..` leaves the service's path: refused before anything is sent."""
    request = f"{request_line}\r\nx-api-key: {INSIDE}\r\n\r\n".encode()
    answer, log = answered(tmp_path, f"http://127.0.0.1:{port}/base", request)
    assert answer.startswith("HTTP/1.1 400 ")
    assert " ALLOW " not in log
    assert KEY not in answer


def test_another_host_gets_the_placeholder(port: int, tmp_path: Path) -> None:
    """Only the key's service gets the key, whatever other hosts are allowed."""
    url = f"http://127.0.0.1:{port}/x"
    request = f"POST {url} HTTP/1.1\r\ncontent-length: 0\r\nx-api-key: {INSIDE}\r\n\r\n".encode()
    answer, _ = answered(tmp_path, "https://api.example.org", request, hosts=(f"127.0.0.1:{port}",))
    assert f"x-api-key: {INSIDE}" in answer
    assert KEY not in answer
