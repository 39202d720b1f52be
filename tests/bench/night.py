"""What a task costs beside the work itself: a night of tasks that do next to nothing, against plain git by hand.

    python -m tests.bench.night --tasks 1000 --max-agents 8

The night goes through the real `orchestrate run`, within this process, so that its parts can be timed from outside.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import os
import resource
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from gitorch import services
from gitorch.cli import main as cli
from gitorch.executors.local import LocalExecutor
from gitorch.executors.protocol import ExecutionId
from gitorch.flow import intake
from gitorch.flow.attempt import lifecycle
from gitorch.flow.scheduling import scheduler
from gitorch.git.notes import note_store
from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees
from gitorch.services.open import open_workspace
from gitorch.storage import trust
from gitorch.storage.tasks import Store
from tests.support.git import CONFIG, git, standard

BY_HAND = 60
EDGE = 100

PARTS = {
    "start": "choose the base, queued → running",
    "worktree": "branch, worktree add, check-out, environment",
    "prepare": "brief, [prepare] (none here)",
    "agent": "the agent itself: one file, git add, git commit, with gitorch's hooks",
    "supervisor": "start and end of its supervisor",
    "collect": "its commits come home: status, gate",
    "notes": "attempt note (waits its turn)",
    "state": "state keeping: the journal's fsync, and the wait for it",
    "rest": "everything else",
}


class Clock:
    """Seconds by part and by how many tasks had ended; parts may be measured in any thread."""

    def __init__(self) -> None:
        self.ended = 0
        self.seconds: dict[tuple[int, str], float] = defaultdict(float)
        self.calls: dict[tuple[int, str], int] = defaultdict(int)
        self.passed: dict[int, tuple[float, float]] = {}
        self._turn = threading.Lock()

    def add(self, part: str, seconds: float) -> None:
        with self._turn:
            self.seconds[self.ended // EDGE, part] += seconds
            self.calls[self.ended // EDGE, part] += 1

    def end_one(self) -> None:
        with self._turn:
            self.ended += 1
            self.passed[self.ended] = (time.perf_counter(), used())

    @contextlib.contextmanager
    def timed(self, owner: Any, name: str, part: str) -> Iterator[None]:
        """Time every call of a function, found by name in a module or class, until the block ends."""
        plain = getattr(owner, name)

        @functools.wraps(plain)
        def timed(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter()
            try:
                return plain(*args, **kwargs)
            finally:
                self.add(part, time.perf_counter() - begun)

        setattr(owner, name, timed)
        try:
            yield
        finally:
            setattr(owner, name, plain)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Time the parts of a night."""
        seams: list[tuple[Any, str, str]] = [
            (services.run, "start_task", "start"),
            (lifecycle, "enter", "worktree"),
            (lifecycle, "prepare", "prepare"),
            (lifecycle, "execute_agent", "execution"),
            (lifecycle, "_collect", "collect"),
            (note_store.NoteWriter, "append", "notes"),
            (scheduler.Scheduler, "_hand_over", "state"),
            (scheduler.Scheduler, "_run_attempt", "attempt"),
            (Store, "save", "save"),
            (Store, "snapshot", "snapshot"),
            (Repository, "git", "git"),
            (linked_worktrees, "add", "worktree add"),
        ]
        plain = LocalExecutor.wait

        def wait(executor: LocalExecutor, execution: ExecutionId) -> Any:
            status = plain(executor, execution)
            self.add("agent", getattr(status, "seconds", 0.0))
            self.end_one()
            return status

        with contextlib.ExitStack() as stack:
            for owner, name, part in seams:
                stack.enter_context(self.timed(owner, name, part))
            setattr(LocalExecutor, "wait", wait)  # noqa: B010
            stack.callback(setattr, LocalExecutor, "wait", plain)
            yield


def sealed(folder: Path) -> None:
    """Give this process a home of its own, and a git that reads nothing of this machine's."""
    # compiled modules are part of what is measured
    for name in [name for name in os.environ if name.startswith(("GIT_", "XDG_")) or name == "PYTHONDONTWRITEBYTECODE"]:
        del os.environ[name]
    (folder / "home").mkdir(exist_ok=True)
    (folder / "home/.gitconfig").write_text(CONFIG)
    os.environ |= {"HOME": str(folder / "home"), "GIT_CONFIG_NOSYSTEM": "1", "XDG_CONFIG_HOME": str(folder / "home")}


_AGENT = 'echo "$1" > "$1.txt" && git add -A && git commit -qm "work of $1"'


def repository(folder: Path, count: int) -> Path:
    """Make a small repository with a queue of tasks."""
    path = standard(folder / "small")
    command = ["/bin/sh", "-c", _AGENT, "agent", "{task}"]
    settings = f'agent = "noop"\n[agents.noop]\nkind = "command"\ncommand = {msgspec.json.encode(command).decode()}\n'
    (path / ".orchestrate.toml").write_text(settings)
    git("add", "-A", cwd=path)
    git("commit", "-qm", "configure", cwd=path)
    library = open_workspace(path)
    trust.agree(library.repository.common_dir, trust.commands(library.loaded.layers))
    drafts = [intake.from_text(f"task {number}") for number in range(1, count + 1)]
    services.submit.submit(library, intake.resolve(drafts, library.tasks, 1))
    return path


