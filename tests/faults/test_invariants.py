"""Each of the ten invariants is broken by something: a check that cannot fail would prove nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitorch.model.naming import EXECUTION_VARIABLE
from tests.faults.invariants import INVARIANTS, Known, known, verify
from tests.support.days import approve, finished, merge
from tests.support.git import git


@pytest.fixture
def site(repository_folder: Path) -> Known:
    """A repository with a merged and a finished task."""
    library = finished(repository_folder, "one", "two")
    approve(library, "one")
    merge(library)
    return known(repository_folder)


@pytest.fixture
def sleepers() -> Iterator[Callable[[str], None]]:
    """Start processes that look like those of an execution."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(key: str) -> None:
        processes.append(subprocess.Popen(["sleep", "60"], env={**os.environ, EXECUTION_VARIABLE: key}))

    yield start
    for process in processes:
        process.kill()
        process.wait()


def _damage(site: Known) -> None:
    blob = git("hash-object", "-w", "--stdin", cwd=site.folder, input=b"damaged")
    path = site.folder / ".git/objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(b"garbage")


DEEDS: dict[str, Callable[[Known], object]] = {
    "every commit": lambda site: site.commits.add(
        git("commit-tree", "main^{tree}", "-m", "lost", cwd=site.folder),
    ),
    "every file": lambda site: site.files.add("never saved\n"),
    "no ref": lambda site: git("update-ref", "refs/heads/new", "main", cwd=site.folder),
    "the user's checkout": lambda site: (site.folder / "README.md").write_text("x"),
    "the integration branch": lambda site: git("update-ref", "refs/heads/orch/integration", "main", cwd=site.folder),
    "the state": lambda site: (site.state / "tasks.toml.damaged-1").touch(),
    "git finds": _damage,
    "the user's gc": lambda site: (site.folder / ".git/gc.pid.lock").touch(),
}


@pytest.mark.parametrize("name", DEEDS)
def test_a_deed_breaks_an_invariant(name: str, site: Known) -> None:
    """All hold before; afterwards the one does not."""
    verify(site)
    DEEDS[name](site)
    check = next(check for text, check in INVARIANTS.items() if text.startswith(name))
    assert check(site)


def test_processes_are_seen(site: Known, sleepers: Callable[[str], None]) -> None:
    """One that belongs to no running task, and a second execution of the same task."""
    rivals, left = (INVARIANTS[name] for name in INVARIANTS if "runs twice" in name or "no process" in name)
    assert not rivals(site)
    sleepers(f"{site.state}/attempts/two/1/agent-1")
    assert left(site)
    assert not rivals(site)
    sleepers(f"{site.state}/attempts/two/2/agent-1")
    assert rivals(site)
