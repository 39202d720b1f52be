"""The cost of merging: the engine and whole commands against plain git, on the same branches, in the same run.

    python -m tests.bench.merge                 # the whole table; several minutes
    python -m tests.bench.merge --only 1000x60  # one row
    python -m tests.bench.merge --write docs/merge-benchmarks.md

Processor time of this process and its children, medians. `git rebase` works in one worktree, branch by branch, and
leaves out what conflicts; both must end at the same commit id, or the row is not counted. A loop and a command work on
copies of their own: the objects that one of them writes would help or slow down the other.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from gitorch.flow.forecast.pairs import Branch, forecast
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId
from gitorch.replay import CommitRange, MemoryReplayer, Replayed
from tests.bench import command, queue
from tests.bench.branches import Made, make
from tests.bench.forecast import brute
from tests.bench.night import sealed
from tests.bench.planted import planted
from tests.bench.table import HEAD, Row, cpu, in_turns, page
from tests.support.git import DATE

DENSE = 0.55
"""The part of branches that touch lines of others, so that about half of them conflict."""

Replays = tuple[Oid, int, int]


@contextmanager
def counted() -> Iterator[Callable[[], float]]:
    """Yield a function that returns the processor seconds of the block, once it has ended with its processes."""
    seconds, before = [0.0], cpu()
    yield lambda: seconds[0]
    seconds[0] = cpu() - before


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


def by_git_replay(made: Made, program: Path) -> tuple[Oid, int, int]:
    """Do the same with `git replay` of a newer git, branch by branch."""
    onto, conflicts = made.onto, 0
    for number, own in enumerate(made.owns):
        words = ["replay", "--ref-action=print", "--onto", onto, f"{own.base}..refs/heads/task/{number:03}"]
        done = subprocess.run([program, "-c", "gc.auto=0", *words], cwd=made.folder, capture_output=True)
        if done.returncode:
            conflicts += 1
        else:
            onto = Oid(done.stdout.split()[2].decode())
    return onto, 0, conflicts


def counting(folder: Path, log: Path) -> Path:
    """Return a folder with a `git` that writes down which process starts it, and with what."""
    program = folder / "counting" / "git"
    program.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    words = f'echo "$PPID" >> {log}; echo "$*" >> {log}.words'
    program.write_text(f'#!/bin/sh\n{words}\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    return program.parent


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
        made = self.made(10_000, 500, 0.35)
        place, log = self._queued(made), self.folder / "processes"
        command.merge(place, made, PATH=f"{counting(self.folder, log)}:{os.environ['PATH']}")
        starters = log.read_text().split()  # the first is the command, another one the update in the background
        count = starters.count(starters[0])
        what = "git processes of `orchestrate merge` for 500 branches, a fifth conflicting"
        return Row(what, str(count), "≤ 20", "12", count <= 20)

    def whole_command(self, files: int, branches: int, clashing: float, must: float, aim: float) -> Row:
        """Measure `orchestrate merge` against a loop of `git rebase`."""
        made = self.made(files, branches, clashing)
        what = f"`orchestrate merge` to a `git rebase` loop, {files:,} files x {branches} branches"
        return self._against(what + (", half conflicting" if clashing else ""), made, by_rebase, must, aim)

    def git_replay(self, program: Path | None) -> Row:
        what = "`orchestrate merge` to a `git replay` loop (newest git), 10,000 files x 100 branches"
        if program is None:
            return Row(what, "no git with `git replay` (`--new-git`)", "≥ 1x", "1.3x", met=False)
        return self._against(what, self.made(10_000, 100), lambda made: by_git_replay(made, program), 1, 1.3)

    def _against(self, what: str, made: Made, loop: Callable[[Made], Replays], must: float, aim: float) -> Row:
        tips: set[Oid] = set()

        def slow() -> float:
            # what a loop writes stays out of the way of the merge, which comes to the same objects
            fresh = msgspec.structs.replace(made, folder=command.copy(made.folder, self.folder / "loop"))
            _git(fresh.folder, "checkout", "--quiet", "--force", "--detach", made.onto)
            seconds, (tip, _, conflicts) = timed(lambda: loop(fresh))
            # where tasks conflict, gitorch may let in more of them than a loop, in another order
            tips.update([tip] if not conflicts else [])
            return seconds

        def fast() -> float:
            place = self._queued(made)
            seconds = command.merge(place, made).seconds
            tips.update([command.merged_tip(place)] if len(tips) else [])
            return seconds

        loops, merges = in_turns([slow, fast], self.rounds)
        same = len(tips) <= 1
        figure = f"{loops / merges:.2f}x ({loops:.2f} s : {merges:.2f} s)" + ("" if same else " DIFFERENT TIPS")
        return Row(what, figure, f"≥ {must:g}x", f"{aim:g}x", same and loops / merges >= must)

    def _queued(self, made: Made) -> Path:
        place = command.copy(made.folder, self.folder / "copy")
        command.queue(place, command.approved(made))
        return place

    def undo_dense(self) -> Row:
        """Measure `undo` of a merge with many conflicts against that merge."""
        made = self.made(1_000, 500, DENSE)
        merges: list[float] = []

        def undo() -> float:
            place = self._queued(made)
            merges.append(command.merge(place, made).seconds)
            command.settled(place)
            return command.run(place, "undo", "-q").seconds

        (undos,) = in_turns([undo], self.rounds)
        merge = statistics.median(merges)
        figure = f"{undos / merge:.2f}x ({undos:.2f} s : {merge:.2f} s)"
        return Row("`undo` of a dense merge to the merge", figure, "≤ 0.25x", "0.15x", undos / merge <= 0.25)

    def undo_small(self) -> Row:
        """Measure `undo` of a small merge against `status`."""
        made = self.made(1_000, 20)

        def undo() -> float:
            command.settled(self._queued(made))
            command.merge(self.folder / "copy", made)
            command.settled(self.folder / "copy")
            return command.run(self.folder / "copy", "undo", "-q").seconds

        def status() -> float:
            command.settled(self.folder / "copy")
            return command.run(self.folder / "copy", "status", "-q").seconds

        undos, statuses = in_turns([undo, status], self.rounds)
        figure = f"{undos / statuses:.2f}x ({undos:.2f} s : {statuses:.2f} s)"
        return Row("`undo` of a small merge to `status`", figure, "≤ 2x", "", undos / statuses <= 2)

    def forecast(self) -> Row:
        """Measure the forecast of dense branches against merging each pair."""
        made = self.made(1_000, 300, DENSE)
        repository = Repository.discover(made.folder)
        branches = [Branch(TaskId(f"task-{number}"), own.base, own.tip) for number, own in enumerate(made.owns)]
        found: list[set[tuple[TaskId, ...]]] = []

        def predicted() -> float:
            with counted() as seconds, MemoryReplayer(repository) as replayer:
                found.append({conflict.tasks for conflict in forecast(replayer, branches, made.onto)})
            return seconds()

        def brute_force() -> float:
            with counted() as seconds, MemoryReplayer(repository) as replayer:
                found.append(brute(replayer, branches, made.onto))
            return seconds()

        fast, slow = in_turns([predicted, brute_force], min(self.rounds, 2))
        same = all(names == found[0] for names in found)
        figure = f"{slow / fast:.1f}x ({slow:.2f} s : {fast:.2f} s)" + ("" if same else " DIFFERENT CONFLICTS")
        what = "forecast of 300 branches, dense (1,000 files), to merging every pair"
        return Row(what, figure, "≥ 17x", "34x", same and slow / fast >= 17)

    def memory(self) -> Row:
        made = self.made(100_000, 500)
        most = command.merge(self._queued(made), made).megabytes
        what = "memory of `orchestrate merge`, 500 branches on 100,000 files"
        return Row(what, f"{most:.0f} MB", "≤ 300 MB", "150 MB", most <= 300)


def rows(bench: Bench, only: str, new_git: Path | None) -> Iterable[Row]:
    """Measure the lines of the table, those whose name has been asked for."""
    small = partial(bench.made, 1_000, queue.BRANCHES)
    every: Sequence[tuple[str, Callable[[], Row]]] = (
        ("command-1000x60", lambda: bench.whole_command(1_000, 60, 0.0, 6, 8)),
        ("command-10000x100", lambda: bench.whole_command(10_000, 100, 0.0, 20, 27)),
        ("command-dense", lambda: bench.whole_command(1_000, 500, DENSE, 8, 11)),
        ("git-replay", lambda: bench.git_replay(new_git)),
        ("1000x60", lambda: bench.ratio(1_000, 60, 15, 20)),
        ("10000x100", lambda: bench.ratio(10_000, 100, 50, 120)),
        ("throughput", lambda: bench.throughput(1_400, 1_800)),
        ("forecast", bench.forecast),
        ("undo-dense", bench.undo_dense),
        ("undo-small", bench.undo_small),
        ("queue-merge", lambda: queue.merge_with_queue(small(), bench.folder, bench.rounds)),
        ("queue-submit", lambda: queue.submit(bench.folder, bench.rounds)),
        ("notes", lambda: queue.merge_with_notes(small(), bench.folder, bench.rounds)),
        ("processes", bench.processes),
        ("planted", planted),
        ("100000x20", lambda: bench.ratio(100_000, 20, 80, 300)),
        ("size", bench.size_independence),
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
    parser.add_argument("--new-git", type=Path, help="a git that has `git replay`, to compare with")
    parser.add_argument("--write", type=Path, help="write the page of results")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="gitorch-bench-"))
    folder.mkdir(exist_ok=True, parents=True)
    sealed(folder)
    os.environ["GIT_COMMITTER_DATE"] = DATE
    lines = [*HEAD]
    print("\n".join(lines), flush=True)
    met = True
    for row in rows(Bench(folder, options.rounds), options.only, options.new_git):
        met = met and row.met
        lines.append(row.line)
        print(lines[-1], flush=True)
    if options.write:
        options.write.write_text(page(lines), "utf-8")
    if not options.keep:
        shutil.rmtree(folder)
    sys.exit(not met)


if __name__ == "__main__":
    main()
