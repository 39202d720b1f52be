"""Limits of memory, processes and disk: what goes over one is ended, with words, and nothing of it is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from gitorch.executors import control_group, control_groups, process_tree, resource_watch
from gitorch.executors.local import LocalExecutor
from gitorch.executors.protocol import ResourceLimits
from gitorch.executors.resource_watch import Disk, ResourceWatch, disk_usage
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
    watch = ResourceWatch({"memory": 0, "processes": 0, "disk": 2_000_000, "floor": 0, "cwd": str(tmp_path)})
    watch.disk_at_start = disk_usage(str(tmp_path))
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(20_000_000_000)
    (tmp_path / "link").symlink_to("/usr")
    assert watch.exceeded() == ""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "after").write_bytes(b"x" * 3_000_000)
    assert watch.exceeded() == "wrote more than 2 MB into its folder"


def test_what_fills_the_disk_is_ended_and_what_wrote_little_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what was written since the start counts, and only while less than the floor is free."""
    monkeypatch.setattr(resource_watch, "TICK_SECONDS", 0.0)
    free = [50_000_000]
    monkeypatch.setattr(resource_watch, "_disk", lambda _: Disk(free[0]))
    (tmp_path / "before").write_bytes(b"x" * 30_000_000)
    spec = {"memory": 0, "processes": 0, "disk": 0, "floor": 40_000_000, "cwd": str(tmp_path)}
    time.sleep(0.05)  # longer than the clock of a file system is late
    watch = ResourceWatch(spec)
    monkeypatch.setattr(resource_watch, "_written", lambda _: 0)  # of this process, the tests before this one
    (tmp_path / "little").write_bytes(b"x" * 9_000_000)
    free[0] = 30_000_000
    assert watch.exceeded() == ""
    (tmp_path / "much").write_bytes(b"x" * 2_000_000)
    assert watch.exceeded() == "wrote until less than 40 MB of the disk was free"
    free[0] = 50_000_000
    assert watch.exceeded() == ""


def test_a_disk_that_is_nearly_full_is_looked_at_more_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing can fill it between two looks; and what goes past the floor is looked at at once."""
    disk = [Disk(6_000_000_000)]
    monkeypatch.setattr(resource_watch, "_disk", lambda _: disk[0])
    monkeypatch.setattr(resource_watch, "_written", lambda _: 0)
    watch = ResourceWatch({"memory": 0, "processes": 0, "disk": 0, "floor": 1_000_000, "cwd": str(tmp_path)})
    (tmp_path / "much").write_bytes(b"x" * 1_000_000)
    assert watch.exceeded() == ""
    assert watch.pause > 0.5 or watch.exceeded() == ""  # a busy machine may have come to the next look
    disk[0] = Disk(1_500_000)
    assert watch.exceeded() == ""
    assert watch.pause <= 0.05
    disk[0] = Disk(900_000)
    assert watch.exceeded() == "wrote until less than 1 MB of the disk was free"


def test_a_disk_that_counts_no_files_is_not_short_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """btrfs says that it has none, and none left: that is no reason to look 20 times a second."""
    numbers = [*os.statvfs(tmp_path)]
    numbers[2:8] = [10**9, 10**9, 10**9, 0, 0, 0]
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(numbers))
    watch = ResourceWatch({"memory": 0, "processes": 0, "disk": 0, "floor": 1, "cwd": str(tmp_path)})
    watch.exceeded()
    assert watch.pause > 0.05


def test_what_uses_up_the_files_of_a_disk_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small they are: nothing else could be written either. Those of before do not count."""
    disk = [Disk(files=50, fewest_files=40)]
    (tmp_path / "old").mkdir()
    for number in range(20):
        (tmp_path / "old" / str(number)).touch()
    time.sleep(0.05)  # longer than the clock of a file system is late
    monkeypatch.setattr(resource_watch, "_disk", lambda _: disk[0])
    watch = ResourceWatch({"memory": 0, "processes": 0, "disk": 0, "floor": 1, "cwd": str(tmp_path)})
    disk[0] = Disk(files=39, fewest_files=40)
    assert watch.exceeded() == ""
    disk[0] = Disk(files=50, fewest_files=40)
    assert watch.exceeded() == ""
    time.sleep(0.05)
    (tmp_path / "new").mkdir()
    for number in range(20):
        (tmp_path / "new" / str(number)).touch()
    disk[0] = Disk(files=39, fewest_files=40)
    assert watch.exceeded() == "made files until the disk had room for fewer than 40 more"


