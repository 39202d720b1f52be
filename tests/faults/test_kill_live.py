"""kill -9 in the middle of `kill` of a task whose agent is at work: the next one stops it, once, and keeps its work.

`GITORCH_KILLS=1 pytest tests/faults/test_kill_live.py` kills before every step; otherwise before one.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.invariants import known, verify
from tests.faults.kill_points import LEFT, SHARES, command, shared, steps_of_share
from tests.faults.killing import killed_at, steps_of
from tests.support.cli import OBEDIENT, Cli, Pipe, does, left_behind, saved, settle
from tests.support.git import git

WORDS = ("kill", "one", "--now")


class Site:
    """A repository whose run was killed, while the agent of its task goes on; it can be put back."""

    def __init__(self, folder: Path) -> None:
        self.top, self.kept = folder.with_name("top"), folder.with_name("kept")
        self.top.mkdir()
        self.agent = Pipe(folder.with_name("pipe"))
        self.cli = Cli(folder.rename(self.top / "repo"), OBEDIENT)
        script = saved("one.txt", "1"), f"echo '{LEFT.strip()}' > left.txt", f"echo up > {self.agent}", "sleep 600"
        self.cli.queue(does("One", *script, id="one"))
        subprocess.run(["cp", "-a", self.top, self.kept], check=True)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Put everything back, and have the agent at work without a run; at the end of the block, it is over."""
        settle(self.cli.folder)
        shutil.rmtree(self.top)
        subprocess.run(["cp", "-a", self.kept, self.top], check=True)
        with self.cli.start("run") as run:
            self.agent.line()
            run.process.send_signal(signal.SIGKILL)
            run.process.wait()
            yield

    def act(self) -> None:
        """Do what the command does, in this process."""
        command(self.cli.folder, WORDS)

    def steps(self, share: int) -> range:
        """Return the steps to kill before: those of a share of all, or one in the middle."""
        if SHARES:
            return steps_of_share(share)
        with self.at_work():
            last = steps_of(self.act, self.top)
        return range(1 + last // 2, 2 + last // 2)


@pytest.mark.parametrize(("name", "share"), shared(["kill"]))
def test_killed_before_any_step_the_next_kill_stops_the_agent(name: str, share: int, repository_folder: Path) -> None:
    """No process of the agent is left, and the branch has what it committed and what it did not."""
    site, outcomes = Site(repository_folder), Counter[bool]()
    for step in site.steps(share):
        with site.at_work():
            must_hold = known(site.cli.folder)
            if not killed_at(site.act, step, folder=site.top):
                break
            happened = site.cli.states() == {"one": "cancelled"}
            if not happened:
                site.cli(*WORDS)
            assert site.cli.states() == {"one": "cancelled"}, step
            assert left_behind(site.cli.folder) == [], step
            subjects = git("log", "--format=%s", "main..orch/one", cwd=site.cli.folder).splitlines()
            assert subjects == ["WIP: One", "Write one.txt"], step
            assert git("show", "orch/one:left.txt", cwd=site.cli.folder) == LEFT.strip(), step
            verify(must_hold)
            outcomes[happened] += 1
    print(f"{name}: {outcomes[False]} times it was not done, {outcomes[True]} times it was")
    assert outcomes
