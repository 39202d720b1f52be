"""What a brief is made of, gathered from git and the tasks: conventions, and what the tasks below handed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitorch.git.repository import Repository
from gitorch.model import brief, handoff
from gitorch.model.handoff import Handed, Handoff
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
    before: Sequence[Task],
    opponents: Sequence[Task] = (),
) -> str:
    """Return the brief of a task that has its base.

    `before` is all that it builds on, nearest first, `opponents` what it is to come to terms with.
    """
    handed = [Handed(task=one.id, title=one.title, handoff=handoff_of(repository, one)) for one in before]
    hunks = conflict_commit.hunks(repository, task.conflict.conflict_commit) if task.conflict else {}
    conflict = brief.conflict(task, hunks, opponents) if task.conflict else ()
    return brief.first_brief(task, role, checks, handed, conventions(repository, base_of(task)), conflict)


def conventions(repository: Repository, commit: Oid) -> list[str]:
    """Return the files of a commit that say how the repository wants to be worked on."""
    found = repository.object_ids(*(f"{commit}:{name}" for name in CONVENTIONS))
    return [name for name, oid in zip(CONVENTIONS, found, strict=True) if oid is not None]


def handoff_of(repository: Repository, task: Task) -> Handoff:
    """Return what the last attempt of a task handed over: its agent's words, and the files by git's account."""
    return handoff.read(task.attempt.summary if task.attempt else "", changed_files(repository, task))


def changed_files(repository: Repository, task: Task) -> list[str]:
    """Return the paths that a task's own commits change, as git names them."""
    if task.tip is None:
        return []
    # what was merged and cleaned up since may be gone
    answer = repository.git(*("diff-tree", "-r", "-z", "--name-only", "--no-renames", *commit_range(task)), ok=(0, 128))
    return answer.fields() if answer.code == 0 else []
