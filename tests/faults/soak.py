"""A soak: scripted agents and a person at work, a nemesis that kills, stops and fills, and a checker of what was said.

`python -m tests.faults.soak --minutes 10 --agents 20` runs it; `--seed` makes the same choices again. As root, the
repository is on a small file system of its own, which the nemesis fills.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil

from gitorch.model.naming import EXECUTION_VARIABLE
from tests.conftest import foreign, sealed
from tests.faults.clock import Clock, jumping_clock
from tests.faults.invariants import Known, known, verify
from tests.support import forkserver
from tests.support.cli import Cli, settle
from tests.support.forkserver import ForkedProcess
from tests.support.git import commit, git, standard

_MEGABYTES = 300
_SECONDS = 120.0

# what an agent says is written outside of the file system that is filled
_AGENT = """\
#!/bin/sh
task=$1 log='{log}'
echo "start $task ${{GITORCH_EXECUTION##*/attempts/}} -" >> "$log"
for number in 1 2 3; do
    echo "$task $number" > "$task-$number.txt"
    git add -A && git commit -qm "$number of $task" && echo "commit $task - $(git rev-parse HEAD)" >> "$log"
    sleep 0.$(( (number * 7 + $$) % 9 ))
done
echo left > "$task-left.txt"
echo "end $task - -" >> "$log"
"""

_CONFIG = """\
agent = "scripted"
[agents.scripted]
kind = "command"
command = ["{script}", "{{task}}"]
[run]
retries = 3
min_free_disk = "1KB"
"""


class Said(msgspec.Struct):
    """What gitorch has acknowledged: the last state of each task that a command answered with success for."""

    states: dict[str, str] = {}
    commands: Counter[str] = msgspec.field(default_factory=Counter)


class Site:
    """One repository under attack."""

    def __init__(self, top: Path, log: Path, agents: int, chance: random.Random, clock: Clock | None) -> None:
        self.top, self.log, self.agents, self.chance, self.clock = top, log, agents, chance, clock
        log.touch()
        script = log.with_name(f"{log.name}.sh")
        script.write_text(_AGENT.format(log=log))
        script.chmod(0o755)
        repo = standard(top / "repo")
        commit(repo, "Mine\n", {"mine.txt": "m\n"})
        git("branch", "mine", cwd=repo)
        # a gc under a clock that is ahead drops old lines of reflogs: not of the one whose changes are looked for
        for setting in ("reflogExpire", "reflogExpireUnreachable"):
            git("config", f"gc.HEAD.{setting}", "never", cwd=repo)
        # where agents share the user's repository, a gc of the user's takes what they are about to commit
        variables = {"GITORCH_SANDBOX_MODE": "private", **(clock.environment if clock else {})}
        self.cli = Cli(repo, _CONFIG.format(script=script), **variables)
        self.said, self.done = Said(), Counter[str]()
        self.known: Known = known(repo)
        self.runs: list[ForkedProcess] = []
        self.output = log.with_name(f"{log.name}.output")
        self.number = 0

    # what a person does

    def submit(self) -> None:
        """Queue some tasks."""
        names = [f"t{self.number + index}" for index in range(self.chance.randint(1, self.agents))]
        self.number += len(names)
        content = "".join(f'[[task]]\nid = "{name}"\nprompt = "{name}"\n' for name in names).encode()
        answer = self._command("submit", "-F", "-", input=content)
        if answer == 0:
            self.said.states |= dict.fromkeys(names, "queued")

    def approve(self) -> None:
        """Approve what is finished."""
        ready = [name for name, state in self._states().items() if state == "finished"][:3]
        if ready and self._command("approve", "--force", *ready) == 0:
            self.said.states |= dict.fromkeys(ready, "approved")

    def merge(self) -> None:
        """Merge what is approved."""
        if self._command("merge") == 0:
            self.said.states |= {name: state for name, state in self._states().items() if state == "merged"}

    def undo(self) -> None:
        """Take the last operation back: then what was said of tasks before holds as far as it still shows."""
        if self._command("undo") == 0:
            states = self._states()
            self.said.states = {
                name: said if states[name] == said else "queued"
                for name, said in self.said.states.items()
                if name in states
            }

    def rebase(self) -> None:
        """Rebase a branch of the user's own, in a worktree that is there as long as it takes."""
        mine = self.top / "mine"
        self._git("worktree", "add", "-q", str(mine), "mine")
        self._git("commit", "-q", "--allow-empty", "-m", f"mine {time.time_ns()}", cwd=mine)
        self._git("rebase", "-q", "--force-rebase", "main", cwd=mine)
        self._remove_worktree()

    def _remove_worktree(self) -> None:
        shutil.rmtree(self.top / "mine", ignore_errors=True)
        self._git("worktree", "prune")

    def _git(self, *words: str, cwd: Path | None = None) -> None:
        """Run git as the user does, who may have no disk left."""
        if cwd is None or cwd.is_dir():
            git(*words, cwd=cwd or self.cli.folder, ok=range(256))

    def gc(self) -> None:
        """Collect garbage, at once."""
        self._git("gc", "--prune=now", "--quiet")

    # what the nemesis does

    def kill_run(self) -> None:
        """kill -9 the run."""
        for run in self._live():
            run.send_signal(signal.SIGKILL)
            run.wait(_SECONDS)

    def kill_run_and_git(self) -> None:
        """kill -9 the run, with every git that works for it."""
        for run in self._live():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.wait(_SECONDS)

    def kill_someone(self) -> None:
        """kill -9 a process of an execution: an agent, what it started, or its supervisor."""
        processes = list(self._processes())
        if processes:
            with contextlib.suppress(psutil.Error):
                self.chance.choice(processes).kill()

    def kill_everything(self) -> None:
        """kill -9 the run, its git, and all agents and supervisors, as if the power had failed."""
        self.kill_run_and_git()
        for process in list(self._processes()):
            with contextlib.suppress(psutil.Error):
                process.kill()

    def pause_run(self) -> None:
        """Stop the run for a while."""
        for run in self._live():
            run.send_signal(signal.SIGSTOP)
            time.sleep(self.chance.uniform(0.2, 2.0))
            run.send_signal(signal.SIGCONT)

    def pause_someone(self) -> None:
        """Stop a process of an execution for a while."""
        for process in self.chance.sample(found := list(self._processes()), min(1, len(found))):
            with contextlib.suppress(psutil.Error):
                process.suspend()
                time.sleep(self.chance.uniform(0.2, 1.0))
                process.resume()

    def fill(self) -> None:
        """Fill the disk for a while."""
        file = self.top / "full"
        free = shutil.disk_usage(self.top).free
        if free > _MEGABYTES << 20:
            return  # it is not a file system of our own
        with contextlib.suppress(OSError), file.open("wb") as full:
            while True:
                full.write(bytes(1 << 16))
                full.flush()
        time.sleep(self.chance.uniform(0.1, 1.0))
        file.unlink(missing_ok=True)

    def lock(self) -> None:
        """Leave a lock of a git that is long dead."""
        name = self.chance.choice(("packed-refs.lock", "refs/heads/orch/integration.lock"))
        path = self.cli.folder / ".git" / name
        if path.parent.is_dir() and not path.exists():
            path.touch()
            time.sleep(0.3)
            path.unlink(missing_ok=True)

    def jump_clock(self) -> None:
        """Set the clock, forwards or back."""
        if self.clock:
            self.clock.jump(self.chance.choice((0, 2, -2, 90, -90, 3600, -3600, 86_400, -86_400, 400 * 86_400)))

    # the whole

    def attack(self, until: float) -> None:
        """Do one thing after another, with a run at work all the time."""
        acts: tuple[Callable[[], None], ...] = (
            *(self.kill_run, self.kill_run_and_git, self.kill_someone, self.kill_someone, self.kill_everything),
            *(self.pause_run, self.pause_someone, self.fill, self.lock, self.jump_clock, self.gc, self.rebase),
            *(self.submit, self.approve, self.approve, self.merge, self.undo),
        )
        self.submit()
        while time.monotonic() < until:
            self._start()
            time.sleep(self.chance.uniform(0.0, 1.5))
            act = self.chance.choice(acts)
            act()
            self.done[act.__name__] += 1

    def check(self) -> None:
        """Let everything come to its end; then nothing that was said is lost, and every invariant holds."""
        self.kill_run()
        code = 0
        for _ in range(20):
            code = self._run_to_its_end()
            if not {"queued", "running"} & set(self._states().values()):
                break
        states = self._states()
        assert code in (0, 6, 8), (code, self.output.read_text()[-3000:])
        assert not {"queued", "running"} & set(states.values()), states
        rank = {"queued": 0, "approved": 1, "merged": 2}
        broken = {
            name: (said, states.get(name))
            for name, said in self.said.states.items()
            if name not in states or rank.get(states[name], 0) < rank[said]
        }
        assert not broken, broken
        lines = [line.split(" ") for line in self.log.read_text().splitlines()]
        twice = [key for key, count in Counter(line[2] for line in lines if line[0] == "start").items() if count > 1]
        assert not twice, twice
        self._remove_worktree()
        mine = self.known.fingerprint.digests["refs/heads/mine"].strip()
        git("update-ref", "refs/heads/mine", mine, cwd=self.cli.folder)
        self._verify_commits([line[3] for line in lines if line[0] == "commit"])
        verify(self.known)
        assert "Traceback" not in self.output.read_text()

    def _verify_commits(self, commits: list[str]) -> None:
        """Check that each commit of an agent is in the repository, or in the agent's own, which is kept."""
        rooms = [self.cli.folder, *(self.cli.folder / ".git/gitorch/rooms").glob("*/*/git")]
        request = "".join(f"{oid}\n" for oid in commits).encode()
        found: set[str] = set()
        for room in rooms:
            answers = git("cat-file", "--batch-check", cwd=room, input=request, ok=range(256)).splitlines()
            found |= {line.split(" ")[0] for line in answers if " commit " in line}
        assert set(commits) <= found, set(commits) - found

    def _command(self, *words: str, input: bytes = b"") -> int:
        answer = self.cli(*words, ok=range(256), input=input, seconds=_SECONDS)
        self.said.commands[f"{words[0]} {answer.code}"] += 1
        assert answer.code != 1, (words, answer.stderr)
        return answer.code

    def _states(self) -> dict[str, str]:
        answer = self.cli("status", "--json", ok=range(256), seconds=_SECONDS)
        assert answer.code in (0, 4), answer.stderr + answer.text
        return {task["id"]: task["state"] for task in answer.json.get("tasks", ())}

    def _start(self) -> None:
        if self._live():
            return
        with self.output.open("ab") as output, open(os.devnull, "rb") as nothing:
            self.runs = [
                forkserver.server().start(
                    ("run", "--max-agents", str(self.agents)),
                    cwd=self.cli.folder,
                    env=self.cli.environment,
                    stdin=nothing.fileno(),
                    stdout=output.fileno(),
                    stderr=output.fileno(),
                    start_new_session=True,
                )
            ]

    def _run_to_its_end(self) -> int:
        settle(self.cli.folder)
        self._start()
        return self.runs[0].wait(600.0)

    def _live(self) -> list[ForkedProcess]:
        return [run for run in self.runs if run.poll() is None]

    def _processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(EXECUTION_VARIABLE, "").startswith(f"{self.cli.folder}/"):
                    yield process


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Yield a folder on a file system of its own, if that is possible."""
    disk = folder / "disk"
    disk.mkdir()
    words = ("mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m", "none", str(disk))
    mounted = os.geteuid() == 0 and subprocess.run(words, check=False, capture_output=True).returncode == 0
    try:
        yield disk
    finally:
        if mounted:
            subprocess.run(("umount", "-l", str(disk)), check=True)


def main(arguments: list[str]) -> int:
    """Run rounds until the time is over; print what was done, and fail at the first thing that does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--round", type=float, default=60.0, help="seconds of attacks on one repository")
    parser.add_argument("--keep", type=Path, help="where a copy of a round that fails is kept")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    chance = random.Random(options.seed)
    end = time.monotonic() + 60 * options.minutes
    total, commands, rounds, tasks = Counter[str](), Counter[str](), 0, 0
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitorch-soak-")))
        for variable in filter(foreign, [*os.environ]):
            del os.environ[variable]
        os.environ.update(sealed(folder))
        clock = stack.enter_context(jumping_clock(folder))
        if clock is None:
            print("without jumps of the clock: there is no C compiler")
        while time.monotonic() < end:
            rounds += 1
            site = _round(folder / str(rounds), options, chance, clock, end)
            total, commands, tasks = total + site.done, commands + site.said.commands, tasks + site.number
            print(f"round {rounds}: {dict(site.done)}", flush=True)
    _report({"rounds": rounds, "tasks": tasks, "acts": sum(total.values()), **total}, commands)
    return 0


def _round(folder: Path, options: argparse.Namespace, chance: random.Random, clock: Clock | None, end: float) -> Site:
    """Attack one repository, and check it; keep a copy of it, if that is asked for and something does not hold."""
    folder.mkdir()
    with small_disk(folder) as disk:
        try:
            site = Site(disk, folder / "log", options.agents, chance, clock)
            site.attack(min(end, time.monotonic() + options.round))
            site.check()
        except BaseException:
            if options.keep:
                subprocess.run(("cp", "-a", folder, options.keep), check=True)
            raise
    return site


def _report(figures: dict[str, Any], commands: Counter[str]) -> None:
    print(", ".join(f"{name} {count}" for name, count in figures.items()))
    print("commands and their exit codes:", ", ".join(f"{name}: {count}" for name, count in sorted(commands.items())))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
