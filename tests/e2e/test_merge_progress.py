"""What `merge` shows while it replays: a bar that is removed at the end, on a terminal and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from gitorch.flow import merge
from gitorch.flow.merge import Progress
from gitorch.git.repository import Repository
from gitorch.replay import MemoryReplayer
from tests.support.branches import Branches
from tests.support.cli import SECONDS, Cli
from tests.support.days import approve, finished
from tests.support.git import git

_ERASE_LINE = b"\r\x1b[2K"
_REMOVE_BAR = b"\x1b[1A\x1b[2K"


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    """Three approved tasks."""
    approve(finished(repository_folder, "a", "b", "c"), "a", "b", "c")
    return Cli(repository_folder)


def on_terminal(cli: Cli, *words: str, ok: int = 0, **environment: str) -> tuple[bytes, bytes]:
    """Run a command whose narration goes to a terminal; return its answer, and all that was written there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gitorch", *words],
        cwd=cli.folder,
        env={**cli.environment, "TERM": "xterm", "COLUMNS": "100", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while more := _read(ours):
        said += more
    os.close(ours)
    answer, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == ok, said
    return answer, said


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the last one who had the other end is gone
        return b""


@pytest.mark.parametrize("words", [("merge",), ("merge", "-n"), ("merge", "--json")])
def test_a_terminal_shows_progress(cli: Cli, words: tuple[str, ...]) -> None:
    """Each kind of work is shown in one line, which is removed before anything else is printed; stdout stays clean."""
    answer, narration = on_terminal(cli, *words, NO_COLOR="1")
    lines = narration.split(_ERASE_LINE)
    assert any(b"read the branches" in line for line in lines)
    assert any(b"1/3 replay of a" in line for line in lines), narration
    assert any(b"prove and publish" in line for line in lines) == ("-n" not in words)
    last = narration.rindex(b"publish" if "-n" not in words else b"replay")
    assert _REMOVE_BAR in narration[last:], "the last line is still there"
    assert b"replay" not in answer
    assert _ERASE_LINE not in answer


def test_nobody_else_is_told(cli: Cli) -> None:
    """A file, a dumb terminal and who asked for silence get no line for it."""
    assert "replay" not in cli("merge", "-n").stderr
    assert b"replay of" not in on_terminal(cli, "merge", "-n", TERM="dumb")[1]
    assert b"replay" not in on_terminal(cli, "-q", "merge", "-n")[1]
    assert "replay of" not in cli("merge").stderr


def test_a_line_that_was_begun_is_taken_away_for_an_error(cli: Cli) -> None:
    """What a merge is refused for stands on a line of its own."""
    cli("merge", "a")
    git("worktree", "add", "--quiet", str(cli.folder.parent / "there"), "orch/integration", cwd=cli.folder)
    _, said = on_terminal(cli, "merge", ok=5)
    assert b"prove and publish" in said
    assert said.split(_REMOVE_BAR)[-1].lstrip(b"\x1b[0123456789;m").startswith(b"error:")


def test_each_branch_is_told_once(repo: Repository) -> None:
    """However often other orders are tried: at most one report for each branch and kind of work, in order."""
    with MemoryReplayer(repo) as replayer:
        made = Branches(repo, replayer)
        names = [f"t{number}" for number in range(6)]
        for number, name in enumerate(names):
            made.task(name, {f"{number % 2}.txt": name})
        told: list[Progress] = []
        chosen = merge.choose(made.tasks, None, [])
        plan = merge.plan(replayer, made.tasks, chosen, None, made.main, told.append)
    assert len(plan.conflicts) == 4
    replays = [(one.step, one.of, one.tasks) for one in told if one.doing == "replay"]
    assert replays == [(at, 6, (name,)) for at, name in enumerate(names)]
    clashes = {clash.task.id for clash in plan.conflicts}
    for doing in ("conflicts", "other orders"):
        about = [one.tasks[0] for one in told if one.doing == doing]
        assert sorted(about) == sorted(clashes), doing
    assert {one.doing for one in told} == {"read the branches", "replay", "conflicts", "other orders"}
