"""Lets the checks in the support module tell what they saw, and runs a Temporal server with workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.temporal import Server, WorkerProcess, serving, working

pytest.register_assert_rewrite("tests.faults.night")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture
def worker(server: Server, tmp_path: Path) -> Iterator[WorkerProcess]:
    """Run a worker that only this test uses, by its label; at its end, its log has no traceback."""
    with working(server.address, tmp_path / "worker", 2, tmp_path.name) as worker:
        yield worker
