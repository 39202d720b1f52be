"""A repository in which work was done, without waiting for agents: branches made by hand, adopted as finished tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gitorch import services
from gitorch.model.task import State, Task, by_id
from gitorch.replay import MemoryReplayer
from gitorch.services.open import open_workspace
from gitorch.services.workspace import Workspace
from gitorch.storage.tasks import Store
from tests.support.git import commit_on_branch, git
from tests.support.tasks import with_fields

_BESIDE = ("refs/gitorch/trash/undo-", "refs/heads/orch/candidate ")

WHO = "Una User <una@example.com>"


def branch(folder: Path, name: str, *paths: str, base: str = "main") -> str:
    """Make a branch with a commit for each path, touching no work tree; return its tip."""
    if not paths:
        git("branch", "--force", name, base, cwd=folder)
        return git("rev-parse", base, cwd=folder)
    changes = ((f"Add {path}\n\nFor {name}.\n", {path: f"{path} of {name}\n"}) for path in paths)
    return commit_on_branch(folder, name, base, *changes)


def finished(folder: Path, *names: str) -> Workspace:
    """Make a branch `work/NAME` for each name and adopt it; return the library with these finished tasks."""
    for name in names:
        branch(folder, f"work/{name}", f"{name}.txt")
    library = open_workspace(folder)
    if names:
        adopt(library, *(f"work/{name}" for name in names))
    return library


def adopt(library: Workspace, *patterns: str, **options: Any) -> Sequence[Task]:
    """Adopt branches."""
    return services.adopt.adopt_branches(library, services.adopt.plan_adoption(library, patterns, **options)).tasks


def submit(library: Workspace, *names: str, **fields: Any) -> list[Task]:
    """Queue a task for each name."""
    from gitorch.flow import intake

    number = max((task.number for task in library.tasks.values()), default=0) + 1
    tasks = intake.resolve([intake.from_text(name) for name in names], library.tasks, number)
    return services.submit.submit(library, [with_fields(task, **fields) for task in tasks])


def approve(library: Workspace, *names: str) -> list[Task]:
    """Approve tasks that no check has judged."""
    return services.reviewing.review.approve(
        library, [services.lookup.find_task(library, name) for name in names], WHO, force=True
    )


def merge(library: Workspace, *names: str) -> None:
    """Merge what is approved, unchecked."""
    with MemoryReplayer(library.repository) as replayer:
        services.merging.merge.publish(
            library,
            replayer,
            services.merging.merge.plan_merge(
                library, replayer, [services.lookup.find_task(library, name).id for name in names] or None
            ),
        )


def whole(folder: Path) -> dict[str, Any]:
    """Return all that an undo has to put back: every ref, every note, every task.

    What is kept for it is left out, and the candidate, which is made again of what there is.
    """
    refs = git("for-each-ref", "--format=%(refname) %(objectname)", cwd=folder).splitlines()
    tasks = Store(folder / ".git/gitorch").load().values()
    notes = git("notes", "--ref=gitorch", "list", cwd=folder, ok=(0, 1)).splitlines()
    return {
        "refs": [line for line in refs if not line.startswith(_BESIDE)],
        "notes": [git("cat-file", "blob", line.split()[0], cwd=folder) for line in notes],
        "tasks": by_id(tasks),
        "head": git("rev-parse", "--symbolic-full-name", "HEAD", cwd=folder),
        "status": git("status", "--porcelain", cwd=folder),
    }


def finish_by_hand(library: Workspace, name: str, **fields: Any) -> Task:
    """Change a task as a run does: past the operation log."""
    changed = with_fields(services.lookup.find_task(library, name), **{"state": State.RUNNING, **fields})
    library.store.save([changed])
    return changed
