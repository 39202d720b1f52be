"""Conditions of the machine that no single call shows: disks, stops, reboots, versions, permissions, many tasks."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import tomli

from gitorch import services
from gitorch.executors.local import LocalExecutor
from gitorch.flow import merge
from gitorch.git.repository import GitFailed, Repository
from gitorch.git.writing import unreferenced
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Exit
from gitorch.model.table import from_table
from gitorch.model.task import State, Task, change
from gitorch.replay import MemoryReplayer
from gitorch.services.open import open_workspace
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import difference
from gitorch.storage.tasks import Store
from tests.faults.killing import killed_at
from tests.faults.night import SECONDS, Night, await_act
from tests.support import sandbox
from tests.support.cli import OBEDIENT, Cli, Pipe, does, saved
from tests.support.executions import shell
from tests.support.git import git

HERE = "tests.faults.conditions"
READING: tuple[tuple[str, ...], ...] = (
    *(("status",), ("task", "one"), ("log", "one")),
    *(("diff", "one"), ("undo", "--list")),
)
CHANGING: tuple[tuple[str, ...], ...] = (
    *(("approve", "one", "--force"), ("submit", "Two", "--agent", "sh")),
    *(("comment", "one", "-m", "x"), ("run",)),
)


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    """A repository with a finished task, and one that is queued."""
    cli = Cli(repository_folder)
    cli.queue(does("One", saved("one.txt", "1"), id="one"))
    cli.run()
    cli.queue(does("Queued", "true", id="queued"))
    return cli


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own, which `remount` makes read-only; skipped without the right to mount."""
    with mounted(tmp_path, "size=50%") as disk:
        yield disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 100 MB; skipped without the right to mount."""
    with mounted(tmp_path, "size=100m") as disk:
        yield disk


@contextmanager
def mounted(tmp_path: Path, option: str) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", option, "none", str(disk)]
    if os.geteuid() or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("this needs the right to mount")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_file_system_that_turns_read_only(read_only: Path, repository_folder: Path) -> None:
    """D06: what reads goes on to work; what writes says that it cannot, with exit code 4; and nothing is lost."""
    cli = Cli(Path(shutil.copytree(repository_folder, read_only / "repo", symlinks=True)))
    cli.queue(does("One", saved("one.txt", "1"), id="one"))
    cli.run()
    before = cli.states()
    subprocess.run(["mount", "-o", "remount,ro", str(read_only)], check=True)
    for words in READING:
        cli(*words)
    for words in CHANGING:
        assert "ead-only" in cli(*words, ok=4).stderr, words
    subprocess.run(["mount", "-o", "remount,rw", str(read_only)], check=True)
    assert cli.states() == before
    cli("approve", "one", "--force")


def test_an_agent_that_fills_the_disk_ends_alone(small_disk: Path, repository_folder: Path) -> None:
    """D13: with words, before the disk is full; the others go on, and gitorch itself is told of nothing it did."""
    folder = Path(shutil.copytree(repository_folder, small_disk / "repo", symlinks=True))
    cli = Cli(folder, OBEDIENT, GITORCH_RUN_MIN_FREE_DISK="60MB")
    fill = "for i in $(seq 60); do head -c 2000000 /dev/zero >> big; sleep 0.2; done; sleep 90"
    cli.queue(does("Fill", fill, id="fill"), does("Other", "sleep 1", saved("x.txt", "x"), id="other"))
    cli.run(ok=6)
    tasks = cli.tasks()
    assert {name: task["state"] for name, task in tasks.items()} == {"fill": "failed", "other": "finished"}
    assert tasks["fill"]["reason"] == "wrote until less than 30 MB of the disk was free"


def test_a_crash_of_git_on_a_full_disk_is_not_taken_for_an_agents(small_disk: Path, repository_folder: Path) -> None:
    """D14: `git fast-import` leaves a report in the repository when it fails."""
    folder = Path(shutil.copytree(repository_folder, small_disk / "repo", symlinks=True))
    repository = Repository.discover(folder)
    with pytest.raises(GitFailed):
        unreferenced.fast_import(repository, b"blob\ndata 9\ntoo short", [])
    assert [*(folder / ".git").glob("fast_import_crash_*")] == []


def test_a_limit_on_the_size_of_files(cli: Cli) -> None:
    """D07: a program that meets it is killed by SIGXFSZ; gitorch itself says so and loses nothing."""
    cli.queue(does("Big", "ulimit -f 1; dd if=/dev/zero of=big bs=64k count=9 2>/dev/null", id="big"))
    cli.run(ok=6)
    assert cli.states()["big"] == "failed"
    before = cli.states()
    hook = {"GITORCH_TEST_HOOK": f"{HERE}:with_small_files"}
    answer = cli("submit", "-F", "-", input=("x" * 60_000).encode(), ok=4, env=hook)
    assert "too large" in answer.stderr
    assert cli.states() == before
    cli("submit", "Small", "--agent", "sh")


def test_a_slow_disk_starts_nothing_twice(cli: Cli, tmp_path: Path) -> None:
    """D11: with every write late, each agent is started once, and each task is done."""
    log = tmp_path / "log"
    cli.queue(*(does(f"T{name}", f"echo {name} >> '{log}'", saved(f"{name}.txt", name)) for name in "abc"))
    cli("run", ok=6, env={"GITORCH_TEST_HOOK": f"{HERE}:with_slow_writes"})
    assert sorted(log.read_text().split()) == ["a", "b", "c"]
    assert all(task["attempts"] == 1 for task in cli.tasks().values())


def test_a_reboot_with_running_agents(tmp_path: Path) -> None:
    """K16: everything dies at once; the next run knows nothing of an end, and does the task again, once."""
    night = Night(tmp_path / "night", 1, random.Random(1), kinds=("two",))
    night.hold()
    run = night.start()
    _, execution = await_act(night, "agent-half")
    os.kill(run.pid, signal.SIGSTOP)
    record = night.path / ".git/gitorch/attempts" / execution / "run.json"
    for pid in (json.loads(record.read_text())["pid"], *night.processes(), run.pid):
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    run.wait(SECONDS)
    night.let_go()
    night.finish()
    night.verify(lost=1)


def test_a_stopped_run_times_nothing_out(cli: Cli, tmp_path: Path) -> None:
    """K21: the agent of a run that is stopped for longer than its idle time goes on, and finishes."""
    cli.configure(f"{OBEDIENT}[run]\nidle_timeout = '1s'\ntask_timeout = '1h'\n")
    ready = Pipe(tmp_path / "ready")
    chatter = f"echo > {ready}; for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.25; done"
    cli.queue(does("Talks", chatter, saved("t.txt", "t"), id="talks"))
    with cli.start("run") as run:
        ready.line()
        os.kill(run.process.pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(run.process.pid, signal.SIGCONT)
        run.end()
    assert cli.states()["talks"] == "finished"


@pytest.mark.parametrize("limit", ["idle", "timeout"])
def test_time_in_which_everything_was_stopped_does_not_count(tmp_path: Path, limit: str) -> None:
    """H02: after a sleep of the machine, an agent has as much time as before."""
    executor = LocalExecutor(tmp_path)
    execution = executor.submit(shell("a/e", "sleep 0.6; echo done", **{limit: 1.6}))
    (supervisor,) = _supervisors(tmp_path)
    stopped = [supervisor, *supervisor.children(recursive=True)]
    for process in stopped:
        process.suspend()
    time.sleep(3.0)
    for process in reversed(stopped):
        process.resume()
    result = executor.wait(execution)
    assert isinstance(result, Exit)
    assert (result.cause, result.exit_code) == ("exited", 0)


def _supervisors(folder: Path) -> list[psutil.Process]:
    end = time.monotonic() + 300
    while time.monotonic() < end:
        for record in folder.rglob("run.json"):
            return [psutil.Process(json.loads(record.read_text())["pid"])]
        time.sleep(0.01)
    return []


def test_state_of_a_later_version(cli: Cli) -> None:
    """S06: a field that this version does not know is kept; a state that it does not know is never misread."""
    state = cli.folder / ".git/gitorch"
    Store(state).snapshot()
    file = state / "tasks.toml"
    file.write_text(file.read_text().replace('id = "queued"\n', 'id = "queued"\nwished = "later"\n', 1))
    assert cli.states() == {"one": "finished", "queued": "queued"}
    for priority in ("high", "low"):  # the second time from a copy of what the file says
        cli("edit", "queued", "--priority", priority)
        Store(state).snapshot()
        table = tomli.loads(file.read_text())["task"][1]
        assert (table["wished"], table["priority"]) == ("later", priority)
    file.write_text(file.read_text().replace('state = "finished"', 'state = "teleported"', 1))
    later = file.read_bytes()
    assert "teleported" in cli.error("status", exit=2)["what"]
    assert file.read_bytes() == later
    file.write_bytes(later.replace(b"teleported", b"finished"))
    assert cli.states() == {"one": "finished", "queued": "queued"}


def test_a_state_folder_without_permissions(cli: Cli) -> None:
    """S15: each command says which path it may not use, with exit code 4 or 5, and leaves all as it is."""
    state = cli.folder / ".git/gitorch"
    state.chmod(0)
    hook = {"GITORCH_TEST_HOOK": "tests.faults.damaged:without_override"}
    try:
        for words in (*READING, *CHANGING):
            answer = cli(*words, ok=(4, 5), env=hook)
            assert str(state) in answer.stderr, words
    finally:
        state.chmod(0o755)
    assert cli.states() == {"one": "finished", "queued": "queued"}


def test_a_change_costs_the_same_with_many_tasks(tmp_path: Path) -> None:
    """S16: with 3,000 tasks a change appends one line, and neither writes nor reads the others again."""
    store = Store(tmp_path)
    store.save([_task(number) for number in range(3_000)])
    store.snapshot()
    before, journal = (tmp_path / "tasks.toml").stat(), _size(tmp_path / "journal")
    store.save([_task(7, state="failed", reason="it broke")])
    after = (tmp_path / "tasks.toml").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert 0 < _size(tmp_path / "journal") - journal < 1_000
    assert len(Store(tmp_path).load()) == 3_000
    assert Store(tmp_path).load()[TaskId("t7")].reason == "it broke"


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _task(number: int, **fields: object) -> Task:
    return from_table({"id": f"t{number}", "number": number, "title": "T", "prompt": "Do it", **fields})


def test_a_box_of_root_has_no_capabilities(repository_folder: Path) -> None:
    """H09: whoever started gitorch, what runs in a box may do nothing that is root's."""
    room = sandbox.room_in(repository_folder)
    said = sandbox.act(room, "grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs):' /proc/self/status").stdout.split()
    assert said[1::2] == ["0" * 16, "0" * 16, "0" * 16, "1"]


