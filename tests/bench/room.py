"""What a box costs: a room, a program in it, its work brought home or saved. Plain git is the floor.

    python -m tests.bench.room --files 10000

The first room of a base also fills the history store; the bound is for the rooms after it. Exits with 1 over a bound.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees
from gitorch.git.worktrees.rescue_points import rescue
from gitorch.model.naming import Oid, rescue_ref
from gitorch.rooms.boxed_worktree import BoxedWorktrees
from gitorch.rooms.protocol import RoomSpec
from gitorch.rooms.recorded_rooms import RecordedRooms
from gitorch.rooms.trees import WorktreePool
from gitorch.services.agents import run_context
from gitorch.services.open import open_workspace
from gitorch.services.sandbox import rooms_in
from tests.bench.night import sealed
from tests.support.git import commit, git, run, standard
from tests.support.sandbox import CONFIG, act, spec_for

CHECK = "check's worktree, one file moved"
RESCUE = "rescue point, 300 files changed"
BOUNDS = {
    "room, after the first": (0.2, 0.6),
    "import, nothing new": (0.06, None),
    CHECK: (0.1, 0.1),
    RESCUE: (None, 0.15),
}
"""Seconds for a small repository, and for one of 10,000 files, where `git status` alone takes longer."""


def large(folder: Path, files: int) -> Path:
    """Make a repository with so many files, in folders of a hundred."""
    repo = standard(folder / "repo")
    stream = [b"feature done\n", b"commit refs/heads/main\ncommitter U <u@x.org> 1700000000 +0000\ndata 5\nfiles\n"]
    stream.append(b"from refs/heads/main^0\n")
    for number in range(files):
        text = b"line %d\n" % number * 20
        stream.append(b"M 100644 inline src/d%d/f%d.py\ndata %d\n%s\n" % (number // 100, number, len(text), text))
    run("fast-import", "--quiet", "--force", "--done", cwd=repo, input=b"".join([*stream, b"done\n"]))
    git("reset", "-q", "--hard", cwd=repo)
    return repo


def timed(work: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def charged(work: Callable[..., object], *arguments: object) -> tuple[float, float]:
    """Return how long something takes, and the processor time of this process and its children meanwhile."""
    before = os.times()
    seconds = timed(work, *arguments)
    return seconds, sum(os.times()[:4]) - sum(before[:4])


def add_plainly(repo: Path, number: int) -> None:
    git("worktree", "add", "-q", "-b", f"p{number}", str(repo.parent / f"p{number}"), cwd=repo)


def rooms_of(repo: Path) -> BoxedWorktrees:
    (repo / ".orchestrate.local.toml").write_text(CONFIG)
    environment = {**os.environ, "GITORCH_SANDBOX_MODE": "bwrap"}
    workspace = open_workspace(repo, environment=environment)
    recorded = rooms_in(workspace.repository, workspace.config, workspace.folder, environment)
    assert isinstance(recorded, RecordedRooms)
    rooms = recorded.kinds["bwrap"]
    assert isinstance(rooms, BoxedWorktrees)
    return rooms


def measure(repo: Path, rounds: int) -> dict[str, float]:
    """Return medians in seconds by name."""
    rooms = rooms_of(repo)
    numbers = range(rounds)
    plain = [timed(add_plainly, repo, number) for number in numbers]
    first = timed(rooms.create, named(repo, "first"))
    later = [timed(rooms.create, named(repo, f"t{number}")) for number in numbers]
    made = [rooms.reopen(named(repo, f"t{number}")) for number in numbers]
    start = [timed(act, room, "true") for room in made]
    outside = [timed(subprocess.run, ["/bin/sh", "-c", "true"]) for _ in made]
    idle = [charged(room.collect, "work") for room in made]
    for room in made:
        act(room, "echo x > x; git add x; git commit -qm x")
    home = [timed(room.collect, "work") for room in made]
    return {
        "git worktree add": statistics.median(plain),
        "first room of a base": first,
        "room, after the first": statistics.median(later),
        "`true` outside": statistics.median(outside),
        "`true` in the box": statistics.median(start),
        "import, nothing new": statistics.median(seconds for seconds, _ in idle),
        "import, nothing new: processor": statistics.fmean(processor for _, processor in idle),
        "import, one commit": statistics.median(home),
        CHECK: statistics.median(check_worktrees(repo, rounds)),
        RESCUE: statistics.median(rescue_points(repo, rounds)),
    }


def check_worktrees(repo: Path, rounds: int) -> list[float]:
    """Return how long it takes to bring a worktree for checks to the next of several commits, after the first."""
    context = run_context(open_workspace(repo))
    pool = WorktreePool(context, ["check_1"])
    seconds = []
    for number in range(rounds + 1):
        tip = Oid(commit(repo, "More", {"moved": f"{number}\n"}))
        with pool.acquire() as worktree:
            seconds.append(timed(worktree.checkout, tip))
    return seconds[1:]


def rescue_points(repo: Path, rounds: int) -> list[float]:
    """Return how long a rescue point takes, of 300 changed files and of all that there are in a small repository."""
    repository = Repository.discover(repo)
    git("branch", "rescued", "main", cwd=repo)
    worktree = linked_worktrees.add(repository, repo.parent / "rescued", "rescued", "a benchmark")
    files = sorted(path for path in worktree.path.glob("**/*") if path.is_file() and path.name != ".git")
    seconds = []
    for number in range(rounds):
        for file in files[:: max(1, len(files) // 300)][:300]:
            file.write_text(f"{number} {file}\n" * 20)
        seconds.append(timed(rescue, repository, worktree, rescue_ref("rescued"), "a benchmark"))
    return seconds


def named(repo: Path, task: str) -> RoomSpec:
    spec = spec_for(repo)
    common = spec.folder.parents[2]
    return RoomSpec(
        task=task,
        attempt=1,
        agent=spec.agent,
        branch=f"orch/{task}",
        base=spec.base,
        tip=None,
        directory=spec.directory.with_name(task),
        folder=common / "attempts" / task / "1",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    over = False
    for place, files in enumerate((0, options.files)):
        with tempfile.TemporaryDirectory() as name:
            sealed(Path(name))
            results = measure(large(Path(name), files), options.rounds)
        print(f"{files + 3} files" if files else "small repository")
        for title, seconds in results.items():
            bound = BOUNDS.get(title, (None, None))[place]
            over = over or (bound is not None and seconds > bound)
            print(f"  {title:34} {seconds * 1000:8.1f} ms{f'   (at most {bound * 1000:.0f})' if bound else ''}")
    return 1 if over else 0


if __name__ == "__main__":
    raise SystemExit(main())
