"""Supervisors that die before they begin, start slowly, or cannot be started: the program runs once, later."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from gitorch.executors import records
from gitorch.executors.local import LocalExecutor
from gitorch.executors.process_tree import start_ticks
from gitorch.executors.protocol import NotStarted, Spec
from gitorch.executors.starting import wait_for_end
from gitorch.model.outcome import Exit
from gitorch.storage import seals
from tests.support.executions import Signal, marked, shell

_NO_PAUSES = (0.0, 0.0, 0.0)

# takes the place of Python: counts the starts, and dies before a supervisor could begin
_DYING = """\
#!/bin/sh
echo x >> {count}
if test "$(wc -l < {count})" -le {deaths}; then echo 'MemoryError: no room' >&2; exit 1; fi
exec {python} "$@"
"""

_SLOW = """\
#!/bin/sh
echo starting > {starting}
read word < {go}
exec {python} "$@"
"""


def replace_python(tmp_path: Path, patch: pytest.MonkeyPatch, script: str) -> None:
    """Let supervisors be started by a script."""
    path = tmp_path / "python"
    path.write_text(script)
    path.chmod(0o755)
    patch.setattr(sys, "executable", str(path))


def submit_and_wait(executor: LocalExecutor, spec: Spec) -> Exit:
    executor.submit(spec)
    return wait_for_end(executor, spec, pauses=_NO_PAUSES)


def test_a_supervisor_that_dies_before_it_begins_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program runs once, and its end is its own."""
    count, ran = tmp_path / "count", tmp_path / "ran"
    replace_python(tmp_path, monkeypatch, _DYING.format(count=count, deaths=3, python=sys.executable))
    result = submit_and_wait(LocalExecutor(tmp_path / "executions"), shell("a/e", f"echo x >> {ran}; exit 7"))
    assert (result.cause, result.exit_code, ran.read_text()) == ("exited", 7, "x\n")


def test_a_supervisor_that_never_begins_is_reported_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last start, the result is lost, and says what the supervisor said."""
    count = tmp_path / "count"
    replace_python(tmp_path, monkeypatch, _DYING.format(count=count, deaths=99, python=sys.executable))
    result = submit_and_wait(LocalExecutor(tmp_path / "executions"), shell("a/e", f"touch {tmp_path}/ran"))
    assert (result.cause, result.exit_code) == ("lost", None)
    assert result.message == "its supervisor did not start, 4 times: MemoryError: no room"
    assert count.read_text() == "x\n" * 4
    assert not (tmp_path / "ran").exists()


def test_a_system_without_room_for_a_process_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused fork is not taken for a supervisor that lives."""
    refusals = [BlockingIOError(11, "Resource temporarily unavailable"), OSError(12, "Cannot allocate memory")]

    start = subprocess.Popen

    def refuse_first(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        if refusals:
            raise refusals.pop(0)
        return start(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", refuse_first)
    executor = LocalExecutor(tmp_path / "executions")
    spec = shell("a/e", "exit 7")
    assert executor.wait(executor.submit(spec)) == NotStarted("[Errno 11] Resource temporarily unavailable")
    assert submit_and_wait(executor, spec).exit_code == 7
    assert refusals == []


def test_a_slow_start_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a supervisor takes to begin, it holds its lock: nothing is started a second time."""
    starting, go = Signal(tmp_path / "starting"), Signal(tmp_path / "go")
    script = _SLOW.format(starting=starting.path, go=go.path, python=sys.executable)
    replace_python(tmp_path, monkeypatch, script)
    executor = LocalExecutor(tmp_path / "executions")
    spec = shell("a/e", f"echo x >> {tmp_path}/ran")
    results: list[Exit] = []
    waiter = threading.Thread(target=lambda: results.append(submit_and_wait(executor, spec)))
    waiter.start()
    starting.wait()
    assert LocalExecutor(tmp_path / "executions").submit(spec) == executor.id_of(spec.key)
    assert results == []
    with go.path.open("w") as file:
        file.write("go\n")
    waiter.join()
    assert [result.exit_code for result in results] == [0]
    assert (tmp_path / "ran").read_text() == "x\n"
    starting.close()
    go.close()
    assert marked(tmp_path) == []


def test_a_signal_never_reaches_a_process_that_has_got_the_id_since(tmp_path: Path) -> None:
    """A supervisor is known by its id and its start; the id alone may be another process's by now."""
    key = b"k" * 32
    pid, ticks = os.getpid(), 1
    content = json.dumps({"pid": pid, "started": 1.0, "ticks": ticks}).encode()
    (tmp_path / "run.json").write_bytes(seals.seal(content, key))
    received: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: received.append(number))
    try:
        records.signal_supervisor(tmp_path, key, signal.SIGUSR1)
        assert received == []
        content = json.dumps({"pid": pid, "started": 1.0, "ticks": start_ticks(pid)}).encode()
        (tmp_path / "run.json").write_bytes(seals.seal(content, key))
        records.signal_supervisor(tmp_path, key, signal.SIGUSR1)
        assert received == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("removed", ["repo", "repo/.git/gitorch", "repo/.git/gitorch/work/1"])
def test_a_program_whose_record_is_removed_does_not_run_again(tmp_path: Path, removed: str) -> None:
    """A repository that is deleted while agents work in it: their end is lost, and nothing is started twice."""
    root, count = tmp_path / "repo" / ".git" / "gitorch", tmp_path / "count"
    root.mkdir(parents=True)
    end = submit_and_wait(LocalExecutor(root), shell("work/1", f"echo x >> {count}; rm -rf {tmp_path / removed}"))
    assert (end.cause, end.message) == ("lost", "its record was removed; what it did is not known")
    assert count.read_text() == "x\n"


def test_a_repository_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    """No folder of an execution is created where the repository was."""
    root = tmp_path / "repo" / ".git" / "gitorch"
    with pytest.raises(FileNotFoundError):
        LocalExecutor(root).submit(shell("work/1", "true"))
    assert not (tmp_path / "repo").exists()
