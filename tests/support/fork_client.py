"""A program in tests that hands its words and streams to a fork server, passes signals on, and ends as the fork ends.

`python -I -S fork_client.py SOCKET WORD ...`: starting this costs a twentieth of starting gitorch.
"""

import json
import os
import signal
import socket
import struct
import sys


def main() -> int:
    """Return the exit code of the command."""
    address, *words = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [b"."], [0, 1, 2])
        request = {"words": words, "cwd": os.getcwd(), "env": dict(os.environ), "session": False}
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answers:
            message = struct.Struct("ci")
            _, pid = message.unpack(answers.read(message.size))  # it has started
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda number, _: os.kill(pid, number))
            _, status = message.unpack(answers.read(message.size))
    return max(os.waitstatus_to_exitcode(status), -1) % 256


if __name__ == "__main__":
    sys.exit(main())
