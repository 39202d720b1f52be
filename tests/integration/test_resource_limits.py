"""Limits of memory, processes and disk: what goes over one is ended, with words, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from gitorch.executors import process_tree, resource_watch
from gitorch.executors.base import ResourceLimits
from gitorch.executors.local import LocalExecutor
from gitorch.executors.resource_watch import ResourceWatch, disk_usage
from gitorch.model.outcome import Exit
from tests.support.executions import marked, python, shell

HOG = "held = [bytearray(30_000_000) for _ in range(5)]; input()"
BOMB = """
import os, sys
for _ in range(6):
    os.fork()
sys.stdin.read() or __import__("signal").pause()
"""


def ended(executor: LocalExecutor, spec: object) -> Exit:
    status = executor.wait(executor.submit(spec))  # type: ignore[arg-type]
    assert isinstance(status, Exit)
    return status


def test_memory(tmp_path: Path) -> None:
    """The sum over all processes counts: here two, each of which is below the limit."""
    executor = LocalExecutor(tmp_path)
    both = f"python3 -c '{HOG}' < /dev/zero & python3 -c '{HOG}' < /dev/zero & wait"
    status = ended(executor, shell("hog", both, resources=ResourceLimits(memory=200_000_000)))
    assert (status.cause, status.message) == ("limit", "used more than 200 MB of memory")
    assert marked(tmp_path / "hog") == []


def test_processes(tmp_path: Path) -> None:
    """A bomb of 64 processes is stopped before it is killed, and gone."""
    executor = LocalExecutor(tmp_path)
    status = ended(executor, python("bomb", BOMB, resources=ResourceLimits(processes=20)))
    assert (status.cause, status.message) == ("limit", "had more than 20 processes")
    assert marked(tmp_path / "bomb") == []


def test_what_stays_below_its_limits_is_left_alone(tmp_path: Path) -> None:
    executor = LocalExecutor(tmp_path)
    limits = ResourceLimits(memory=500_000_000, processes=50, disk=10_000_000)
    status = ended(executor, shell("good", "sleep 1.5; exit 3", resources=limits))
    assert (status.cause, status.exit_code, status.message) == ("exited", 3, "")


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written after the start counts, as it is on the disk: a sparse file of 20 GB is small."""
    monkeypatch.setattr(resource_watch, "TICK_SECONDS", 0.0)
    monkeypatch.setattr(resource_watch, "_DISK_SECONDS", 0.0)
    monkeypatch.setattr(resource_watch, "_DISK_SHARE", 0)
    (tmp_path / "before").write_bytes(b"x" * 3_000_000)
    watch = ResourceWatch({"memory": 0, "processes": 0, "disk": 2_000_000, "cwd": str(tmp_path)})
    watch.disk_at_start = disk_usage(str(tmp_path))
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(20_000_000_000)
    (tmp_path / "link").symlink_to("/usr")
    assert watch.exceeded() == ""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "after").write_bytes(b"x" * 3_000_000)
    assert watch.exceeded() == "wrote more than 2 MB into its folder"


def test_descendants_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that start between two looks, and not the processes of others, which are read twice at most."""
    read: list[str] = []
    real = process_tree._read

    def counted(names: Iterable[str]) -> list[tuple[int, int]]:
        read[:] = names
        return real(read)

    monkeypatch.setattr(process_tree, "_read", counted)
    found = process_tree.Descendants(names_children=False)
    for number in range(4):
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
            assert child.pid in found.pids()
            assert str(child.pid) in read
            child.kill()
        assert child.pid not in found.pids()
        assert number < 2 or str(os.getppid()) not in read


def _has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="the kernel names no children")
def test_descendants_are_found_without_a_look_at_other_processes() -> None:
    """Children, theirs, and those of any thread; the same ones as a look at every process finds."""
    found = process_tree.Descendants()
    with subprocess.Popen(["sh", "-c", "sleep 60 & exec sleep 60"], start_new_session=True) as child:
        while len(psutil.Process(child.pid).children()) < 1:
            time.sleep(0.01)
        below = [child.pid, *(each.pid for each in psutil.Process(child.pid).children())]
        known = set(found.pids())
        assert set(below) <= known
        # the kernel also names those that have ended, and other tests may have left some
        assert known - set(process_tree.descendants()) <= {pid for pid in known if _has_ended(pid)}
        os.killpg(child.pid, signal.SIGKILL)
    started: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: started.append(subprocess.Popen(["sleep", "60"])))
    thread.start()
    thread.join()
    assert started[0].pid in found.pids()
    started[0].kill()
    started[0].wait()
    assert started[0].pid not in found.pids()


def test_processes_that_have_ended_are_not_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that does not wait for its children does not exceed its limit by those that have ended."""
    monkeypatch.setattr(resource_watch, "TICK_SECONDS", 0.0)
    ended = [subprocess.Popen(["true"]) for _ in range(3)]
    while any(psutil.Process(program.pid).status() != psutil.STATUS_ZOMBIE for program in ended):
        time.sleep(0.01)
    alive = max(len(process_tree.descendants()), 1)
    watch = ResourceWatch({"memory": 0, "processes": alive, "disk": 0, "cwd": str(tmp_path)})
    assert len(process_tree.Descendants().pids()) > alive
    assert watch.exceeded() == ""
    for program in ended:
        program.wait()
