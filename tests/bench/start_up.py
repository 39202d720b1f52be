"""What commands cost before they do anything: one table of start-up times, with the bar of each.

    python -m tests.bench.start_up

Whole processes with their children, run in turns; medians of user and system CPU time. Exits with 1 over a bar.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gitorch.model.naming import Oid
from gitorch.model.task import Task
from gitorch.services.open import open_workspace
from tests.bench.night import sealed
from tests.bench.status import alternating, thousand
from tests.support.git import git, standard
from tests.support.tasks import with_fields

FLOORS = {
    "import click": "import click",
    "import click and rich's tables": "import click, rich.console, rich.table",
}
"""Programs that do nothing but import what gitorch prints with."""


class Start(msgspec.Struct, frozen=True):
    """A command, the number of tasks in its repository, and its bar: at most `times` another one, and `above` ms."""

    words: str
    tasks: int
    other: str
    times: float = 1.0
    above: float = 0.0
    completes: bool = False

    @property
    def name(self) -> str:
        return f"{self.words} ({self.tasks:,} tasks)" if self.tasks else self.words

    @property
    def bar(self) -> str:
        times = f"{self.times:g} times " if self.times != 1 else ""
        above = f" + {self.above:g} ms" if self.above else ""
        return f"{times}`{self.other}`{above}"

    def argv(self, folders: dict[int, Path]) -> list[str]:
        """Return the process to start."""
        program = [sys.executable, "-m", "gitorch"]
        if not self.completes:
            return [*program, "-C", str(folders[self.tasks]), *self.words.split()[1:]]
        words = self.words.removesuffix("<TAB>")
        variables = (f"COMP_WORDS={words}", f"COMP_CWORD={len(words.split(' ')) - 1}")
        return ["env", "-C", str(folders[self.tasks]), "_ORCHESTRATE_COMPLETE=bash_complete", *variables, *program]


STARTS = (
    Start("orchestrate --version", 0, "import click", 1.5),
    Start("orchestrate -h", 0, "import click", 2),
    Start("orchestrate ap<TAB>", 0, "orchestrate -h", 1.25, completes=True),
    Start("orchestrate approve <TAB>", 1_000, "orchestrate -h", 2, completes=True),
    Start("orchestrate config get run", 0, "orchestrate -h", 2),
    Start("orchestrate status", 0, "import click and rich's tables", 2),
    Start("orchestrate status", 1_000, "orchestrate status", above=100),
    Start("orchestrate status", 10_000, "orchestrate status", above=300),
    Start("orchestrate status --json", 10_000, "orchestrate status", above=600),
    Start("orchestrate task task-number-1", 10_000, "orchestrate status", above=300),
)


def repositories(folder: Path) -> dict[int, Path]:
    """Make a repository for each number of tasks."""
    sealed(folder)
    folders = {}
    for count in sorted({start.tasks for start in STARTS}):
        folders[count] = standard(folder / f"with-{count}")
        store = open_workspace(folders[count]).store
        if count:
            store.save(_with_commits(folders[count], thousand(count)))
            store.snapshot()
    return folders


def _with_commits(folder: Path, tasks: Sequence[Task]) -> list[Task]:
    """Give each task that has been worked on a branch with a commit."""
    base = Oid(git("rev-parse", "HEAD", cwd=folder).strip())
    worked = [task for task in tasks if task.tip]
    stream = "".join(
        f"commit refs/heads/{task.branch}\nmark :{task.number}\ncommitter U <u@example.org> 1764374400 +0000\n"
        f"data 5\nwork\n\nfrom {base}\nM 644 inline file-{task.number}.txt\ndata 5\nwork\n\n"
        for task in worked
    )
    marks = folder / ".git/marks"
    words = ["git", "fast-import", "--quiet", f"--export-marks={marks}"]
    subprocess.run(words, cwd=folder, input=stream, text=True, check=True)
    git("pack-refs", "--all", cwd=folder)
    tips = {int(line.split()[0][1:]): Oid(line.split()[1]) for line in marks.read_text().splitlines()}
    return [with_fields(task, base=base, tip=tips[task.number]) if task.tip else task for task in tasks]


def measured(folders: dict[int, Path], rounds: int) -> dict[str, float]:
    """Return the CPU time of each command and floor in ms."""
    commands: dict[str, Sequence[str]] = {name: [sys.executable, "-c", code] for name, code in FLOORS.items()}
    commands |= {start.name: start.argv(folders) for start in STARTS}
    seconds = alternating([*commands.values()], folders[0], rounds)
    return {name: 1000 * value for name, value in zip(commands, seconds, strict=True)}


def main() -> None:
    """Measure, print the table, and exit with 1 when a bar is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitorch-bench-") as name:
        times = measured(repositories(Path(name).resolve()), options.rounds)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, medians of {options.rounds} runs in turns\n")
    print("| command | CPU | at most | that is | |\n|---|---:|---|---:|---|")
    for floor in FLOORS:
        print(f"| `{floor}` | {times[floor]:.0f} ms | | | |")
    missed = 0
    for start in STARTS:
        limit = start.times * times[start.other] + start.above
        met = times[start.name] <= limit
        missed += not met
        outcome = "met" if met else "**missed**"
        print(f"| `{start.name}` | {times[start.name]:.0f} ms | {start.bar} | {limit:.0f} ms | {outcome} |")
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
