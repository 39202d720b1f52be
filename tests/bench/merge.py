"""The merge engine and `orchestrate merge` against `git rebase`, on the same branches, in the same run.

    python -m tests.bench.merge                 # the whole table; several minutes
    python -m tests.bench.merge --only 1000x60  # one row
    python -m tests.bench.merge --write docs/merge-benchmarks.md

Processor time of this process and its children, medians. `git rebase` works in one worktree, branch by branch, and
leaves out what conflicts; both must end at the same commit id, or the row is not counted.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State
from gitorch.replay import CommitRange, MemoryReplayer, Replayed
from gitorch.services.open import open_workspace
from tests.bench.branches import Made, make
from tests.bench.night import sealed
from tests.support.git import DATE
from tests.support.tasks import make_task

Replays = tuple[Oid, int, int]


class Row(msgspec.Struct, frozen=True):
    """One line of the table: what was measured, the figure, and what it must be."""

    what: str
    figure: str
    must: str
    aim: str
    met: bool


def cpu() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def timed(work: Callable[[], Replays]) -> tuple[float, Replays]:
    before = cpu()
    result = work()
    return cpu() - before, result


def in_memory(made: Made) -> tuple[Oid, int, int]:
    """Replay all branches with the engine, store the result; return the tip, the commits and the conflicts."""
    here, others = made.onto, tuple[Oid, ...]()
    commits = 0
    with MemoryReplayer(Repository.discover(made.folder)) as replayer:
        replayer.read(made.owns, here)
        for own in made.owns:
            done = replayer.replay(CommitRange(own.base, own.tip, others), here)
            if isinstance(done, Replayed):
                here, others, commits = done.tip, (*others, own.tip), commits + len(done.pairs)
        replayer.keep(here)
    return here, commits, len(made.owns) - len(others)


def by_rebase(made: Made) -> tuple[Oid, int, int]:
    """Do the same with `git rebase` in one worktree."""
    here, conflicts = made.onto, 0
    for own in made.owns:
        if _git(made.folder, "rebase", "--quiet", here, own.tip).returncode:
            _git(made.folder, "rebase", "--abort")
            conflicts += 1
        else:
            here = Oid(_git(made.folder, "rev-parse", "HEAD").stdout.decode().strip())
    return here, 0, conflicts


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-c", "gc.auto=0", *words], cwd=folder, capture_output=True)


# a process begins with the memory of the one that started it, so that one is a small one
_LAUNCHER = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode not in (0, 7))
"""
_MERGE = ("merge", "--verify", "never", "-q")


