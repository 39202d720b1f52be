"""A box's way to the network: a proxy on a unix socket that connects to allowed hosts only, and logs each decision.

Uses only the standard library. It runs in threads of the launcher, outside of the box, and understands `CONNECT` and
requests with an absolute `http://` address, one for each connection. Nothing of it looks into encrypted traffic.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import os
import socket
import struct
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitorch.rooms.sandbox.key_proxy import KeyProxy

SOCKET = "proxy.sock"
PORT_IN_BOX = 3128
MOST_CONNECTIONS = 128
_OPTIONS_OF_JAVA = ("MAVEN_OPTS", "GRADLE_OPTS", "JAVA_OPTS")
"""Variables with options of the JVM, for the tools that have one. `JAVA_TOOL_OPTIONS` makes each JVM write a line."""
MOST_NAMED = 5
"""Refused hosts that a failed check or preparation is told about."""
LONGEST_HEAD = 16_384
LARGEST_LOG = 4 << 20
SECONDS = 30.0
"""The longest time to connect, and to send a request."""


class Denied(Exception):
    """A connection that is not allowed, or not possible: `status` is the answer, the text says why."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def serve(folder: str, log: str, hosts: list[str], env: dict[str, str], keys: KeyProxy | None = None) -> Gate:
    """Listen in a folder of the host and answer in the background; return what decides.

    Without a folder, listen on a port of the host's loopback, `port` of what is returned, for this user's programs.
    `env` is the user's: a proxy that it names is the next hop, and is taken out of it. `hosts` are rules `HOST:PORT`;
    `*.NAME` stands for every name below it, `*` for every port. Requests for a path go through `keys`.
    """
    upstream = next(filter(None, (env.get(name, "") for name in ("HTTPS_PROXY", "https_proxy"))), "")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        env.pop(name, None)
    listener = _listen_in(folder) if folder else socket.create_server(("127.0.0.1", 0), backlog=MOST_CONNECTIONS)
    port = PORT_IN_BOX if folder else listener.getsockname()[1]
    env |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), f"http://127.0.0.1:{port}")
    env |= dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost,::1")
    env |= {name: f"{env.get(name, '')} {_java_options(port)}".strip() for name in _OPTIONS_OF_JAVA}
    gate = Gate(hosts, log, upstream, keys)
    gate.port = port
    threading.Thread(target=_accept, args=(listener, gate), daemon=True).start()
    return gate


def _java_options(port: int) -> str:
    """Return the JVM options for the proxy: Java does not read `HTTPS_PROXY`."""
    ends = (f"-D{scheme}.proxyHost=127.0.0.1 -D{scheme}.proxyPort={port}" for scheme in ("http", "https"))
    # Maven 3.9 and later reads these properties only if it is told to
    return " ".join((*ends, "-Daether.connector.http.useSystemProperties=true"))


def _listen_in(folder: str) -> socket.socket:
    os.makedirs(folder, exist_ok=True)
    # the path of a socket is at most 107 bytes long, the folder's can be longer
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(SOCKET, dir_fd=directory)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"/proc/self/fd/{directory}/{SOCKET}")
    os.close(directory)
    listener.listen(MOST_CONNECTIONS)
    return listener


def _accept(listener: socket.socket, gate: Gate) -> None:
    slots = threading.BoundedSemaphore(MOST_CONNECTIONS)
    while True:
        client, _ = listener.accept()
        if not _is_of_this_user(client):
            client.close()
            continue
        slots.acquire()
        threading.Thread(target=_serve_one, args=(client, gate, slots), daemon=True).start()


def _is_of_this_user(client: socket.socket) -> bool:
    """Return whether a connection is from a program of the same user: others of this machine get no key to use."""
    if client.family == socket.AF_UNIX:
        return True  # the folder is the user's
    ends = (client.getpeername(), client.getsockname())
    pair = [f"{struct.unpack('=I', socket.inet_aton(host))[0]:08X}:{port:04X}" for host, port in ends]
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = (line.split() for line in file)
        return any(row[1:3] == pair and row[7] == str(os.geteuid()) for row in rows)


def _serve_one(client: socket.socket, gate: Gate, slots: threading.BoundedSemaphore) -> None:
    try:
        with client, contextlib.suppress(OSError):
            gate.answer(client)
    finally:
        slots.release()


