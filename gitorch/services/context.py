"""The briefs that agents get, their handoffs and shared notes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from gitorch.flow import attempt
from gitorch.flow.attempt import briefing
from gitorch.flow.scheduling import base_choice
from gitorch.model import graph
from gitorch.model.handoff import Handoff
from gitorch.model.task import State, Task
from gitorch.services.agents import run_context
from gitorch.services.configured_checks import checks_for
from gitorch.services.executor import enclosing_task
from gitorch.services.workspace import Workspace
from gitorch.storage.shared_notes import SharedNotes


def shared_notes(workspace: Workspace) -> SharedNotes:
    """Return the notes that the agents of a run share."""
    return SharedNotes(workspace.folder / "context")


def note_author(folder: Path, environment: Mapping[str, str]) -> str:
    """Return the task whose agent runs this process; empty for a person. `folder` is the state folder.

    If the ancestors of this process are not visible, its own environment decides, which an agent could change.
    """
    return enclosing_task(folder) or environment.get("GITORCH_TASK", "")


def handoff_of(workspace: Workspace, task: Task) -> Handoff:
    """Return the handoff of a task's last attempt."""
    return briefing.handoff_of(workspace.repository, task)


def brief(workspace: Workspace, task: Task) -> tuple[str, bool]:
    """Return the brief that a task's agent got and True, or the brief that it would get now and False."""
    sent = None if task.state is State.QUEUED else _sent(workspace, task)
    return (sent, True) if sent is not None else (_current_brief(workspace, task), False)


def _sent(workspace: Workspace, task: Task) -> str | None:
    return attempt.sent_brief(workspace.folder, task)


def _current_brief(workspace: Workspace, task: Task) -> str:
    repository, config = workspace.repository, workspace.config
    start = base_choice.choose_base(repository, config, task, workspace.tasks)
    # a task whose dependencies conflict cannot start, but its brief can be composed
    commit = (
        start.commit if isinstance(start, base_choice.Base) else base_choice.start_of(repository, config, task.spec)
    )
    context = run_context(workspace)
    started = attempt.start(context, msgspec.structs.replace(task, state=State.QUEUED), commit)
    dependencies = graph.nearest_first(task, workspace.tasks)
    return attempt.compose_brief(context, started, checks_for(workspace, started), dependencies)
