"""A night of scripted agents whose every act is written down outside the repository, and what must hold after it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import psutil
import tomli

from gitorch import services
from gitorch.flow import intake
from gitorch.git.notes import note_store
from gitorch.git.protected import fingerprint
from gitorch.git.protected.fingerprint import Fingerprint
from gitorch.git.repository import Repository
from gitorch.model.naming import EXECUTION_VARIABLE, TaskId
from gitorch.model.note import AttemptNote, CheckNote
from gitorch.model.task import State, Task
from gitorch.services.open import open_workspace
from gitorch.services.workspace import Workspace
from gitorch.storage import trust
from gitorch.storage.operations import OperationLog
from gitorch.storage.tasks import Store
from tests.support import fingerprints, forkserver
from tests.support.forkserver import ForkedProcess
from tests.support.git import git, standard

# one short line by O_APPEND is written whole, whoever else writes
_SCRIPT = """\
#!/bin/sh
what=$1 task=$2 pause={pause}
if test $what = agent && test -e '{folder}/hold'; then pause=600; fi
say() {{ echo "$what-$1 $task ${{GITORCH_EXECUTION##*/attempts/}}" >> '{log}'; }}
say start
case $what-$task in
prepare-*)
    mine='{folder}/preparing-'$task
    # one that the next run has killed leaves its folder; only a live one overlaps
    mkdir "$mine" 2> /dev/null || {{ sleep 0.01; ! kill -0 "$(cat "$mine/pid")" 2> /dev/null || say overlap; }}
    echo $$ > "$mine/pid"
    sleep $pause
    rm -r "$mine" ;;
check-*)
    test -f $task.txt || exit 1
    echo litter > left-by-the-check.txt
    sleep $pause ;;
agent-*-one)
    echo $task > $task.txt; sleep $pause; git add -A; git commit -qm "work of $task" ;;
agent-*-two)
    echo $task > $task.txt; git add -A; git commit -qm "work of $task"; say half; sleep $pause
    echo more > $task-more.txt; git add -A; git commit -qm "more of $task" ;;
agent-*-left)
    echo $task > $task.txt; sleep $pause ;;
agent-*-both)
    echo $task > $task.txt; git add -A; git commit -qm "work of $task"; sleep $pause; echo left > $task-left.txt ;;
