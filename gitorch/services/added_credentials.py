"""Keep credentials out of the history: find them in what a task adds, before it is approved or merged."""

from __future__ import annotations

from gitorch.errors import Refused
from gitorch.git.collecting import credentials
from gitorch.git.collecting.credentials import Search
from gitorch.model.task import Task, commit_range
from gitorch.services.workspace import Workspace

_REASON = "what is merged stays in the history; a credential that is real has to be replaced where it is valid"


def credential_problem(workspace: Workspace, task: Task) -> str:
    """Return why the commits of a task may hold a credential: they add one, or were not searched to their end."""
    found = _search(workspace, task)
    if found.credentials:
        return "adds credentials"
    return "" if found.only is None else "adds more than is searched for credentials"


def require_no_credentials(workspace: Workspace, task: Task) -> None:
    """Raise `Refused` if the commits of a task add a credential, or more than is searched for one."""
    found = _search(workspace, task)
    force = f"orchestrate approve {task.id} --force"
    if found.credentials:
        raise Refused(
            "credentials",
            f"{task.id} adds credentials: {credentials.named(found.credentials)}",
            why=_REASON,
            fix=(f"orchestrate retry {task.id}", force),
        )
    if found.only is not None:
        raise Refused(
            "unsearched",
            f"{task.id} adds more than is searched for credentials: only the first {found.megabytes} MB were searched",
            why=_REASON,
            fix=(f"orchestrate diff {task.id} --stat", force),
        )


def _search(workspace: Workspace, task: Task) -> Search:
    return Search() if task.tip is None else credentials.search(workspace.repository, *commit_range(task))
