"""kill -9 before each step of every command: the next command converges, and ten invariants hold.

`GITORCH_KILLS=1 pytest tests/faults/test_kill_points.py` kills before every step; otherwise before a few of each. With
`GITORCH_KILLS=4 pytest -n 4` each command is four tests, of which each tries every fourth step.
"""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.invariants import Known, known, verify
from tests.faults.kill_points import LEFT, OPERATIONS, SHARES, Operation, command, shared, steps_of_share
from tests.faults.killing import killed_at, steps_of
from tests.faults.more_kill_points import MORE
from tests.support.cli import OBEDIENT, Cli, settle

ALL = OPERATIONS | MORE
SECONDS = 3600.0
"""How long the next command may take: trying every step takes so long that others use the machine meanwhile."""


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
        may = ("moves_main", "changes", "removes_state")
        return known(self.cli.folder, *files, **{name: getattr(self.operation, name) for name in may})

    def act(self) -> None:
        """Do what the command does, in this process."""
        command(self.cli.folder, self.operation.words)

    def sees(self) -> object:
        """Return what can be seen of the command."""
        return self.operation.sees(self.cli)

    def converge(self, before: object) -> bool:
        """Give the next commands; return whether the killed one had happened."""
        found = self.sees()
        if self.operation.atomic:
            assert found in (before, self.operation.ends)
        happened = found == self.operation.ends
        if not happened:
            self.cli(*self.operation.words, seconds=SECONDS)
        assert self.sees() == self.operation.ends
        return happened


@pytest.fixture
def top(tmp_path: Path, repository_folder: Path) -> Path:
    top = tmp_path / "top"
    top.mkdir()
    repository_folder.rename(top / "repo")
    return top


@pytest.mark.parametrize(("name", "share"), shared(ALL))
def test_killed_before_any_step_the_next_command_converges(
    name: str, share: int, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed there, it has happened, or happens when it is given again; and everything that must hold does."""
    site = Site(top, ALL[name], monkeypatch)
    before = site.sees()
    assert before != site.operation.ends
    outcomes, failures = Counter[bool](), []
    for step in _steps(site, share):
        site.reset()
        must_hold = site.known()
        if not killed_at(site.act, step, folder=site.top):
            break
        try:
            outcomes[site.converge(before)] += 1
            verify(must_hold)
        except AssertionError as failure:
            failures.append(f"killed before step {step}: {failure}")
    print(f"{name}: {outcomes[False]} times it was not done, {outcomes[True]} times it was, {len(failures)} failures")
    assert not failures, "\n\n".join(failures)
    assert outcomes[False] if SHARES else outcomes


def _steps(site: Site, share: int) -> range:
    """Return the steps to kill before: those of a share of all, or some that are far apart."""
    if SHARES:
        return steps_of_share(share)
    last, samples = steps_of(site.act, site.top), site.operation.samples
    return range(1 + last // (2 * samples), 1 + last, max(1, last // samples))
