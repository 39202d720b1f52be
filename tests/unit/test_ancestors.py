"""Which execution a process is in: both ways to look at processes tell the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitorch.executors import proc_files, process_table
from gitorch.executors.ancestors import supervised_folder
from gitorch.model.naming import EXECUTION_VARIABLE, task_of_key

_PROGRAM = "import sys; print(flush=True); sys.stdin.read()"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_both_readers_see_the_same_process(tmp_path: Path) -> None:
    """Parents, a variable with any bytes, arguments and open files are those that psutil finds."""
    lock = tmp_path / "gitorch" / "run.lock"
    lock.parent.mkdir()
    words = [sys.executable, "-c", _PROGRAM, "a (b) c", "", "x\ny"]
    value = os.fsdecode(b"/no such=\xff folder/")
    with lock.open("w") as file:
        environment = {**os.environ, EXECUTION_VARIABLE: value, "OTHER": f"{EXECUTION_VARIABLE}=no"}
        with subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[file.fileno()]
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()  # it has started its own program
            for reader in (proc_files, process_table):
                assert next(reader.parents(child.pid)) == os.getpid()
                assert reader.variable(child.pid, EXECUTION_VARIABLE) == value
                assert reader.variable(child.pid, "NONE") == ""
                assert reader.arguments(child.pid) == words
                assert str(lock) in reader.open_paths(child.pid)
            assert [*proc_files.parents(child.pid)] == [*process_table.parents(child.pid)]
            child.communicate()


def test_a_process_that_is_gone_shows_nothing() -> None:
    """Neither reader raises an error for a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    for reader in (proc_files, process_table):
        assert [*reader.parents(child.pid)] == []
        assert reader.variable(child.pid, "PATH") == ""
        assert reader.open_paths(child.pid) == []
        assert not supervised_folder(reader.arguments(child.pid))


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (["python", "/x/gitorch/executors/supervisor.py", "/state/attempts/a/1"], "/state/attempts/a/1"),
        (["python", "/x/gitorch/executors/supervisor.py"], ""),
        (["vi", "supervisor.py", "/state"], ""),
        ([], ""),
    ],
)
def test_a_supervisor_is_known_by_its_arguments(words: list[str], folder: str) -> None:
    assert supervised_folder(words) == folder


@pytest.mark.parametrize(
    ("key", "task"), [("attempts/one/1/agent", "one"), ("attempts/one", ""), ("merges/abc", ""), ("", "")]
)
def test_the_task_of_an_execution(key: str, task: str) -> None:
    assert task_of_key(key) == task
