"""`orchestrate status` at a thousand tasks, against Pythons that only import click and rich and read the same file.

    python -m tests.bench.status --tasks 1000

All are whole processes, run in turns. The medians of their user and system CPU time are compared, with that of their
children: a busy machine changes CPU time less than wall time.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
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

_READ = "import sys, tomli; tomli.loads(open(sys.argv[1], encoding='utf-8').read())"
_FLOORS = {
    # `import rich` alone loads next to nothing of it; the second floor can print a table
    "import click, rich; read the file": f"import click, rich; {_READ}",
    "import click, rich.console, rich.table; read the file": f"import click, rich.console, rich.table; {_READ}",
}
_COMPLETED = {
    "complete a command: orchestrate ap": "ap",
    "complete a task: orchestrate approve": "approve ",
    "complete a role: orchestrate submit --role": "submit --role ",
}

_LOADED = """
import sys
print(*sys.modules, file=sys.stderr)
class Recorder:
    def find_spec(self, name, path=None, target=None):
        print("", name, file=sys.stderr)
sys.meta_path.insert(0, Recorder())
from gitorch.cli.main import main
main()
"""


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
    """Return this environment, with gitorch importable from anywhere, and bytecode kept between the runs."""
    path = os.pathsep.join([str(Path(gitorch.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": ""}


def cpu_seconds(argv: Sequence[str], folder: Path) -> float:
    """Return the user and system time of a process and its children."""
    before = _children()
    subprocess.run(argv, cwd=folder, env=environment(), capture_output=True, check=True)
    return _children() - before


def _children() -> float:
    # `os.times` counts in steps of 10 ms
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def alternating(commands: Sequence[Sequence[str]], folder: Path, rounds: int) -> list[float]:
    """Return the median CPU time of each command, run in turns; the first round warms up."""
    times: list[list[float]] = [[] for _ in commands]
    for _ in range(rounds + 1):
        for samples, command in zip(times, commands, strict=True):
            samples.append(cpu_seconds(command, folder))
    return [statistics.median(samples[1:]) for samples in times]


def loaded(folder: Path, *words: str) -> set[str]:
    """Return the modules that a command of gitorch loads."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *words], cwd=folder, env=environment(), capture_output=True, check=False
    )
    first, *lines = done.stderr.decode().split("\n")
    return {*first.split(), *(line.removeprefix(" ") for line in lines if line.startswith(" "))}


def main() -> None:
    """Measure and print; exit with 1 when the bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitorch-bench-") as name:
        sealed(Path(name))
        folder = standard(Path(name).resolve() / "small")
        library = open_workspace(folder)
        library.store.save(thousand(options.tasks))
        library.store.snapshot()
        sys.exit(report(folder, library.store.file, options.tasks, options.rounds))


def completions(folder: Path, rounds: int) -> dict[str, float]:
    """Return the CPU time of completing words as bash does, and of `-h`, by what is completed."""
    program = [sys.executable, "-m", "gitorch"]
    commands = {"orchestrate -h": [*program, "-h"]}
    for name, words in _COMPLETED.items():
        variables = (f"COMP_WORDS=orchestrate {words}", f"COMP_CWORD={words.count(' ') + 1}")
        commands[name] = ["env", "_ORCHESTRATE_COMPLETE=bash_complete", *variables, *program]
    return dict(zip(commands, alternating([*commands.values()], folder, rounds), strict=True))


def report(folder: Path, file: Path, count: int, rounds: int) -> int:
    """Print the times and the import check; return the exit code."""
    status = [sys.executable, "-m", "gitorch", "status"]
    floors = [[sys.executable, "-c", code, str(file)] for code in _FLOORS.values()]
    median, *floor_medians = alternating([status, *floors], folder, rounds)
    print(f"{count} tasks, {file.stat().st_size / 1e6:.2f} MB, medians of {rounds} runs in turns, user + system CPU")
    print(f"  {'orchestrate status':<56}{1000 * median:7.1f} ms")
    for name, floor in zip(_FLOORS, floor_medians, strict=True):
        print(f"  {name:<56}{1000 * floor:7.1f} ms   ratio {median / floor:.2f}")
    ratio = median / floor_medians[-1]
    print(f"  at most {BOUND} times the last: {'yes' if ratio <= BOUND else 'no'}")
    times = completions(folder, rounds)
    for name, seconds in times.items():
        print(f"  {name:<56}{1000 * seconds:7.1f} ms   {seconds / times['orchestrate -h']:.2f} times -h")
    foreign = sorted(set(FOREIGN) & loaded(folder, "status"))
    print(f"  of {', '.join(FOREIGN)}: {', '.join(foreign) or 'none'} loaded")
    return 0 if ratio <= BOUND and not foreign else 1


if __name__ == "__main__":
    main()
