"""A night on workers in network namespaces, with a failure every few seconds, and a checker of what must hold.

    python -m tests.faults.cluster_chaos [--minutes 10] [--every 10] [--workers 3] [--slots 4] [--seed N] [--logs DIR]

Needs root and iproute2. Workers are killed, stood still, and cut off for 20 and 45 seconds; the run and the server are
killed; agents, each with a daemon of its own, are cancelled; a stale push is tried. At the end: no delivered commit is
lost, none is there twice, no agent began again without a failure of its worker, none is alive, and neither a run nor a
worker has written a traceback. `--logs` keeps what they have written.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil

from gitorch.git.exchange.attempts import ExchangeFailed, Mirror, delivery_ref, lease_ref
from gitorch.model.naming import Oid
from tests.conftest import foreign, sealed
from tests.support.api import until
from tests.support.cli import Cli, settle
from tests.support.executions import marked
from tests.support.git import git, standard
from tests.support.network import HOME, Network, far_commands, install_ssh
from tests.support.temporal import Server, free_port, serving

LOST_AFTER = 40.0
_SECONDS = 180.0
_AGENT = """\
#!/bin/sh
task=$1 log='{log}'
# how many agents of the same worker process are alive, with this one: cancelled and killed ones write no end
worker=$(cut -d' ' -f4 "/proc/$PPID/stat")
mkdir -p "{alive}/$worker"
: > "{alive}/$worker/$$"
alive=0
for file in "{alive}/$worker"/*; do kill -0 "${{file##*/}}" 2> /dev/null && alive=$((alive + 1)); done
grep -q gitorch "/proc/$worker/cmdline" || alive=0  # it has been killed, and so this one will be
echo "start $task $(date +%s.%N) $PWD $alive" >> "$log"
(setsid sleep 3000 > /dev/null 2>&1 &)
for number in 1 2 3; do
    test -e "$task-$number.txt" || echo "$task" > "$task-$number.txt"
    git add -A
    git commit -qm "$number of $task" && echo "commit $task $(git rev-parse HEAD) -" >> "$log"
    sleep $(( ($$ + number) % 4 + 2 ))
