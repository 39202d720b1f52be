"""Keep credentials out of the history: find them in what a task adds, before it is approved or merged."""

from __future__ import annotations

from gitorch.errors import Refused
from gitorch.git import credentials
from gitorch.model.task import Task, commit_range
from gitorch.services.workspace import Workspace


def adds_credentials(workspace: Workspace, task: Task) -> bool:
    """Return whether the commits of a task add a credential."""
    return task.tip is not None and bool(credentials.search(workspace.repository, *commit_range(task)).credentials)


def require_no_credentials(workspace: Workspace, task: Task) -> None:
    """Raise `Refused` if the commits of a task add a credential, which nobody can take out of the history again."""
    if task.tip is None:
        return
    if found := credentials.search(workspace.repository, *commit_range(task)).credentials:
        raise Refused(
            "credentials",
            f"{task.id} adds credentials: {credentials.named(found)}",
            why="what is merged stays in the history; a credential that is real has to be replaced where it is valid",
            fix=(f"orchestrate retry {task.id}", f"orchestrate approve {task.id} --force"),
        )