def test_records_of_another_version_are_read(cli: Cli, tmp_path: Path) -> None:
    """H13: a run of a version that writes more, or less, into its records than this one is adopted all the same."""
    ready, gate = Pipe(tmp_path / "ready"), Pipe(tmp_path / "gate")
    cli.queue(does("Adopted", f"echo > {ready}", f"read word < {gate}", saved("a.txt", "a"), id="adopted"))
    with cli.start("run") as run:
        ready.line()
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
        folder = cli.folder / ".git/gitorch/attempts/adopted/1/agent-1"
        spec = json.loads((folder / "spec.json").read_text())
        (folder / "spec.json").write_text(json.dumps({**spec, "wished": ["from the future"]}))
        gate.say()
        cli.run(ok=(0, 6))  # the other task has failed in this run, or in the one that was killed
    assert cli.states()["adopted"] == "finished"
    assert cli.tasks()["adopted"]["attempts"] == 1


def test_recovery_that_is_killed_is_made_by_the_next(repository_folder: Path) -> None:
    """H14: killed at each of its steps while it finishes a merge that was killed, recovery comes to the same end."""
    cli = Cli(repository_folder)
    cli.queue(does("One", saved("one.txt", "1"), id="one"))
    cli.run()
    cli("approve", "one", "--force")
    library = open_workspace(repository_folder)
    top, kept = repository_folder / ".git", repository_folder.parent / "kept"
    _begin_a_merge(library)
    shutil.copytree(top, kept, symlinks=True)
    step = 1
    while killed_at(lambda: open_workspace(repository_folder), step):
        assert cli.states() == {"one": "merged"}, step
        assert open_workspace(repository_folder).operations.is_settled()
        assert git("log", "-1", "--format=%s", "orch/integration", cwd=repository_folder) == "Write one.txt"
        shutil.rmtree(top)
        shutil.copytree(kept, top, symlinks=True)
        step += 1
    assert step > 3


def _begin_a_merge(library: Workspace) -> None:
    """Record a merge and move its first ref, as a process does that is then killed."""
    with MemoryReplayer(library.repository) as replayer:
        plan = services.merging.merge.plan_merge(library, replayer, None)
        replayer.keep(plan.tip)
    moves = merge.ref_updates(library.repository, plan, library.config.integration)
    changes = [
        difference(step.task, change(step.task, state=State.MERGED, merged_as=step.replayed.tip)) for step in plan.steps
    ]
    library.operations.open("merge", moves, changes)
    library.repository.update_refs(moves[:1], "a part of it")
