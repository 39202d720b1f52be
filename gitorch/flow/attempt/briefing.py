"""Compose the brief of an attempt: the prompt of its agent, with what git and the other tasks add to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gitorch import regular_files
from gitorch.flow.attempt.records import attempt_folder, brief_file
from gitorch.git.repository import Repository
from gitorch.model import brief, handoff
from gitorch.model.handoff import Handoff, TaskHandoff
from gitorch.model.naming import Oid
from gitorch.model.roles import generalist
from gitorch.model.task import Task, base_of, commit_range, current_attempt
from gitorch.replay import conflict_commit
from gitorch.rooms.context import RunContext

CONVENTIONS = ("AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md", ".github/CONTRIBUTING.md", "docs/CONTRIBUTING.md")


def compose_brief(
    context: RunContext,
    task: Task,
    checks: Mapping[str, str],
    dependencies: Sequence[Task],
    conflicting: Sequence[Task] = (),
) -> str:
    """Return the brief of a task whose attempt has started; the arguments are those of `run`."""
    if current_attempt(task).answers_only:
        return brief.questions_brief(task, resumed=current_attempt(task).resumed)
    # of a task that is still queued, no agent may have been chosen
    settings = context.config.agents.get(task.spec.agent)
    reads_only = settings is not None and settings.permissions == "readonly"
    if current_attempt(task).resumed:
        return _resumed_brief(task, reads_only=reads_only)
    repository = context.repository
    handoffs = [
        TaskHandoff(task=dependency.id, title=dependency.title, handoff=handoff_of(repository, dependency))
        for dependency in dependencies
    ]
    hunks = conflict_commit.marked_lines(repository, task.conflict.conflict_commit) if task.conflict else {}
    return brief.first_brief(
        task,
        context.roles.get(task.spec.role) or generalist(),
        checks,
        handoffs,
        conventions(repository, base_of(task)),
        brief.conflict(task, hunks, conflicting) if task.conflict else (),
        tells_conflicts=context.config.run.tell_conflicts,
        reads_only=reads_only,
    )


def _resumed_brief(task: Task, *, reads_only: bool) -> str:
    if reads_only:
        return brief.reader_brief(task.answer)
    if task.answer:
        return brief.answer_brief(task.answer)
    return brief.revise_brief(task) if task.comments else brief.go_on_brief()


def sent_brief(state: Path, task: Task) -> str | None:
    """Return the brief that the last attempt of a task started with; None before it was written."""
    file = brief_file(attempt_folder(state, task), 1)
    return regular_files.read(file).decode() if task.attempts and file.exists() else None


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