def by_hand(path: Path, count: int) -> dict[str, list[float]]:
    """Do with plain git what a task needs at the least, one after the other; return seconds by step."""
    seconds: dict[str, list[float]] = defaultdict(list)

    def timed(step: str, *args: str, cwd: Path = path) -> None:
        begun = time.perf_counter()
        git(*args, cwd=cwd)
        seconds[step].append(time.perf_counter() - begun)

    for number in range(count):
        tree = path.parent / "by-hand" / f"tree-{number}"
        timed("worktree add", "worktree", "add", "-q", "-b", f"hand/{number}", str(tree), "main")
        (tree / "file.txt").write_text("hand\n")
        git("add", "-A", cwd=tree)
        timed("commit", "commit", "-qm", "by hand", cwd=tree)
        timed("worktree remove", "worktree", "remove", str(tree))
        git("branch", "-qD", f"hand/{number}", cwd=path)
    return seconds


def used() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what some work gives, its wall time and its processor time."""
    before, begun = used(), time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun, used() - before


def night(path: Path, agents: int, clock: Clock) -> None:
    """Work through the queue with the command line, as a shell would."""
    with clock.watching(), contextlib.redirect_stdout(io.StringIO()) as said:
        code = cli.run(["-C", str(path), "run", "--max-agents", str(agents)])
    if code:
        raise SystemExit(f"the night ended with {code}:\n{said.getvalue()[-2000:]}")


def parts_of(clock: Clock, bucket: int | None) -> dict[str, float]:
    """Return the seconds of each part in a stretch of the night (None: in all of it), and in all."""
    found: dict[str, float] = defaultdict(float)
    for (at, part), seconds in clock.seconds.items():
        if bucket is None or at == bucket:
            found[part] += seconds
    found["supervisor"] = found["execution"] - found["agent"]
    found["total"] = found["attempt"] + found["start"]
    counted = ("start", "worktree", "prepare", "agent", "supervisor", "collect", "notes", "state")
    found["rest"] = found["total"] - sum(found[part] for part in counted)
    return found


def table(clock: Clock, count: int) -> None:
    """Print what a task's time consists of: over the night, in its first and in its last stretch."""
    last = (count - 1) // EDGE
    columns = [parts_of(clock, bucket) for bucket in (None, 0, last)]
    sizes = [count, min(EDGE, count), count - last * EDGE]
    heads = " ".join(f"{name:>8} {'share':>6}" for name in ("all", "first", "last"))
    print(f"\n{'ms a task, in its own thread':44} {heads}")
    for part, words in PARTS.items():
        cells = [
            f"{1000 * column[part] / size:8.2f} {column[part] / column['total']:6.1%}"
            for column, size in zip(columns, sizes, strict=True)
        ]
        print(f"{part + ': ' + words:44.44} {' '.join(cells)}")
    totals = " ".join(
        f"{1000 * column['total'] / size:8.2f} {'':6}" for column, size in zip(columns, sizes, strict=True)
    )
    print(f"{'total':44} {totals}")
    for part in ("git", "save", "snapshot", "worktree add"):
        cells = [f"{1000 * column[part] / size:8.2f} {'':6}" for column, size in zip(columns, sizes, strict=True)]
        print(f"{'  of it: ' + part:44} {' '.join(cells)}")
    calls = sum(calls for (_, part), calls in clock.calls.items() if part == "git")
    print(f"git commands of gitorch's own, a task: {calls / count:.1f}")


def pace(clock: Clock, first: int, last: int) -> tuple[float, float]:
    """Return wall and processor milliseconds a task between two tasks of the night."""
    before, after = clock.passed[first], clock.passed[last]
    wall, processor = (1000 * (late - early) / (last - first) for early, late in zip(before, after, strict=True))
    return wall, processor


def main() -> None:
    """Run the night and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--max-agents", type=int, default=8)
    parser.add_argument("--by-hand", type=int, default=BY_HAND, help="rounds of plain git, before and after")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitorch-bench-") as name:
        sealed(Path(name))
        report(Path(name).resolve(), options.tasks, options.max_agents, options.by_hand)


def report(folder: Path, count: int, agents: int, rounds: int) -> None:
    """Measure and print."""
    path = repository(folder, count)
    clock = Clock()
    before, _, cpu_before = measured(lambda: by_hand(path, rounds))
    _, seconds, cpu = measured(lambda: night(path, agents, clock))
    after, _, cpu_after = measured(lambda: by_hand(path, rounds))
    done = [task for task in Store(path / ".git/gitorch").load().values() if task.state == "finished"]
    assert len(done) == count, f"{len(done)} of {count} tasks finished"
    floors = [sum(statistics.median(times) for times in found.values()) for found in (before, after)]
    print(f"{count} tasks, {agents} at once: {seconds:.1f} s, {1000 * seconds / count:.1f} ms a task by the wall clock")
    print(f"{'by hand, one at a time (median ms)':44} {'0 worktrees':>15} {f'{count} worktrees':>15}")
    for step in before:
        cells = " ".join(f"{1000 * statistics.median(found[step]):15.2f}" for found in (before, after))
        print(f"  {step:42} {cells}")
    print(f"  {'together':42} {' '.join(f'{1000 * floor:15.2f}' for floor in floors)}")
    hand = [1000 * cpu / rounds for cpu in (cpu_before, cpu_after)]
    print(f"processor ms, with no worktree and with {count}: by hand {hand[0]:.1f} and {hand[1]:.1f}")
    print(f"  a task, on average {1000 * cpu / count:.1f}, {2000 * cpu / count / sum(hand):.2f} times the mean by hand")
    if count > 2 * EDGE:
        for first, last in ((EDGE // 5, EDGE), (count - EDGE, count - EDGE // 5)):
            wall, processor = pace(clock, first, last)
            print(f"  in tasks {first}-{last}: {processor:.1f}; {wall:.1f} ms a task by the wall clock")
    table(clock, count)


if __name__ == "__main__":
    main()