class Bench:
    """Makes each repository once, and the rows from it."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self.folder = folder
        self.rounds = rounds

    def made(self, files: int, branches: int, clashing: float = 0.0) -> Made:
        place = self.folder / f"{files}x{branches}-{clashing}"
        record = self.folder / f"{place.name}.json"
        if not record.exists():
            record.write_bytes(
                msgspec.json.encode(make(place, files=files, branches=branches, clashing=clashing), enc_hook=str)
            )
        return msgspec.json.decode(record.read_bytes(), type=Made, dec_hook=lambda _, text: Path(text))

    def ratio(self, files: int, branches: int, must: float, aim: float) -> Row:
        """Measure the engine against `git rebase`."""
        made = self.made(files, branches)
        _git(made.folder, "checkout", "--quiet", "--force", "--detach", made.onto)
        slow, expected = timed(lambda: by_rebase(made))
        runs = [timed(lambda: in_memory(made)) for _ in range(self.rounds)]
        fast = statistics.median(seconds for seconds, _ in runs)
        same = all(found[0] == expected[0] for _, found in runs)
        commits = runs[0][1][1]
        figure = f"{slow / fast:.1f}x ({slow:.2f} s : {fast:.3f} s, {commits} commits)" + (
            "" if same else " DIFFERENT TIPS"
        )
        what = f"CPU ratio to `git rebase` in one worktree, {files:,} files x {branches} branches"
        return Row(what, figure, f"≥ {must:g}x", f"{aim:g}x", same and slow / fast >= must)

    def throughput(self, must: float, aim: float) -> Row:
        made = self.made(10_000, 500, 0.35)
        runs = [timed(lambda: in_memory(made)) for _ in range(self.rounds)]
        seconds = statistics.median(seconds for seconds, _ in runs)
        _, commits, conflicts = runs[0][1]
        figure = f"{commits / seconds:,.0f} ({commits} merged in {seconds:.2f} s, {conflicts} of 500 branches conflict)"
        return Row(
            "commits a second, 10,000 files x 500 branches, a fifth conflicting",
            figure,
            f"≥ {must:g}",
            f"{aim:g}",
            commits / seconds >= must,
        )

    def size_independence(self) -> Row:
        """Measure the same number of branches on a small and a large repository."""
        each = []
        for files in (1_000, 100_000):
            made = self.made(files, 60)
            runs = [timed(lambda made=made: in_memory(made)) for _ in range(self.rounds)]  # type: ignore[misc]
            each.append(statistics.median(seconds / found[1] for seconds, found in runs))
        ratio = each[1] / each[0]
        figure = f"{ratio:.2f}x ({each[1] * 1000:.2f} ms : {each[0] * 1000:.2f} ms)"
        return Row("time per commit, 100,000 files to 1,000 files, 60 branches", figure, "≤ 2x", "≤ 1.2x", ratio <= 2)

    def processes(self) -> Row:
        count = len(self._traced(self.made(10_000, 500, 0.35)))
        what = "git processes of `orchestrate merge` for 500 branches, a fifth conflicting"
        return Row(what, str(count), "≤ 40", "≤ 15", count <= 40)

    def _traced(self, made: Made) -> list[str]:
        trace = self.folder / "trace"
        trace.unlink(missing_ok=True)
        self._merge(made, GIT_TRACE2_EVENT=str(trace))
        return [line for line in trace.read_text().splitlines() if '"event":"start"' in line]

    def whole_command(self) -> Row:
        made = self.made(10_000, 100)
        _git(made.folder, "checkout", "--quiet", "--force", "--detach", made.onto)
        slow, expected = timed(lambda: by_rebase(made))
        runs = [self._merge(made) for _ in range(self.rounds)]
        fast = statistics.median(seconds for seconds, _, _ in runs)
        same = all(tip == expected[0] for _, _, tip in runs)
        figure = f"{slow / fast:.1f}x ({slow:.2f} s : {fast:.2f} s)" + ("" if same else " DIFFERENT TIPS")
        what = "`orchestrate merge`, whole, against `git rebase` in a loop, 10,000 files x 100 branches"
        return Row(what, figure, "≥ 10x", "40x", same and slow / fast >= 10)

    def memory(self) -> Row:
        most = self._merge(self.made(100_000, 500))[1]
        what = "memory of `orchestrate merge`, 500 branches on 100,000 files"
        return Row(what, f"{most:.0f} MB", "≤ 300 MB", "150 MB", most <= 300)

    def _merge(self, made: Made, **environment: str) -> tuple[float, float, Oid]:
        """Run the command on a copy; return its processor seconds, the largest process in MB, and the new tip."""
        place = self.folder / "copy"
        shutil.rmtree(place, ignore_errors=True)
        (place / ".git").parent.mkdir()
        shutil.copytree(made.folder / ".git", place / ".git", symlinks=True)
        _queue(place, made)
        before = cpu()
        words = [sys.executable, "-m", "gitorch", "-C", str(place), "-c", f"base={made.onto}", *_MERGE]
        done = subprocess.run(
            [sys.executable, "-c", _LAUNCHER, *words],
            env={**os.environ, **environment, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.PIPE,
            check=True,
        )
        most = int(done.stdout.split()[-1]) / 1024
        tip = _git(place, "rev-parse", "orch/integration").stdout.decode().strip()
        return cpu() - before, most, Oid(tip)


def _queue(place: Path, made: Made) -> None:
    """Make every branch an approved task."""
    tasks = [
        make_task(
            id=TaskId(f"task-{number:03}"),
            number=number + 1,
            title=f"Task {number}",
            prompt="x",
            state=State.APPROVED,
            branch=f"task/{number:03}",
            base=own.base,
            tip=own.tip,
            adopted=True,
            attempts=1,
        )
        for number, own in enumerate(made.owns)
    ]
    library = open_workspace(place)
    library.store.save(tasks)
    library.store.snapshot()


def rows(bench: Bench, only: str) -> Iterable[Row]:
    """Measure the lines of the table, those whose name has been asked for."""
    every: Sequence[tuple[str, Callable[[], Row]]] = (
        ("1000x60", lambda: bench.ratio(1_000, 60, 15, 40)),
        ("10000x100", lambda: bench.ratio(10_000, 100, 50, 120)),
        ("100000x20", lambda: bench.ratio(100_000, 20, 80, 300)),
        ("throughput", lambda: bench.throughput(800, 2_500)),
        ("size", bench.size_independence),
        ("processes", bench.processes),
        ("command", bench.whole_command),
        ("memory", bench.memory),
    )
    for name, measure in every:
        if only in ("", name):
            yield measure()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="make the repositories in this folder, and leave them there")
    parser.add_argument("--write", type=Path, help="write the page of results")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="gitorch-bench-"))
    folder.mkdir(exist_ok=True, parents=True)
    sealed(folder)
    os.environ["GIT_COMMITTER_DATE"] = DATE
    lines = ["| on the same generated branches | measured | must | aim | |", "|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    met = True
    for row in rows(Bench(folder, options.rounds), options.only):
        met = met and row.met
        lines.append(f"| {row.what} | {row.figure} | {row.must} | {row.aim} | {'met' if row.met else '**missed**'} |")
        print(lines[-1], flush=True)
    if options.write:
        options.write.write_text(_page(lines), "utf-8")
    if not options.keep:
        shutil.rmtree(folder)
    sys.exit(not met)


def _page(lines: Sequence[str]) -> str:
    version = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    machine = f"{os.cpu_count()} cores, {version}, Python {sys.version.split()[0]}"
    return (
        "# The merge engine, measured\n\n"
        "Made by `python -m tests.bench.merge --write docs/merge-benchmarks.md` on "
        f"{datetime.now(UTC):%Y-%m-%d} ({machine}).\n"
        "Processor time, medians; compare ratios, not seconds.\n\n" + "\n".join(lines) + "\n"
    )


if __name__ == "__main__":
    main()
