"""The first program in a box with a network: listens on the box's own loopback, and starts the real program.

Uses only the standard library. Started as `python -I -S entry.py SOCKET PORTS -- PROGRAM ARGUMENT...`. Port 3128 leads
to the proxy; each port of PORTS (joined by commas) to the same port of the host's loopback, through the proxy.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading

PROXY_PORT = 3128


def main(path: str, ports: list[int], argv: list[str]) -> None:
    """Start the forwarder in the background and become the program."""
    listeners = [(_listen(PROXY_PORT), "")]
    listeners += [(_listen(port), f"127.0.0.1:{port}") for port in ports]
    if os.fork() == 0:
        _forward(path, listeners)
        os._exit(0)
    for listener, _ in listeners:
        listener.close()
    try:
        os.execvp(argv[0], argv)  # noqa: S606 (the box is made for this program)
    except OSError as error:
        sys.stderr.write(f"could not start {argv[0]}: {error.strerror}\n")
        sys.exit(127)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(64)
    return listener


def _forward(path: str, listeners: list[tuple[socket.socket, str]]) -> None:
    # the program's output must end with the program
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    threads = [threading.Thread(target=_accept, args=(path, *pair), daemon=True) for pair in listeners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _accept(path: str, listener: socket.socket, target: str) -> None:
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_connect, args=(path, client, target), daemon=True).start()


def _connect(path: str, client: socket.socket, target: str) -> None:
    with client, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as proxy, contextlib.suppress(OSError):
        proxy.connect(path)
        if target:
            proxy.sendall(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())
            if b" 200 " not in _head(proxy):
                return
        back = threading.Thread(target=_copy, args=(proxy, client), daemon=True)
        back.start()
        _copy(client, proxy)
        back.join()


def _head(proxy: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = proxy.recv(1)
        if not byte:
            raise OSError("the proxy is gone")
        head += byte
    return head


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65_536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    divider = sys.argv.index("--")
    main(sys.argv[1], [int(port) for port in sys.argv[2].split(",") if port], sys.argv[divider + 1 :])
