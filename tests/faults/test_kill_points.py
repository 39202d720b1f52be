"""kill -9 before each step of every command: the next command converges, and ten invariants hold.

`GITORCH_KILLS=1 pytest tests/faults/test_kill_points.py` kills before every step; otherwise before a few of each.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.invariants import Known, known, verify
from tests.faults.kill_points import LEFT, OPERATIONS, Operation, command
from tests.faults.killing import killed_at, steps_of
from tests.support.cli import OBEDIENT, Cli, settle

EVERY = bool(os.environ.get("GITORCH_KILLS"))
SAMPLE = 2
"""How many steps of a command are tried where not every step is."""


class Site:
    """A repository and everything beside it, which can be put back."""

    def __init__(self, top: Path, operation: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.operation, self.cli = operation, Cli(top / "repo", OBEDIENT, GITORCH_SANDBOX_MODE=operation.mode)
        monkeypatch.setenv("GITORCH_SANDBOX_MODE", operation.mode)
        monkeypatch.setenv("GITORCH_RUN_TRY_BASE", "false")
        operation.prepare(self.cli)
        self.top, self.kept = top, top.with_name("kept")
        subprocess.run(["cp", "-a", top, self.kept], check=True)

    def reset(self) -> None:
        """Put everything back."""
        settle(self.cli.folder)
        shutil.rmtree(self.top)
        subprocess.run(["cp", "-a", self.kept, self.top], check=True)

    def known(self) -> Known:
        """Return what is true now."""
        files = (LEFT,) if any(self.top.glob("repo.orch/*/left.txt")) else ()
        return known(self.cli.folder, *files, moves_main=self.operation.moves_main)

    def act(self) -> None:
        """Do what the command does, in this process."""
        command(self.cli.folder, self.operation.words)

    def converge(self, before: dict[str, str]) -> bool:
        """Give the next commands; return whether the killed one had happened."""
        found = self.cli.states()
        if self.operation.atomic:
            assert found in (before, self.operation.ends)
        happened = found == self.operation.ends
        if not happened:
            self.cli(*self.operation.words)
        assert self.cli.states() == self.operation.ends
        return happened


@pytest.fixture
def top(tmp_path: Path, repository_folder: Path) -> Path:
    top = tmp_path / "top"
    top.mkdir()
    repository_folder.rename(top / "repo")
    return top


@pytest.mark.parametrize("name", OPERATIONS)
def test_killed_before_any_step_the_next_command_converges(
    name: str, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed there, it has happened, or happens when it is given again; and everything that must hold does."""
    site = Site(top, OPERATIONS[name], monkeypatch)
    before = site.cli.states()
    outcomes, failures = Counter[bool](), []
    for step in _steps(site):
        site.reset()
        must_hold = site.known()
        if not killed_at(site.act, step):
            break
        try:
            outcomes[site.converge(before)] += 1
            verify(must_hold)
        except AssertionError as failure:
            failures.append(f"killed before step {step}: {failure}")
    print(f"{name}: {outcomes[False]} times it was not done, {outcomes[True]} times it was, {len(failures)} failures")
    assert not failures, "\n\n".join(failures)
    assert outcomes[False]


def _steps(site: Site) -> range:
    """Return the steps to kill before: every one, or some that are far apart."""
    if EVERY:
        return range(1, 100_000)
    last = steps_of(site.act)
    return range(1 + last // (2 * SAMPLE), last, max(1, last // SAMPLE))