class Gate:
    """Decides on connections and makes those that are allowed."""

    def __init__(self, hosts: list[str], log: str, upstream: str, keys: KeyProxy | None = None) -> None:
        self.hosts = hosts
        self.keys = keys
        self.log = log
        self.upstream = upstream
        self.port = 0
        self.refused: list[str] = []
        self.lock = threading.Lock()

    def answer(self, client: socket.socket) -> None:
        """Read one request, and connect the client to its host or refuse."""
        client.settimeout(SECONDS)
        head, rest = read_head(client)
        target = ""
        try:
            method, address, version = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            if self.keys is not None and address.startswith("/"):
                target = self.keys.address
                self._send_with_key(client, self.keys.request(head) + rest, self.keys)
                return
            target = address if method == "CONNECT" else _host_of_url(address)
            host, port = split_address(target)
            server = self._connect(host, port)
        except ValueError:
            self._record("DENY", target or "a request that is not one of a proxy")
            client.sendall(_refusal("400 Bad Request", "gitorch's proxy takes CONNECT and http:// requests"))
            return
        except Denied as denied:
            self._record("DENY" if denied.status.startswith("403") else "FAIL", target)
            client.sendall(_refusal(denied.status, str(denied)))
            return
        self._record("ALLOW", target)
        with server:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                server.sendall(rest)
            else:
                server.sendall(_for_server(head, method, address, version) + rest)
            relay(client, server)

    def _send_with_key(self, client: socket.socket, request: bytes, keys: KeyProxy) -> None:
        plain = self._connect(*split_address(keys.address))
        try:
            server = keys.secured(plain)
        except OSError as error:
            plain.close()
            raise Denied("502 Bad Gateway", f"{keys.address}: {error}") from error
        self._record("ALLOW", f"{keys.address} with a key")
        with server:
            keys.exchange(client, server, request)

    def _connect(self, host: str, port: int) -> socket.socket:
        if not is_allowed(self.hosts, host, port):
            raise Denied("403 Forbidden", f"{host}:{port} is not in sandbox.hosts")
        try:
            if self.upstream and not _is_local(host):
                return _through(self.upstream, host, port)
            return _connect_directly(host, port)
        except OSError as error:
            raise Denied("502 Bad Gateway", f"{host}:{port}: {error}") from error

    def _record(self, decision: str, target: str) -> None:
        # names come from the box: one line each, of plain characters
        text = "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in target)[:300]
        if decision == "DENY" and text not in self.refused and len(self.refused) < MOST_NAMED:
            self.refused.append(text)
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {decision} {text}\n".encode()
        with self.lock, contextlib.suppress(OSError), open(self.log, "ab") as file:
            if file.tell() < LARGEST_LOG:
                file.write(line)


def is_allowed(rules: list[str], host: str, port: int) -> bool:
    """Return whether a rule `HOST:PORT` allows a host; an address is allowed only where it is written as such."""
    host = host.lower().rstrip(".")
    for rule in rules:
        name, _, ports = rule.lower().rpartition(":")
        is_below = name.startswith("*.") and host.endswith(name[1:]) and not _is_address(host)
        if (host == name.strip("[]") or is_below) and ports in ("*", str(port)):
            return True
    return False


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT` or `[ADDRESS]:PORT`; raise `ValueError` for anything else."""
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    is_plain = all(letter.isalnum() or letter in ".-_:" for letter in host)
    if not colon or not host or not is_plain or not host.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(text)
    return host, int(port)


def read_head(client: socket.socket) -> tuple[bytes, bytes]:
    """Return a request up to its empty line, and what came after it; raise `OSError` when it does not come."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = client.recv(4_096)
        if not chunk or len(data) > LONGEST_HEAD:
            raise OSError("no request")
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def relay(one: socket.socket, other: socket.socket) -> None:
    """Copy bytes both ways until both sides are done."""
    for end in (one, other):
        end.settimeout(None)
    back = threading.Thread(target=_copy, args=(other, one), daemon=True)
    back.start()
    _copy(one, other)
    back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while chunk := source.recv(65_536):
            target.sendall(chunk)
    except OSError:
        # one side is gone: the other must not wait
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _connect_directly(host: str, port: int) -> socket.socket:
    """Connect to a host; an allowed name must not lead to this machine, unless it is a name of this machine."""
    problem: OSError | None = None
    for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        where = ipaddress.ip_address(str(address[0]).partition("%")[0])
        mapped = getattr(where, "ipv4_mapped", None) or where
        is_own = mapped.is_loopback or mapped.is_link_local or mapped.is_unspecified or mapped.is_multicast
        is_own = is_own or (not _is_address(host) and _is_of_this_machine(family, str(address[0])))
        if is_own and not (_is_local(host) and mapped.is_loopback):
            raise Denied("403 Forbidden", f"{host} leads to {where}, an address of this machine or its network")
        try:
            return socket.create_connection((str(address[0]), port), timeout=SECONDS)
        except OSError as error:
            problem = error
    raise problem or OSError("no address")


def _is_of_this_machine(family: int, address: str) -> bool:
    """Return whether an address is one of this machine's own: a service could wait there for this machine alone."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True


def _through(proxy: str, host: str, port: int) -> socket.socket:
    """Connect through the user's own proxy, `http://[USER:PASSWORD@]HOST:PORT`."""
    credentials, _, address = proxy.partition("://")[2].strip("/").rpartition("@")
    server = socket.create_connection(split_address(address), timeout=SECONDS)
    lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
    if credentials:
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(credentials.encode()).decode()}")
    server.sendall("\r\n".join((*lines, "", "")).encode())
    status = read_head(server)[0].split(b"\r\n", 1)[0]
    if b" 200" not in status:
        server.close()
        raise OSError(f"the proxy answered {status.decode('latin-1')}")
    return server


def _is_local(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _host_of_url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    address = rest.partition("/")[0]
    if scheme.lower() != "http" or "@" in address:
        raise ValueError(url)
    return address if ":" in address.rpartition("]")[2] else f"{address}:80"


def _for_server(head: bytes, method: str, url: str, version: str) -> bytes:
    """Return a proxy request as its server expects it, the last one of its connection."""
    path = "/" + url.partition("://")[2].partition("/")[2]
    lines = head.split(b"\r\n")[1:]
    dropped = (b"connection", b"proxy-connection", b"proxy-authorization", b"keep-alive")
    lines = [line for line in lines if line.partition(b":")[0].strip().lower() not in dropped]
    return b"\r\n".join((f"{method} {path} {version}".encode("latin-1"), *lines, b"Connection: close", b"", b""))


def _refusal(status: str, reason: str) -> bytes:
    body = f"{reason}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