esac
say end
"""

_CONFIG = """\
agent = "scripted"
[prepare]
run = ["{script} prepare $GITORCH_TASK"]
[agents.scripted]
kind = "command"
command = ["{script}", "agent", "{{task}}"]
"""

_SUBJECTS = {
    "one": ["work of {}"],
    "two": ["work of {}", "more of {}"],
    "left": ["{}"],
    "both": ["work of {}", "{}"],
}


def drafts_of(
    count: int, script: Path, chance: random.Random, kinds: Sequence[str], *, chained: bool
) -> list[intake.TaskDraft]:
    """Return drafts: all kinds of agents, most of them built on one or two earlier ones, some with a check."""
    drafts: list[intake.TaskDraft] = []
    for number in range(count):
        name = TaskId(f"t{number}-{chance.choice(kinds)}")
        most = min(len(drafts), chance.randrange(3)) if chained else 0
        after = tuple(draft.id for draft in chance.sample(drafts, most) if draft.id)
        checks = {"check": f"{script} check {name}"} if chance.random() < 0.5 else {}
        draft = intake.from_text(name)
        drafts.append(msgspec.structs.replace(draft, id=name, after=after, checks=checks, agent="scripted"))
    return drafts


SECONDS = 600.0
"""How long a run may take before it counts as hanging."""


class Night:
    """One repository with a queue of scripted tasks, and a log of everything that ran for them."""

    def __init__(
        self,
        folder: Path,
        count: int,
        chance: random.Random,
        *,
        kinds: Sequence[str] = tuple(_SUBJECTS),
        chained: bool = True,
        pause: float = 0.05,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder.resolve()
        self.log = self.folder / "log"
        self.log.touch()
        self.script = self.folder / "agent.sh"
        self.script.write_text(_SCRIPT.format(log=self.log, folder=self.folder, pause=pause))
        self.script.chmod(0o755)
        self.path = standard(self.folder / "repo")
        (self.path / ".orchestrate.toml").write_text(_CONFIG.format(script=self.script))
        git("config", "user.name", "Agent", cwd=self.path)
        git("config", "user.email", "agent@example.com", cwd=self.path)
        git("add", "-A", cwd=self.path)
        git("commit", "-qm", "configure", cwd=self.path)
        (self.path / "README.md").write_text("the user is at work here\n")
        library = self.open()
        trust.agree(library.repository.common_dir, trust.commands(library.loaded.layers))
        services.submit.submit(
            library, intake.resolve(drafts_of(count, self.script, chance, kinds, chained=chained), library.tasks, 1)
        )
        self.untouched = self.fingerprint()

    def hold(self) -> None:
        """Have agents that start from now on stay at work for ever, half done."""
        (self.folder / "hold").touch()

    def let_go(self) -> None:
        """Have agents that start from now on come to their end."""
        (self.folder / "hold").unlink()

    def open(self) -> Workspace:
        """Return the library as a new process would see it."""
        return open_workspace(self.path)

    @property
    def repository(self) -> Repository:
        return Repository.discover(self.path)

    def fingerprint(self) -> Fingerprint:
        """Return everything that is the user's, as it is now."""
        return fingerprints.fingerprint(self.repository)

    def start(self, *words: str, agents: int = 4) -> ForkedProcess:
        """Start `orchestrate run`, as a shell would."""
        command = words or ("run", "--max-agents", str(agents))
        with (self.folder / "output").open("ab") as output, open(os.devnull, "rb") as nothing:
            return forkserver.server().start(
                command,
                cwd=self.path,
                env=os.environ,
                stdin=nothing.fileno(),
                stdout=output.fileno(),
                stderr=output.fileno(),
                start_new_session=True,
            )

    def survives(self, seconds: float, *, with_git: bool = False) -> bool:
        """Run and kill -9 after some time; return whether there was something to kill, False when it was done.

        With `with_git` the git processes that are at work for it are killed, too. Agents go on in any case.
        """
        run = self.start()
        try:
            code = run.wait(seconds)
        except subprocess.TimeoutExpired:
            if with_git:
                os.killpg(run.pid, signal.SIGKILL)
            run.send_signal(signal.SIGKILL)
            run.wait()
            return True
        assert code == 0, self.told()
        return False

    def finish(self) -> None:
        """Run to the end of the queue."""
        assert self.start().wait(SECONDS) == 0, self.told()

    def told(self) -> str:
        """Return the end of what all runs printed, and the whole log."""
        return (self.folder / "output").read_text()[-4000:] + self.log.read_text()

    def acts(self) -> Counter[tuple[str, str, str]]:
        """Return what was done how often: act, task, execution."""
        lines = (line.split(" ") for line in self.log.read_text().splitlines())
        return Counter((act, task, execution) for act, task, execution in lines)

    def processes(self) -> list[int]:
        """Return the processes that belong to an execution of this repository."""
        return [pid for pid, env in _environments() if env.get(EXECUTION_VARIABLE, "").startswith(f"{self.path}/")]

    def kill_supervisor(self, execution: str) -> None:
        """Kill -9 the process that keeps an execution's clocks and record."""
        run = json.loads((self.path / ".git/gitorch/attempts" / execution / "run.json").read_text())
        os.kill(run["pid"], signal.SIGKILL)

    def tasks(self) -> Mapping[TaskId, Task]:
        return Store(self.path / ".git/gitorch").load()

    def verify(self, *, lost: int = 0) -> None:
        """Check everything that must be true after the last run; `lost` attempts may have been repeated."""
        tasks = self.tasks()
        assert {task.state for task in tasks.values()} <= {State.FINISHED, State.MERGED}, (_states(tasks), self.told())
        assert sum(task.attempts - 1 for task in tasks.values()) <= lost
        self._verify_acts(tasks)
        self._verify_branches(tasks)
        self._verify_notes(tasks)
        self._verify_repository(tasks)

    def _verify_acts(self, tasks: Mapping[TaskId, Task]) -> None:
        acts = self.acts()
        assert not [act for act in acts if "overlap" in act[0]], "two preparations in one worktree at once"
        twice = [act for act, times in acts.items() if times > 1]
        assert not twice, f"one execution ran twice: {twice}"
        starts = Counter(task for act, task, _ in acts if act == "agent-start")
        assert starts == {task.id: task.attempts for task in tasks.values()}
        ends = Counter(task for act, task, _ in acts if act == "agent-end")
        assert ends == dict.fromkeys(tasks, 1), "each task is done once"
        # a check runs again when the orchestrator was killed before it had the results of all checks
        checks = {task for act, task, _ in acts if act == "check-end"}
        assert checks == {task.id for task in tasks.values() if task.spec.checks}

    def _verify_branches(self, tasks: Mapping[TaskId, Task]) -> None:
        for task in tasks.values():
            kind = task.id.rpartition("-")[2]
            subjects = git("log", "--reverse", "--format=%s", f"{task.base}..{task.branch}", cwd=self.path)
            assert subjects.split("\n") == [words.format(task.id) for words in _SUBJECTS[kind]]
            assert git("rev-parse", task.branch, cwd=self.path) == task.tip
            files = git("ls-tree", "-r", "--name-only", task.branch, cwd=self.path).split("\n")
            assert {f"{name}.txt" for name in (task.id, *task.spec.after)} <= set(files)
            assert "left-by-the-check.txt" not in files
            assert task.passed is (True if task.spec.checks else None)

    def _verify_notes(self, tasks: Mapping[TaskId, Task]) -> None:
        lines = note_store.read_all(self.repository)
        for task in tasks.values():
            assert task.tip is not None
            noted = [line.note for line in lines[task.tip]]
            own = [note.number for note in noted if isinstance(note, AttemptNote) and note.task == task.id]
            assert own == [task.attempts], f"{task.id}: {noted}"
            assert sum(isinstance(note, CheckNote) for note in noted) == len(task.spec.checks)
        every = (line.note for on_commit in lines.values() for line in on_commit)
        attempts = [(note.task, note.number) for note in every if isinstance(note, AttemptNote)]
        repeated = [one for one, times in Counter(attempts).items() if times > 1 and _tip_moved(one, tasks)]
        assert not repeated

    def _verify_repository(self, tasks: Mapping[TaskId, Task]) -> None:
        assert self.processes() == []
        git("fsck", "--full", "--strict", "--no-dangling", cwd=self.path)
        listing = git("worktree", "list", "--porcelain", "-z", cwd=self.path).split("\0")
        registered = {line.removeprefix("worktree ") for line in listing if line.startswith("worktree ")}
        expected = {task.worktree for task in tasks.values()} | {str(self.path)}
        own = {"integration", *(f"check_{number}" for number in range(1, 9))}
        assert registered - {f"{self.path}.orch/{name}" for name in own} == expected
        assert {path.name for path in (self.path / ".git/worktrees").iterdir()} - own == set(tasks)
        assert tomli.loads((self.path / ".git/gitorch/tasks.toml").read_text())["end"]["tasks"] == len(tasks)
        assert OperationLog(self.path / ".git/gitorch/operations.jsonl").unfinished() == []
        assert git("for-each-ref", "refs/gitorch/building/", cwd=self.path) == ""
        assert fingerprint.differences(self.untouched, self.fingerprint()) == ()


def _tip_moved(attempt: tuple[str, int], tasks: Mapping[TaskId, Task]) -> bool:
    # a merge copies the lines of a commit to the one that stands for it
    return tasks[TaskId(attempt[0])].state is not State.MERGED


def _states(tasks: Mapping[TaskId, Task]) -> dict[str, str]:
    return {task.id: f"{task.state} {task.reason}" for task in tasks.values()}


def _environments() -> Iterator[tuple[int, dict[str, str]]]:
    for process in psutil.process_iter():
        try:
            yield process.pid, process.environ()
        except psutil.Error:
            continue  # it has ended, or is somebody else's


def await_act(night: Night, act: str, *, attempt: str = "1", seconds: float = SECONDS) -> tuple[str, str]:
    """Wait until something was done in an attempt; return its task and execution."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for found, task, execution in night.acts():
            if found == act and execution.split("/")[1] == attempt:
                return task, execution
        time.sleep(0.01)
    raise AssertionError(f"no {act} within {seconds} s: {night.told()}")