def test_what_a_program_writes_elsewhere_is_counted(tmp_path: Path) -> None:
    """Not on a file system in memory, which has no disk; there it is 0."""
    program = subprocess.Popen(
        ["sh", "-c", f"head -c 9000000 /dev/zero > '{tmp_path}/file'; sync '{tmp_path}/file'; echo; exec sleep 60"],
        stdout=subprocess.PIPE,
    )
    try:
        assert program.stdout
        program.stdout.readline()
        on_disk = not subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True).stdout.startswith(
            b"tmpfs"
        )
        assert (resource_watch._written([program.pid]) - resource_watch._written([]) >= 9_000_000) is on_disk
    finally:
        program.kill()
        program.wait()


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


needs_groups = pytest.mark.skipif(bool(control_groups.tried().problem), reason=control_groups.tried().problem)
THREADS = """
import sys, threading
started = 0
try:
    for started in range(200):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
except RuntimeError:
    pass
print(started)
sys.stdout.flush()
__import__("os")._exit(0)
"""


@needs_groups
def test_threads_are_limited_by_the_kernel(tmp_path: Path) -> None:
    """The watchdog counts only processes."""
    executor = LocalExecutor(tmp_path)
    status = ended(executor, python("threads", THREADS, resources=ResourceLimits(processes=20)))
    assert (status.cause, status.exit_code) == ("exited", 0)
    assert 20 < int((tmp_path / "threads" / "stdout").read_text()) < 20 * control_group.THREADS
    assert _groups(tmp_path / "threads") == []


@needs_groups
def test_memory_of_no_process_is_limited_by_the_kernel(tmp_path: Path) -> None:
    """A file without a name is in memory, but in that of no process, so that the watchdog does not see it."""
    code = "import os\nfile = os.memfd_create('x')\nfor _ in range(300): os.write(file, bytes(1_000_000))"
    status = ended(LocalExecutor(tmp_path), python("hoard", code, resources=ResourceLimits(memory=100_000_000)))
    assert (status.cause, status.message) == ("limit", "used more than 100 MB of memory")
    assert _groups(tmp_path / "hoard") == []


@needs_groups
def test_a_group_of_a_killed_supervisor_is_removed_by_the_next(tmp_path: Path) -> None:
    executor, limits = LocalExecutor(tmp_path), ResourceLimits(memory=500_000_000)
    killed = executor.submit(python("killed", "import time; print(1, flush=True); time.sleep(60)", resources=limits))
    while not (tmp_path / "killed" / "stdout").exists() or not (tmp_path / "killed" / "stdout").read_bytes():
        time.sleep(0.02)
    assert _groups(tmp_path / "killed") != []
    os.kill(json.loads((tmp_path / "killed" / "run.json").read_text())["pid"], signal.SIGKILL)
    assert isinstance(executor.wait(killed), Exit)
    ended(executor, shell("next", "true", resources=limits))
    assert _groups(tmp_path / "killed") == []


def test_without_a_group_a_program_runs_and_the_reason_is_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parents = {"memory": str(tmp_path / "none"), "pids": str(tmp_path / "none")}
    assert control_group.of(parents, 1, 1) is None
    assert "no control group, only a watchdog" in capsys.readouterr().err
    assert control_group.of({}, 1, 1) is None
    assert control_group.of(parents, 0, 0) is None


def _groups(execution: Path) -> list[Path]:
    """Return the groups that the supervisor of an execution has made and that are still there."""
    supervisor = json.loads((execution / "run.json").read_text())["pid"]
    folders = [Path(parent, f"gitorch-{supervisor}") for parent in control_groups.support().parents.values()]
    return [folder for folder in folders if folder.exists()]


MOUNTS = """\
30 25 0:26 {root} {mount} rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
31 25 0:27 / /proc rw,relatime - proc proc rw
"""


def test_where_groups_can_be_made(tmp_path: Path) -> None:
    """In version 2, the group of this process has to let itself be divided; what a container hides is not used."""
    own = tmp_path / "a"
    own.mkdir()
    (own / "cgroup.subtree_control").write_text("memory pids\n")
    mounts = MOUNTS.format(root="/", mount=tmp_path)
    found = control_groups._directly(mounts, "0::/a\n")
    assert (found.name, found.problem) == ("control groups (version 2)", "")
    assert found.parents == {"memory": str(own), "pids": str(own)}
    inside = control_groups._directly(MOUNTS.format(root="/docker/x", mount=own), "0::/docker/x\n")
    assert inside.parents == found.parents
    elsewhere = control_groups._directly(MOUNTS.format(root="/docker/x", mount=own), "0::/other\n")
    assert elsewhere.problem == "no control groups are mounted"
    (own / "cgroup.subtree_control").unlink()
    assert "cannot be divided" in control_groups._directly(mounts, "0::/a\n").problem
    assert control_groups._directly("", "").problem == "no control groups are mounted"


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
    watch = ResourceWatch({"memory": 0, "processes": alive, "disk": 0, "floor": 0, "cwd": str(tmp_path)})
    assert len(process_tree.Descendants().pids()) > alive
    assert watch.exceeded() == ""
    for program in ended:
        program.wait()
