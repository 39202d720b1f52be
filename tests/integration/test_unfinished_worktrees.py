"""Commands that walk all refs while somebody adds a worktree, whose first HEAD names no object."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from gitorch.git.collecting import incoming
from gitorch.git.repository import Output, Repository
from gitorch.git.worktrees import unfinished
from gitorch.model.naming import Ref
from tests.support.git import git

_UPLOAD = ("git", "upload-pack")
_INCOMING = Ref("refs/gitorch/incoming/t")
_NOTHING = "0" * 40 + "\n"


def _other(folder: Path) -> Path:
    """Make a repository with one more commit than the one in `folder`."""
    other = folder.parent / "other"
    git("clone", "--quiet", str(folder), str(other), cwd=folder)
    git("commit", "--quiet", "--allow-empty", "-m", "More", cwd=other)
    return other


def _unfinished(folder: Path) -> Path:
    """Return the HEAD of a worktree as `git worktree add` writes it first."""
    git("worktree", "add", "--quiet", "--no-checkout", "--detach", str(folder.parent / "added"), cwd=folder)
    head = folder / ".git/worktrees/added/HEAD"
    head.write_text(_NOTHING)
    return head


def test_a_worktree_that_is_being_added(repository_folder: Path) -> None:
    """A fetch that meets its first HEAD is tried again, and the commits come."""
    other, head = _other(repository_folder), _unfinished(repository_folder)
    tip = git("rev-parse", "HEAD", cwd=other)
    added = threading.Timer(0.3, lambda: head.write_text(f"{git('rev-parse', 'HEAD', cwd=repository_folder)}\n"))
    added.start()
    repository = Repository.discover(repository_folder)
    assert incoming.fetch(repository, other, "HEAD", _INCOMING, _UPLOAD) == ""
    added.join()
    assert repository.read_ref(_INCOMING) == tip


def test_a_worktree_that_stays_unfinished(repository_folder: Path) -> None:
    """Its git was killed: the tries come to an end, and the reason names it."""
    other, _head = _other(repository_folder), _unfinished(repository_folder)
    repository = Repository.discover(repository_folder)
    problem = incoming.fetch(repository, other, "HEAD", _INCOMING, _UPLOAD)
    assert problem == "fatal: bad object worktrees/added/HEAD"


def _runs(folder: Path, first: Callable[[], object] = str) -> int:
    """Count how often a command that always fails is run; the first run does something else, too."""
    runs: list[None] = []

    def command() -> Output:
        if not runs:
            first()
        runs.append(None)
        return repository.git("rev-parse", "--verify", "--quiet", "refs/heads/none", ok=(1,))

    repository = Repository.discover(folder)
    assert unfinished.retried(repository, command).code == 1
    return len(runs)


def test_other_failures_are_not_tried_again(repository_folder: Path) -> None:
    """Nothing was added, or what was added is finished; a pipe in the place of a HEAD is not read."""
    assert _runs(repository_folder) == 1
    head = _unfinished(repository_folder)
    head.write_text("ref: refs/heads/x\n")
    assert _runs(repository_folder) == 1
    head.unlink()
    os.mkfifo(head)
    assert _runs(repository_folder) > 1


def test_a_worktree_added_meanwhile(repository_folder: Path) -> None:
    """It is finished when the command has failed: one more try is worth it."""
    path = str(repository_folder.parent / "added")
    assert _runs(repository_folder, lambda: git("worktree", "add", "-q", "--detach", path, cwd=repository_folder)) == 2
