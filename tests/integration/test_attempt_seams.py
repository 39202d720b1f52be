"""An attempt on other implementations of its seams: programs run behind a socket, and agents work in clones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gitorch import services
from gitorch.flow import attempt, intake
from gitorch.model.naming import Oid
from gitorch.model.task import Phase, State, Task, current_attempt
from gitorch.rooms.context import RunContext
from gitorch.services.open import open_workspace
from tests.support.clone_rooms import CloneRooms
from tests.support.git import git
from tests.support.socket_executor import SocketExecutor, serving

AGENT = """
import pathlib, subprocess, sys
log = pathlib.Path(sys.argv[2])
brief = pathlib.Path(sys.argv[1]).read_text()
log.open("a").write("agent\\n")
assert sys.stdin.read() == brief and "Add greeting" in brief
pathlib.Path("greeting.txt").write_text("hello\\n")
print("The greeting is there.")
"""
CHECKS = {"test": "grep hello greeting.txt; echo litter > litter.txt"}


@pytest.fixture
def context(repository_folder: Path, tmp_path: Path) -> Iterator[RunContext]:
    """What attempts are run with, with other implementations of executor and rooms."""
    script = tmp_path / "agent.py"
    script.write_text(AGENT)
    command = [sys.executable, str(script), "{prompt_file}", str(tmp_path / "log")]
    config = {"agents.scripted.kind": "command", "agents.scripted.command": command, "agent": "scripted"}
    assignments = [f"{name}={msgspec.json.encode(value).decode()}" for name, value in config.items()]
    plain = services.agents.run_context(open_workspace(repository_folder, assignments))
    rooms = CloneRooms(
        repository=plain.repository, config=plain.config, agents=plain.agents, environment=plain.environment
    )
    with serving(tmp_path / "socket", tmp_path / "executions"):
        yield msgspec.structs.replace(plain, executor=SocketExecutor(tmp_path / "socket"), rooms=rooms)


def started(context: RunContext) -> Task:
    """Return a task whose attempt has started."""
    (task,) = intake.resolve([intake.from_text("Add greeting")], {}, 1)
    task = msgspec.structs.replace(task, spec=msgspec.structs.replace(task.spec, agent="scripted", role="generalist"))
    return attempt.start(context, task, Oid(git("rev-parse", "main", cwd=context.repository.common_dir)))


def test_an_attempt_knows_only_the_seams(context: RunContext, tmp_path: Path) -> None:
    """It prepares, works, collects and checks, without a folder of an execution or a linked worktree of its own."""
    *_, task = attempt.run(context, started(context), CHECKS)
    assert (task.state, task.reason, task.passed) == (State.FINISHED, "", True)
    assert (task.results[0].output, task.attempt and task.attempt.summary) == ("", "The greeting is there.")
    assert git("show", f"{task.branch}:greeting.txt", cwd=context.repository.common_dir) == "hello"
    worktrees = git("worktree", "list", cwd=context.repository.common_dir).splitlines()
    assert [Path(line.split()[0]).name for line in worktrees] == ["repo", "check_1"]
    steps = [execution.step for execution in context.executor.executions(attempt.attempt_key(task))]
    assert steps == ["agent-1", "check-1-test"]
    assert (tmp_path / "log").read_text() == "agent\n"


def test_a_failing_check_stays_readable(context: RunContext) -> None:
    """A failed check's result is the task's, and its output can be opened."""
    *_, task = attempt.run(context, started(context), {"test": "echo so bad; exit 3"})
    assert (task.state, task.reason, task.results[0].exit_code) == (State.FINISHED, "checks failed: test", 3)
    check = context.executor.executions(attempt.attempt_key(task))[-1]
    with context.executor.open_output(check.id, "stdout") as output:
        assert output.read() == b"so bad\n"


@pytest.mark.parametrize("phase", [Phase.WORKING, Phase.CHECKING])
def test_an_attempt_continues_after_a_crash(context: RunContext, tmp_path: Path, phase: Phase) -> None:
    """Another process continues from the last durable state; the agent works once."""
    task = started(context)
    for changed in attempt.run(context, task, CHECKS):
        task = changed
        if current_attempt(task).phase is phase:
            break
    *_, task = attempt.run(context, task, CHECKS)
    assert task.state is State.FINISHED
    assert (tmp_path / "log").read_text() == "agent\n"
