"""Collect the material of a brief from git and the tasks: conventions, and the handoffs of the dependencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitorch.git.repository import Repository
from gitorch.model import brief, handoff
from gitorch.model.handoff import Handoff, TaskHandoff
from gitorch.model.naming import Oid
from gitorch.model.roles import Role
from gitorch.model.task import Task, base_of, commit_range
from gitorch.replay import conflict_commit

CONVENTIONS = ("AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md", ".github/CONTRIBUTING.md", "docs/CONTRIBUTING.md")


def compose(
    repository: Repository,
    task: Task,
    role: Role,
    checks: Mapping[str, str],
    dependencies: Sequence[Task],
    conflicting: Sequence[Task] = (),
    *,
    tells_conflicts: bool = False,
    reads_only: bool = False,
) -> str:
    """Return the brief of a task that has its base.

    `dependencies` are all tasks that it builds on, nearest first, `conflicting` those that it is in conflict with.
    With `tells_conflicts`, the agent is told while it works whose changes conflict with its own; with `reads_only`, it
    must change nothing.
    """
    handoffs = [
        TaskHandoff(task=dependency.id, title=dependency.title, handoff=handoff_of(repository, dependency))
        for dependency in dependencies
    ]
    hunks = conflict_commit.marked_lines(repository, task.conflict.conflict_commit) if task.conflict else {}
    conflict = brief.conflict(task, hunks, conflicting) if task.conflict else ()
    names = conventions(repository, base_of(task))
    return brief.first_brief(
        *(task, role, checks, handoffs, names, conflict), tells_conflicts=tells_conflicts, reads_only=reads_only
    )


def conventions(repository: Repository, commit: Oid) -> list[str]:
    """Return the files of a commit that describe how to work on the repository."""
    oids = repository.object_ids(*(f"{commit}:{name}" for name in CONVENTIONS))
    return [name for name, oid in zip(CONVENTIONS, oids, strict=True) if oid is not None]


def handoff_of(repository: Repository, task: Task) -> Handoff:
    """Return the handoff of a task's last attempt: its agent's summary, and the changed files from git."""
    return handoff.read(task.attempt.summary if task.attempt else "", changed_files(repository, task))


def changed_files(repository: Repository, task: Task) -> list[str]:
    """Return the paths that a task's own commits change, as git names them."""
    if task.tip is None:
        return []
    # the commits of a task that was merged and cleaned up may no longer exist
    answer = repository.git(*("diff-tree", "-r", "-z", "--name-only", "--no-renames", *commit_range(task)), ok=(0, 128))
    return answer.fields() if answer.code == 0 else []