done
rm "{alive}/$worker/$$"
"""
_CONFIG = """\
agent = "scripted"
[agents.scripted]
kind = "command"
command = ["{script}", "{{task}}"]
[run]
retries = 50
rescue_every = "5s"
keep_awake = false
[remote]
address = "127.0.0.1:{port}"
lost_after = "{lost_after:.0f}s"
"""


class Failure(msgspec.Struct, frozen=True):
    """A failure that may cost a worker its agents: which worker, and when it began and ended."""

    worker: int
    began: float
    ended: float


class Start(msgspec.Struct, frozen=True):
    """The start of an agent: its task, when, and on which worker."""

    task: str
    time: float
    worker: int


def _explains(failure: Failure, earlier: Start, later: Start) -> bool:
    return failure.worker == earlier.worker and earlier.time < failure.ended and failure.began < later.time


class Cluster:
    """A repository at home with a server, and workers that reach it over links."""

    def __init__(self, top: Path, network: Network, server: Server, options: argparse.Namespace) -> None:
        self.top, self.network, self.server, self.options = top, network, server, options
        self.log, script = top / "log", top / "agent.sh"
        self.log.touch()
        script.write_text(_AGENT.format(log=self.log, alive=top / "alive"))
        script.chmod(0o755)
        config = _CONFIG.format(script=script, port=server.port, lost_after=LOST_AFTER)
        self.cli = Cli(standard(top / "repo"), config, GITORCH_SANDBOX_MODE="off")
        self.cli.loads_temporal = True
        self.workers = [self._start_worker(number) for number in range(options.workers)]
        self.runs: list[subprocess.Popen[bytes]] = []
        self.failures: list[Failure] = []
        self.cancelled: set[str] = set()
        self.leases: dict[str, str] = {}
        self.refused = 0
        self.peak_memory = 0
        self.number = 0
        self.healing: list[threading.Thread] = []

    def _start_worker(self, number: int) -> subprocess.Popen[bytes]:
        where = ("--address", f"{HOME}:{self.server.port}", "--git", f"ssh://me@{HOME}")
        folder = ("--slots", str(self.options.slots), "--folder", str(self.top / f"worker-{number}"))
        words = self.network.on(number, sys.executable, "-m", "gitorch", "worker", *where, *folder)
        env = {**self.cli.environment, "PATH": f"{self.top}:{os.environ['PATH']}"}
        with (self.top / f"worker-{number}.log").open("ab") as log:
            return subprocess.Popen(words, cwd=self.top, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def end(self) -> None:
        """Kill what was started here."""
        for process in (*self.workers, *self.runs):
            process.kill()

    def logs(self) -> list[Path]:
        """Return what the runs and the workers have written."""
        return [*self.top.glob("*.log")]

    def keep_logs(self, folder: Path) -> None:
        """Copy everything that was written to another folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in (*self.logs(), self.log, *self.top.glob("temporal/*.log")):
            shutil.copy(path, folder / path.name)

    # what a person does

    def work(self) -> None:
        """Keep enough tasks queued, and a run at work."""
        states = self.states()
        alive = [name for name, state in states.items() if state in ("queued", "running")]
        if len(alive) < 2 * self.options.workers * self.options.slots:
            names = [f"t{self.number + index}" for index in range(self.options.slots)]
            self.number += len(names)
            content = "".join(f'[[task]]\nid = "{name}"\nprompt = "{name}"\n' for name in names).encode()
            self.cli("submit", "-F", "-", input=content, seconds=_SECONDS, ok=(0, 8))
        self.start_run()
        for line in git("for-each-ref", "refs/gitorch/lease", cwd=self.cli.folder).splitlines():
            self.leases.setdefault(line.rpartition("/")[2], line.split(" ")[0])
        with contextlib.suppress(psutil.Error):  # it is being killed
            self.peak_memory = max(self.peak_memory, self.server.memory)

    def start_run(self) -> None:
        """Start a run unless one is at work."""
        if not self.runs or self.runs[-1].poll() is not None:
            slots = self.options.workers * self.options.slots
            words = (sys.executable, "-m", "gitorch", "run", "--max-agents", str(slots))
            with (self.top / "run.log").open("ab") as log:
                env = {**os.environ, **self.cli.environment}
                self.runs.append(
                    subprocess.Popen(
                        words, cwd=self.cli.folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                    )
                )

    def states(self) -> dict[str, str]:
        """Return where each task stands."""
        answer = self.cli("status", "--json", ok=range(256), seconds=_SECONDS)
        return {task["id"]: task["state"] for task in answer.json.get("tasks", ())}

    # what the nemesis does

    def kill_worker(self) -> None:
        """kill -9 a worker; another one starts in its place after a while."""
        number = self._healthy()
        began = time.time()
        self.workers[number].kill()
        self.workers[number].wait()
        self._later(3.0, lambda: self._replace(number, began))

    def _replace(self, number: int, began: float) -> None:
        self.workers[number] = self._start_worker(number)
        self.failures.append(Failure(number, began, time.time() + LOST_AFTER))

    def stop_worker(self) -> None:
        """SIGSTOP a worker for longer than it may be silent."""
        number, began = self._healthy(), time.time()
        worker = self.workers[number]
        worker.send_signal(signal.SIGSTOP)
        self._later(LOST_AFTER + 10, lambda: self._go_on(number, began))

    def _go_on(self, number: int, began: float) -> None:
        self.workers[number].send_signal(signal.SIGCONT)
        self.failures.append(Failure(number, began, time.time() + LOST_AFTER))

    def cut_shortly(self) -> None:
        """Cut a link for 20 seconds: no agent may be lost by that."""
        number = self._healthy()
        self.network.cut(number)
        self._later(20.0, lambda: self.network.heal(number))

    def cut_long(self) -> None:
        """Cut a link for 45 seconds."""
        number, began = self._healthy(), time.time()
        self.network.cut(number)
        self._later(45.0, lambda: self._heal(number, began))

    def _heal(self, number: int, began: float) -> None:
        self.network.heal(number)
        self.failures.append(Failure(number, began, time.time() + LOST_AFTER))

    def kill_run(self) -> None:
        """kill -9 the orchestrator."""
        self.runs[-1].kill()
        self.runs[-1].wait()
        settle(self.cli.folder)

    def kill_server(self) -> None:
        """kill -9 the server, which starts again after some seconds."""
        self.server.kill()
        time.sleep(4)
        self.server.start()

    def cancel(self) -> None:
        """Cancel a running task."""
        running = [name for name, state in self.states().items() if state == "running"]
        if running:
            name = random.choice(running)
            if self.cli("kill", name, ok=range(256), seconds=_SECONDS).code == 0:
                self.cancelled.add(name)

    def push_stale(self) -> None:
        """Push for a submission that has been followed by another one: it must be refused."""
        for task, commit in self.leases.items():
            current = git("for-each-ref", "--format=%(objectname)", lease_ref(task), cwd=self.cli.folder)
            if current and current != commit:
                mirror = Mirror(self.top / "stale.git", str(self.cli.folder))
                mirror.fetch(Oid(commit))
                with contextlib.suppress(ExchangeFailed):
                    mirror.push(Oid(commit), delivery_ref(task, 999, 999), lease_ref(task), Oid(commit))
                    raise AssertionError(f"a stale push of {task} was accepted")
                self.refused += 1
                return

    def _healthy(self) -> int:
        """Return a worker that nothing has happened to for a while, or wait for one."""
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            busy = {int(thread.name) for thread in self.healing if thread.is_alive()}
            free = [number for number in range(self.options.workers) if number not in busy]
            if free:
                self._chosen = random.choice(free)
                return self._chosen
            time.sleep(0.5)
        raise AssertionError("no worker heals")

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        def wait_and_act() -> None:
            time.sleep(seconds)
            act()

        thread = threading.Thread(target=wait_and_act, name=str(self._chosen), daemon=True)
        thread.start()
        self.healing.append(thread)

    # the whole

    def attack(self, seconds: float) -> Counter[str]:
        """Do one failure after the other, all kinds equally often; return how often each."""
        acts = [
            *(self.kill_worker, self.cut_shortly, self.kill_run, self.cut_long, self.kill_server),
            *(self.stop_worker, self.cancel, self.push_stale),
        ]
        done, end, order = Counter[str](), time.monotonic() + seconds, list[Callable[[], None]]()
        self.work()
        while time.monotonic() < end:
            due = time.monotonic() + self.options.every
            self.work()
            order = order or random.sample(acts, len(acts))
            act = order.pop()
            act()
            done[act.__name__] += 1
            print(f"{time.strftime('%H:%M:%S')} {act.__name__}", flush=True)
            time.sleep(max(0.0, due - time.monotonic()))
        return done

    def come_to_rest(self) -> dict[str, str]:
        """Let everything heal and end; return the states of the tasks."""
        for thread in self.healing:
            thread.join()
        states = self.states()
        for _ in range(10):
            self.start_run()
            self.runs[-1].wait(900)
            states = self.states()
            if not {"queued", "running"} & {*states.values()}:
                break
        return states

    def check(self, states: dict[str, str]) -> dict[str, object]:
        """Return the figures; raise when something does not hold."""
        lines = [line.split(" ") for line in self.log.read_text().splitlines()]
        starts = [Start(line[1], float(line[2]), self._worker_of(line[3])) for line in lines if line[0] == "start"]
        odd = {name: state for name, state in states.items() if state != "finished" and name not in self.cancelled}
        assert not odd, odd
        lost, twice, delivered = self._commits(lines)
        assert not lost, f"lost: {lost}"
        assert not twice, f"twice: {twice}"
        unexplained = self._unexplained(starts)
        assert not unexplained, f"began again without a failure: {unexplained}"
        assert until(lambda: not marked(self.top)), marked(self.top)
        most = max(int(line[4]) for line in lines if line[0] == "start")
        assert most <= self.options.slots, most
        before = git("for-each-ref", "refs/heads", cwd=self.cli.folder)
        self.cli("run", ok=range(256), seconds=_SECONDS)  # imports nothing a second time
        assert git("for-each-ref", "refs/heads", cwd=self.cli.folder) == before
        for log in self.logs():
            _, crash, trace = log.read_text(errors="replace").partition("Traceback")
            assert not crash, f"{log.name}: {trace[:3000]}"
        return {
            "tasks": len(states),
            "finished": sum(state == "finished" for state in states.values()),
            "cancelled": len(self.cancelled),
            "starts": len(starts),
            "begun again": len(starts) - len({start.task for start in starts}),
            "delivered commits": delivered,
            "stale pushes refused": self.refused,
            "most at once on a worker": most,
            "server, MB": round(self.peak_memory / 1e6),
        }

    def _worker_of(self, folder: str) -> int:
        return int(Path(folder).relative_to(self.top).parts[0].removeprefix("worker-"))

    def _commits(self, lines: list[list[str]]) -> tuple[list[str], list[str], int]:
        """Return which commits of delivered work are on no branch, which subjects are there twice, and how many."""
        made = defaultdict(set)
        for line in lines:
            if line[0] == "commit":
                made[line[1]].add(line[2])
        lost, twice, delivered = [], [], 0
        for task, commits in made.items():
            branch = f"refs/heads/orch/{task}"
            on_branch = {*git("rev-list", branch, "^main", cwd=self.cli.folder).splitlines()}
            subjects = git("log", "--format=%s", branch, "^main", cwd=self.cli.folder).splitlines()
            twice += [subject for subject, count in Counter(subjects).items() if count > 1 and " of " in subject]
            refs = git("for-each-ref", "--format=%(refname)", f"refs/gitorch/attempts/{task}", cwd=self.cli.folder)
            for ref in refs.splitlines():
                if ref.rpartition("/")[2].count("-") == 1:  # delivered at the end of an attempt
                    tips = {*git("rev-list", ref, "^main", cwd=self.cli.folder).splitlines()} & commits
                    delivered += len(tips)
                    lost += sorted(tips - on_branch)
        return lost, twice, delivered

    def _unexplained(self, starts: list[Start]) -> list[Start]:
        """Return the starts of a task after the first that no failure of the worker before explains."""
        by_task = defaultdict(list)
        for start in sorted(starts, key=lambda start: start.time):
            by_task[start.task].append(start)
        unexplained = []
        for task_starts in by_task.values():
            failures = [*self.failures]
            for earlier, later in itertools.pairwise(task_starts):
                cause = next((failure for failure in failures if _explains(failure, earlier, later)), None)
                if cause is None:
                    unexplained.append(later)
                else:
                    failures.remove(cause)  # a failure costs a task one start
        return unexplained


def main(arguments: list[str]) -> int:
    """Attack, let everything end, check, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.cluster_chaos")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=10.0, help="seconds from one failure to the next")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument(
        "--logs", type=Path, metavar="DIR", help="where to keep what runs, workers and the server write"
    )
    options = parser.parse_args(arguments)
    random.seed(options.seed)
    print(f"seed {options.seed}", flush=True)
    port = free_port()
    with contextlib.ExitStack() as stack:
        top = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitorch-chaos-")))
        for variable in filter(foreign, [*os.environ]):
            del os.environ[variable]
        os.environ.update(sealed(top))
        network = stack.enter_context(Network(options.workers))
        stack.enter_context(far_commands(port))
        install_ssh(top, port)
        server = stack.enter_context(serving(top / "temporal", "0.0.0.0"))
        cluster = Cluster(top, network, server, options)
        if options.logs is not None:
            stack.callback(cluster.keep_logs, options.logs)
        stack.callback(cluster.end)
        done = cluster.attack(60 * options.minutes)
        figures = cluster.check(cluster.come_to_rest())
    print(f"held: {dict(done)}")
    for name, figure in figures.items():
        print(f"{name:28} {figure}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
