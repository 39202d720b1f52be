"""Requests of a box to a service with a key: the box knows a placeholder, and the key is put in its place outside.

Uses only the standard library. It runs beside `network_proxy` in the launcher. A program in the box asks the proxy of
its box for a path, such as `/key/...`; the request goes to one service, and to no other host.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
from urllib.parse import unquote, urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would delay the start of every agent
    from typing import Any

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Not TRACE: its answer is the request, key and all."""
_WITH_KEYS = (b"authorization", b"x-api-key", b"api-key")
_DROPPED = (b"host", b"connection", b"proxy-connection", b"proxy-authorization", b"keep-alive", b"te", b"trailer")
_AUTHORITIES = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CHUNK = 65_536


class KeyProxy:
    """The service of one box, and the keys that the box does not have."""

    def __init__(self, settings: dict[str, Any], env: dict[str, str]) -> None:
        """Take the keys out of the environment of the box's program, and leave a placeholder for each.

        `settings` has the names of variables, `service`, an address that is taken out, and `keys`; and `prefix`, with
        which a path for the service begins.
        """
        self.url = urlsplit(env.pop(settings["service"]))
        self.port = self.url.port or (443 if self.url.scheme == "https" else 80)
        self.prefix: str = settings["prefix"]
        self.keys = {placeholder(name).encode(): env[name].encode() for name in settings["keys"]}
        env.update((name, placeholder(name)) for name in settings["keys"])
        self.authorities = [env[name] for name in _AUTHORITIES if env.get(name)]

    @property
    def address(self) -> str:
        """Return host and port of the service."""
        host = self.url.hostname or ""
        return f"{f'[{host}]' if ':' in host else host}:{self.port}"

    def secured(self, server: socket.socket) -> socket.socket:
        """Return a connection to the service with TLS, where its address asks for that."""
        if self.url.scheme != "https":
            return server
        context = ssl.create_default_context()
        for path in self.authorities:
            context.load_verify_locations(path)
        return context.wrap_socket(server, server_hostname=self.url.hostname)

    def request(self, head: bytes) -> bytes:
        """Return the head of a request as the service expects it, with the key.

        Raises `ValueError` for a request that is not for the service.
        """
        method, address, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        path = address.removeprefix(self.prefix)
        # the service can share its host with others: no way out of its own path
        climbs = ".." in re.split(r"[/\\]", unquote(path.partition("?")[0]))
        if method not in _METHODS or not address.startswith(self.prefix) or climbs:
            raise ValueError(address)
        lines = [f"{method} {self.url.path.rstrip('/')}/{path} HTTP/1.1".encode("latin-1")]
        lines.append(b"Host: " + self.url.netloc.encode("latin-1"))
        upgrades = False
        for line in head.split(b"\r\n")[1:]:
            name, _, content = line.partition(b":")
            name = name.strip().lower()
            upgrades = upgrades or name == b"upgrade"
            if name in _WITH_KEYS:
                for known, key in self.keys.items():
                    content = content.replace(known, key)
                lines.append(name + b":" + content)
            elif name not in _DROPPED:
                lines.append(line)
        lines.append(b"Connection: " + (b"Upgrade" if upgrades else b"close"))
        return b"\r\n".join((*lines, b"", b""))

    def exchange(self, client: socket.socket, server: socket.socket, request: bytes) -> None:
        """Send a request, and copy both ways until the service is done. One thread: TLS allows no two at once."""
        for end in (client, server):
            end.settimeout(None)
        server.sendall(request)
        sources = [client, server]
        while True:
            pending = isinstance(server, ssl.SSLSocket) and server.pending() > 0
            for source in [server] if pending else select.select(sources, [], [])[0]:
                chunk = _received(source)
                if source is server and chunk == b"":
                    return
                if chunk == b"":
                    sources.remove(client)  # it has sent everything; the answer may still come
                elif chunk:
                    (client if source is server else server).sendall(chunk)


def placeholder(name: str) -> str:
    """Return what a box has in place of the key in a variable."""
    return f"outside-of-the-sandbox:{name}"


def _received(source: socket.socket) -> bytes | None:
    """Return what has come; None for a part of TLS that is no content, for which a blocking read would wait."""
    source.setblocking(False)
    try:
        return source.recv(_CHUNK)
    except (BlockingIOError, ssl.SSLWantReadError):
        return None
    finally:
        source.setblocking(True)
