"""What the commands of each day cost: user and system time, and git processes, of whole processes and their children.

    python -m tests.bench.checkouts
    python -m tests.bench.checkouts --against ../gitorch-before    # another checkout, measured in turns with this one

`status` at a thousand tasks, `merge -n` of sixty branches in a repository of a thousand files, and `run` with one task
that writes a file. Medians. Each checkout makes its own repositories, by its own command line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import tomli_w

from gitorch.executors.process_tree import become_subreaper
from tests.bench.branches import make
from tests.bench.night import sealed
from tests.support.git import commit, standard

ROOT = Path(__file__).resolve().parents[2]
_AGENT = """\
agent = "sh"
[agents.sh]
kind = "command"
command = ["/bin/sh", "-c", "echo x > x && git add x && git commit -qm x"]
"""


class Cost(msgspec.Struct, frozen=True):
    """What one process and all that it started have used."""

    milliseconds: float
    git_processes: int


class Scene(msgspec.Struct, frozen=True):
    """A command, the repository that it is measured in, and whether it changes that."""

    name: str
    words: tuple[str, ...]
    folder: Path
    changes: bool = False


def environment(checkout: Path) -> dict[str, str]:
    """Return the environment in which Python finds the gitorch of a checkout."""
    return {**os.environ, "PYTHONPATH": str(checkout), "GITORCH_SANDBOX_MODE": "off"}


def call(checkout: Path, folder: Path, *words: str, env: dict[str, str] | None = None) -> str:
    """Run the command line of a checkout, and return what it prints.

    An exit code that tells of conflicts or failed checks is fine.
    """
    command = [sys.executable, "-m", "gitorch", *words]
    variables = environment(checkout) | (env or {})
    done = subprocess.run(command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode not in (0, 6, 7):
        sys.exit(f"{' '.join(words)} in {checkout}: {done.returncode}\n{done.stderr.decode()}")
    return done.stdout.decode()


def scenes(checkout: Path, top: Path, tasks: int, branches: int) -> list[Scene]:
    """Make what a checkout is measured in."""
    many, wide, single = standard(top / "many"), top / "wide", standard(top / "single")
    queue = {"task": [{"prompt": f"Do the thing number {number}, and test it.\n"} for number in range(tasks)]}
    # a file: without `[[task]]` lines, standard input would be the prompt of one task
    (top / "queue.toml").write_bytes(tomli_w.dumps(queue).encode())
    call(checkout, many, "submit", "-F", str(top / "queue.toml"))
    queued = len(json.loads(call(checkout, many, "status", "--json"))["tasks"])
    assert queued == tasks, f"{checkout} has queued {queued} of {tasks} tasks"
    make(wide, files=1000, branches=branches)
    call(checkout, wide, "adopt", "task/*")
    call(checkout, wide, "approve", "--all")
    commit(single, "Configure\n", {".orchestrate.toml": _AGENT})
    call(checkout, single, "config", "trust", "--yes")
    call(checkout, single, "submit", "Write x")
    return [
        Scene(f"status, {tasks} tasks", ("status",), many),
        Scene(f"merge -n, {branches} branches", ("merge", "-n"), wide),
        Scene("run, one task", ("run",), single, changes=True),
    ]


def measure(checkout: Path, scene: Scene) -> Cost:
    """Run a command in its repository, or in a copy if it changes that, and wait for all that it started."""
    with tempfile.TemporaryDirectory(dir=scene.folder.parent) as name:
        folder = scene.folder
        if scene.changes:  # in the same place, which the configuration was agreed to for
            shutil.copytree(scene.folder, Path(name, "original"), symlinks=True)
        traces = Path(name, "traces")
        traces.mkdir()
        before = _children()
        call(checkout, folder, *scene.words, env={"GIT_TRACE2_EVENT": str(traces)})
        _reap()
        used = _children() - before
        processes = len([*traces.iterdir()])
        if scene.changes:
            shutil.rmtree(scene.folder)
            shutil.rmtree(scene.folder.with_name(f"{scene.folder.name}.orch"), ignore_errors=True)
            shutil.copytree(Path(name, "original"), scene.folder, symlinks=True)
    return Cost(1000 * used, processes)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap() -> None:
    """Wait for the processes that a command has left, such as supervisors that are about to end."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def _checkout(text: str) -> Path:
    """Return the folder of a checkout; without one, Python would find this one's gitorch again."""
    path = Path(text).resolve()
    if not (path / "gitorch").is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder with a checkout of gitorch")
    return path


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--branches", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--against", type=_checkout, nargs="*", default=[], help="folders of other checkouts")
    options = parser.parse_args()
    become_subreaper()
    with tempfile.TemporaryDirectory(prefix="gitorch-bench-") as name:
        sealed(Path(name))
        checkouts = [ROOT, *options.against]
        tops = [Path(name).resolve() / str(number) for number in range(len(checkouts))]
        made = [scenes(*pair, options.tasks, options.branches) for pair in zip(checkouts, tops, strict=True)]
        print("| command | " + " | ".join(f"{path.name}: ms | git" for path in checkouts) + " |")
        for row in zip(*made, strict=True):
            costs = alternating(checkouts, row, options.rounds)
            cells = (f"{cost.milliseconds:.0f} | {cost.git_processes}" for cost in costs)
            print(f"| {row[0].name} | " + " | ".join(cells) + " |", flush=True)


def alternating(checkouts: Sequence[Path], row: Sequence[Scene], rounds: int) -> list[Cost]:
    """Return the median cost of a command in each checkout, run in turns; the first round warms up."""
    samples: list[list[Cost]] = [[] for _ in checkouts]
    for _ in range(rounds + 1):
        for costs, checkout, scene in zip(samples, checkouts, row, strict=True):
            costs.append(measure(checkout, scene))
    return [_median(costs[1:]) for costs in samples]


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.milliseconds for cost in costs),
        round(statistics.median(cost.git_processes for cost in costs)),
    )


if __name__ == "__main__":
    main()
