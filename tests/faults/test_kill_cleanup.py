"""kill -9 during `cleanup`, before each of its steps: the next one converges, and no file of a worktree is lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from gitorch import services
from gitorch.model.task import State
from gitorch.services.open import open_workspace
from gitorch.services.workspace import Workspace
from tests.faults.killing import killed_at
from tests.support.days import WHO, finish_by_hand, finished
from tests.support.git import git

STRIDE = 1 if os.environ.get("GITORCH_KILLS") else 4
"""Every step on demand; a sample otherwise."""
CONTENT = {"left.txt": "left\n", "debug.log": "ignored\n"}


def rejected(folder: Path) -> Path:
    """Reject a task whose worktree holds an uncommitted and an ignored file; return the worktree."""
    library = finished(folder, "one")
    path = folder.parent / "repo.orch" / "one"
    git("worktree", "add", "--quiet", "--lock", "--detach", str(path), "work/one", cwd=folder)
    for name, content in CONTENT.items():
        (path / name).write_text(content)
    finish_by_hand(library, "one", state=State.FINISHED, worktree=str(path))
    services.reviewing.review.reject(library, services.lookup.find_task(library, "one"), WHO)
    return path


def clean(library: Workspace) -> None:
    list(services.maintenance.cleanup(library, services.maintenance.removable(library)))


def content(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in CONTENT}


def test_killed_before_each_step(repository_folder: Path) -> None:
    """Whatever a killed cleanup has done, the next one finishes it, and an undo brings the worktree back whole."""
    path = rejected(repository_folder)
    state, backup = repository_folder.parent, repository_folder.parent.with_name("backup")
    shutil.copytree(state, backup, symlinks=True)
    step, places = 1, set()
    while killed_at(lambda: clean(open_workspace(repository_folder)), step):
        places.add(path.exists())
        clean(open_workspace(repository_folder))
        assert not path.exists()
        assert open_workspace(repository_folder).tasks == {}
        assert "repo.orch/one" not in git("worktree", "list", cwd=repository_folder)
        (trashed,) = (path.parent / ".gitorch-trash").iterdir()
        assert content(trashed) == CONTENT
        services.undo.undo(open_workspace(repository_folder))
        assert content(path) == CONTENT
        assert git("status", "--porcelain", cwd=path) == "?? left.txt"
        shutil.rmtree(state)
        shutil.copytree(backup, state, symlinks=True)
        step += STRIDE
    assert step > 10
    assert places == {True, False}
