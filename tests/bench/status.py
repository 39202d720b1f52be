"""`orchestrate status` at a thousand tasks, against a Python that only imports click and rich and reads the same file.

    python -m tests.bench.status --tasks 1000

Both are whole processes, run in turns; medians are compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import gitorch
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import Attempt, CheckResult, Phase, State, Task
from gitorch.services.open import open_workspace
from tests.bench.night import sealed
from tests.support.git import standard
from tests.support.tasks import make_task, with_fields

BOUND = 2.0
FOREIGN = ("anthropic", "git", "psutil", "rich.live", "hypothesis", "yaml", "markdown_it", "pathspec")

_FLOOR = "import click, rich, sys, tomli; tomli.loads(open(sys.argv[1], encoding='utf-8').read())"
_LOADED = (
    "import sys, atexit; atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr)); "
    "from gitorch.cli.main import main; main()"
)


def thousand(count: int) -> list[Task]:
    """Return tasks as a long night leaves them: most finished, some merged, failed, queued."""
    states = [State.FINISHED] * 5 + [State.MERGED, State.APPROVED, State.FAILED, State.QUEUED, State.CANCELLED]
    begun = datetime(2026, 11, 22, 20, tzinfo=UTC)
    return [_task(number, states[number % len(states)], begun) for number in range(1, count + 1)]


def _task(number: int, state: State, begun: datetime) -> Task:
    name, oid = TaskId(f"task-number-{number}"), Oid(f"{number:040x}")
    text = f"Do the thing number {number}, and write a test for it.\n\nIt should work on all systems.\n"
    asked = make_task(id=name, number=number, title=text.partition("\n")[0], prompt=text, agent="claude", created=begun)
    if state is State.QUEUED:
        return asked
    started = begun + timedelta(minutes=number)
    last = Attempt(number=1, agent="claude", base=oid, phase=Phase.ENDED, started=started, seconds=60.0 + number)
    result = CheckResult(name="test", command="pytest -q", tree=oid, exit_code=0, seconds=12.5)
    fields = {"state": state, "branch": f"orch/{name}", "base": oid, "tip": oid, "attempts": 1, "attempt": last}
    return with_fields(asked, **fields, worktree=f"/home/una/shop.orch/{name}", results=(result,))


def environment() -> dict[str, str]:
    """Return this environment, with gitorch importable from anywhere."""
    path = os.pathsep.join([str(Path(gitorch.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def seconds(argv: Sequence[str], folder: Path) -> float:
    """Return the wall time of a process from its start to its end."""
    begun = time.perf_counter()
    subprocess.run(argv, cwd=folder, env=environment(), capture_output=True, check=True)
    return time.perf_counter() - begun


def alternating(one: Sequence[str], other: Sequence[str], folder: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Time two commands in turns, so that what else the machine does meets both; the first round warms up."""
    pairs = [(seconds(one, folder), seconds(other, folder)) for _ in range(rounds + 1)][1:]
    return [first for first, _ in pairs], [second for _, second in pairs]


def loaded(folder: Path, *words: str) -> set[str]:
    """Return the modules that a command of gitorch has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *words], cwd=folder, env=environment(), capture_output=True, check=False
    )
    return set(done.stderr.decode().split("\n")[-2].split())


def main() -> None:
    """Measure and print; exit with 1 when the bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitorch-bench-") as name:
        sealed(Path(name))
        folder = standard(Path(name).resolve() / "small")
        library = open_workspace(folder)
        library.store.save(thousand(options.tasks))
        library.store.snapshot()
        sys.exit(report(folder, library.store.file, options.tasks, options.rounds))


def report(folder: Path, file: Path, count: int, rounds: int) -> int:
    """Print the times and the import check; return the exit code."""
    status = [sys.executable, "-m", "gitorch", "status"]
    floor = [sys.executable, "-c", _FLOOR, str(file)]
    ours, theirs = alternating(status, floor, folder, rounds)
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"{count} tasks, {file.stat().st_size / 1e6:.2f} MB, medians of {rounds} runs in turns")
    print(f"  import click, rich; read the file   {1000 * statistics.median(theirs):7.1f} ms")
    print(f"  orchestrate status                  {1000 * statistics.median(ours):7.1f} ms")
    print(f"  ratio                               {ratio:7.2f}   (at most {BOUND})")
    found = sorted(set(FOREIGN) & loaded(folder, "status"))
    print(f"  of {', '.join(FOREIGN)}: {', '.join(found) or 'none'} loaded")
    return 0 if ratio <= BOUND and not found else 1


if __name__ == "__main__":
    main()
