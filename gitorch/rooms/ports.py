"""`prepare.env`: variables for a task's programs, with a port that is free and stays the same for the task."""

from __future__ import annotations

import os
import socket
import zlib
from pathlib import Path

from gitorch import regular_files
from gitorch.config import Config
from gitorch.storage import atomic, locks

_PORTS = range(20_000, 32_000)  # below the range that Linux gives to outgoing connections


def variables(config: Config, state: Path, task: str) -> dict[str, str]:
    """Return `prepare.env` for a task; `{port}` becomes a free port that stays the same for this task."""
    values = config.prepare.env
    if not any("{port}" in value for value in values.values()):
        return {name: value.replace("{task}", task) for name, value in values.items()}
    # attempts start at the same time: each must see the ports of the others
    with locks.file_lock(state / "ports.lock"):
        port = str(_port(state / "attempts" / task / "port"))
    return {name: value.replace("{port}", port).replace("{task}", task) for name, value in values.items()}


def _port(record: Path) -> int:
    if record.exists():
        return int(regular_files.read(record))
    reserved = {int(regular_files.read(path)) for path in record.parent.parent.glob("*/port")}
    start = zlib.crc32(os.fsencode(str(record.parent))) % len(_PORTS)
    candidates = (_PORTS[(start + step) % len(_PORTS)] for step in range(len(_PORTS)))
    port = next(port for port in candidates if port not in reserved and _is_free(port))
    record.parent.mkdir(parents=True, exist_ok=True)
    atomic.replace(record, str(port).encode("ascii"))
    return port


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
