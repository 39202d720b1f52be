"""Ports for tasks: `{port}` in `prepare.env`, when attempts begin side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from gitorch.config import Config
from gitorch.rooms.ports import variables

COUNT = 64


def _port(state: Path, task: str) -> str:
    config = Config()
    prepare = msgspec.structs.replace(config.prepare, env={"PORT": "{port}"})
    return variables(msgspec.structs.replace(config, prepare=prepare), state, task)["PORT"]


def test_tasks_that_begin_at_once_get_ports_of_their_own(tmp_path: Path) -> None:
    """No two are told the same port, none meets a record that is half written, and each keeps its own."""
    names = [f"t{number}" for number in range(COUNT)]
    with ThreadPoolExecutor(COUNT) as pool:
        first = list(pool.map(lambda name: _port(tmp_path, name), names))
        again = list(pool.map(lambda name: _port(tmp_path, name), names))
    assert len(set(first)) == COUNT
    assert again == first
