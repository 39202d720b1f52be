"""The commands that are killed at each of their steps, and the repository before each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import msgspec
import pytest
from _pytest.mark import ParameterSet

from gitorch.cli.main import main
from tests.support.cli import Cli, does, saved, told
from tests.support.git import commit

LEFT = "left by somebody\n"
"""What is not committed in a worktree."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A command, how its repository is made, and what can be seen of it when it has happened: by default, states.

    `mode`: which rooms its agents have. `atomic`: it has happened for the next command, or nothing has. `changes`: how
    the lines begin that tell of what it may change of the user's. `removes_state`: it takes gitorch out. `samples`: how
    many of its steps are tried where not every step is.
    """

    prepare: Callable[[Cli], object]
    words: tuple[str, ...]
    ends: object
    sees: Callable[[Cli], object] = Cli.states
    mode: str = "off"
    moves_main: bool = False
    atomic: bool = True
    changes: tuple[str, ...] = ()
    removes_state: bool = False
    samples: int = 2


def _queued(cli: Cli) -> None:
    cli.queue(
        does("One", saved("one.txt", "1"), "echo more > one-more.txt", id="one"),
        does("Two", saved("two.txt", "2"), id="two"),
    )


def _one_queued(cli: Cli) -> None:
    script = saved("one.txt", "1"), "echo more > one-more.txt"
    cli("submit", told("One", *script), "--check", "test -e one-more.txt")


def _finished(cli: Cli) -> None:
    _queued(cli)
    cli.run()


def _to_submit(cli: Cli) -> None:
    _finished(cli)
    tasks = "".join(f'[[task]]\nid = "{name}"\nprompt = "{name}"\n' for name in ("three", "four"))
    (cli.folder.parent / "tasks.toml").write_text(tasks)


def _approved(cli: Cli) -> None:
    _finished(cli)
    cli("approve", "one", "two", "--force")


def _with_main_ahead(cli: Cli) -> None:
    _finished(cli)
    commit(cli.folder, "Mine\n", {"mine.txt": "m\n"})
    cli("approve", "one", "two", "--force")


def _merged(cli: Cli) -> None:
    _approved(cli)
    cli("merge")


def _left(cli: Cli) -> None:
    """A rejected task with a file in its worktree that nobody has committed."""
    _finished(cli)
    (cli.folder.parent / "repo.orch" / "one" / "left.txt").write_text(LEFT)
    cli("reject", "one")


def _failed(cli: Cli) -> None:
    """A task that failed, with work in progress: `retry` saves it before it starts afresh."""
    cli.queue(does("One", f"echo '{LEFT.strip()}' > left.txt", f"test -e '{cli.folder}/../go'", id="one"))
    cli.run(ok=6)
    (cli.folder.parent / "go").touch()
    cli("retry", "one")


BOTH = {"one": "finished", "two": "finished"}
OPERATIONS: dict[str, Operation] = {
    "submit": Operation(
        prepare=_to_submit,
        words=("submit", "-F", "../tasks.toml"),
        ends={**BOTH, "three": "queued", "four": "queued"},
    ),
    "run": Operation(prepare=_one_queued, words=("run",), ends={"one": "finished"}, atomic=False),
    "run of two": Operation(prepare=_queued, words=("run",), ends=BOTH, atomic=False),
    "import": Operation(prepare=_one_queued, words=("run",), ends={"one": "finished"}, mode="private", atomic=False),
    "rescue": Operation(prepare=_failed, words=("run",), ends={"one": "finished"}, atomic=False),
    "approve": Operation(
        prepare=_finished,
        words=("approve", "one", "two", "--force"),
        ends={"one": "approved", "two": "approved"},
    ),
    "revise": Operation(
        prepare=_finished, words=("revise", "one", "-m", "again"), ends={"one": "queued", "two": "finished"}
    ),
    "merge": Operation(prepare=_approved, words=("merge",), ends={"one": "merged", "two": "merged"}),
    "merge --into": Operation(
        prepare=_with_main_ahead,
        words=("merge", "--into", "main"),
        ends={"one": "merged", "two": "merged"},
        moves_main=True,
    ),
    "undo": Operation(prepare=_merged, words=("undo",), ends={"one": "approved", "two": "approved"}),
    "cleanup": Operation(prepare=_left, words=("cleanup", "--yes"), ends={"two": "finished"}),
}


SHARES = int(os.environ.get("GITORCH_KILLS") or 0)
"""Into how many tests the steps of a command are split where every step is tried, or 0 where a few are."""


def shared(names: Iterable[str]) -> list[ParameterSet]:
    """Return the parameters of a test that tries the steps of one command, or a share of them."""
    if SHARES < 2:
        return [pytest.param(name, 0, id=name) for name in names]
    return [pytest.param(name, share, id=f"{name}, {share}") for name in names for share in range(SHARES)]


def steps_of_share(share: int) -> range:
    """Return which of all steps one test tries; it ends where the command does."""
    return range(1 + share, 100_000, SHARES)


def command(folder: Path, words: tuple[str, ...], codes: Collection[int] = (0,)) -> None:
    """Do in this process what a command does, to its end; for a child of its own."""
    os.chdir(folder)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    sys.argv = ["orchestrate", *words]
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    assert code in codes, code
