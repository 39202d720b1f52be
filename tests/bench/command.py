"""Whole commands on copies of a repository: what they cost, with the processes they start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task
from gitorch.services.open import open_workspace
from gitorch.storage.tasks import parsed
from tests.bench.branches import Made
from tests.bench.table import cpu
from tests.support.cli import settle
from tests.support.tasks import make_task

# a process begins with the memory of the one that started it, so that one is a small one, which costs little
_LAUNCHER = """
import os, sys
answers = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[answers])
_, status, used = os.wait4(process, 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status) not in (0, 7))
"""
_OLD = timedelta(minutes=5)


class Cost(msgspec.Struct, frozen=True):
    """What a command took: processor seconds, and its largest process in MB."""

    seconds: float
    megabytes: float


def run(place: Path, *words: str, **environment: str) -> Cost:
    """Run a command of gitorch in a repository; a merge may leave out what conflicts."""
    before = cpu()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, sys.executable, "-m", "gitorch", "-C", str(place), *words],
        env={**os.environ, **environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        check=True,
    )
    return Cost(cpu() - before, int(done.stdout.split()[-1]) / 1024)


def merge(place: Path, made: Made, **environment: str) -> Cost:
    """Merge all that is approved, without checks."""
    return run(place, "-c", f"base={made.onto}", "merge", "--verify", "never", "-q", **environment)


def merged_tip(place: Path) -> Oid:
    """Return the tip of the integration branch."""
    words = ["git", "rev-parse", "orch/integration"]
    return Oid(subprocess.run(words, cwd=place, capture_output=True, text=True, check=True).stdout.strip())


def settled(place: Path) -> Path:
    """Wait for what a command has started in the background; return the place."""
    settle(place)
    return place


def copy(source: Path, place: Path) -> Path:
    """Copy a repository without its checkout over whatever is at the place, and return the place."""
    settle(place)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shutil.copytree(source / ".git", place / ".git", symlinks=True)
    for name in ("tasks.toml", "tasks.toml.prev"):
        if (place / ".git/gitorch" / name).exists():
            age(place / ".git/gitorch" / name)
    return place


def queue(place: Path, tasks: Sequence[Task]) -> None:
    """Put tasks into a repository, as commands would that ran a while ago."""
    store = open_workspace(place).store
    store.save(tasks)
    store.snapshot()
    age(store.file)


def age(file: Path) -> None:
    """Let a task file be old enough to be written again, and keep what goes with it up to date."""
    then = file.stat().st_mtime - _OLD.total_seconds()
    os.utime(file, (then, then))
    if (copy := parsed.copy_path(file)).exists():
        content = typed.from_msgpack(copy.read_bytes()[4:], parsed.ParsedTasks)
        parsed.write(file, file.read_bytes(), content)


def approved(made: Made) -> list[Task]:
    """Return every branch as an approved task."""
    return [
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


def queued(count: int, start: int = 1) -> list[Task]:
    """Return tasks that wait, each with a prompt of a few lines."""
    numbers = range(start, start + count)
    text = "Do the thing number {}, and write a test for it.\n\nIt should work on all systems.\n"
    return [
        make_task(
            id=TaskId(f"queued-task-{number}"),
            number=number,
            title=text.format(number).partition("\n")[0],
            prompt=text.format(number),
            agent="claude",
        )
        for number in numbers
    ]
