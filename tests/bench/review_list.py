"""`orchestrate review --list` for many finished tasks: the first time, and again when nothing has changed.

    python -m tests.bench.review_list --tasks 5000

Each branch changes two files. User and system CPU time of the process and its children is printed; `status` beside it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import Attempt, CheckResult, Phase, State, Task
from gitorch.services.open import open_workspace
from tests.bench.night import sealed
from tests.bench.status import cpu_seconds
from tests.support.git import git, standard
from tests.support.tasks import make_task

_BEGUN = datetime(2026, 11, 22, 20, tzinfo=UTC)


def branches(folder: Path, count: int) -> list[Oid]:
    """Make a branch of one commit for each task; return their tips."""
    base = git("rev-parse", "main", cwd=folder)
    stream = b"".join(_commit(number, base) for number in range(1, count + 1))
    subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, input=stream, check=True)
    lines = git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/orch/", cwd=folder).splitlines()
    tips = dict(line.split(" ") for line in lines)
    return [Oid(tips[f"orch/task-{number}"]) for number in range(1, count + 1)]


def _commit(number: int, base: str) -> bytes:
    code = f"def handler_{number}(request):\n    return {number}\n".encode()
    test = f"def test_handler_{number}():\n    assert handler_{number}(None) == {number}\n".encode()
    message = f"Add handler {number}\n".encode()
    files = {f"src/handlers/h{number}.py": code, f"tests/test_h{number}.py": test}
    parts = [
        f"commit refs/heads/orch/task-{number}\ncommitter A <a@example.com> {1_700_000_000 + number} +0000\n".encode(),
        b"data %d\n%s" % (len(message), message),
        f"from {base}\n".encode(),
        *(f"M 100644 inline {path}\ndata {len(text)}\n".encode() + text + b"\n" for path, text in files.items()),
    ]
    return b"".join([*parts, b"\n"])


def finished(folder: Path, count: int) -> Iterator[Task]:
    """Yield a finished task, whose check has passed, for each branch."""
    base = Oid(git("rev-parse", "main", cwd=folder))
    for number, tip in enumerate(branches(folder, count), start=1):
        started = _BEGUN + timedelta(minutes=number)
        yield make_task(
            id=TaskId(f"task-{number}"),
            number=number,
            title=f"Add handler {number}",
            prompt=f"Add handler {number}",
            agent="claude",
            created=_BEGUN,
            state=State.FINISHED,
            branch=f"orch/task-{number}",
            base=base,
            tip=tip,
            attempts=1,
            attempt=Attempt(
                number=1, agent="claude", base=base, tip=tip, phase=Phase.ENDED, started=started, seconds=9
            ),
            results=(CheckResult(name="test", command="pytest", tree=tip, exit_code=0, seconds=1),),
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitorch-bench-") as name:
        sealed(Path(name))
        folder = standard(Path(name).resolve() / "repo")
        workspace = open_workspace(folder)
        workspace.store.save(finished(folder, options.tasks))
        workspace.store.snapshot()
        program = [sys.executable, "-m", "gitorch"]
        cpu_seconds([*program, "status"], folder)  # the sizes of the diffs are kept
        print(f"{options.tasks} finished tasks, user + system CPU seconds")
        for words in (("review", "--list"), ("review", "--list"), ("review", "task-1", "--json"), ("status",)):
            print(f"  {' '.join(words):<24}{cpu_seconds([*program, *words], folder):7.1f}")


if __name__ == "__main__":
    main()
