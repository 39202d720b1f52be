"""What a reviewer says again and again, from the notes of verdicts and the comments that wait to be sent."""

from __future__ import annotations

from gitorch.errors import NotFound
from gitorch.flow.scheduling import base_choice
from gitorch.git.notes import note_store
from gitorch.model.naming import TaskId
from gitorch.model.note import VerdictNote
from gitorch.model.review import lessons
from gitorch.model.review.lessons import RepeatedComment
from gitorch.services.workspace import Workspace

FILE = "AGENTS.md"
"""The file in which agents look for the conventions of a repository."""


def repeated_comments(workspace: Workspace) -> list[RepeatedComment]:
    """Return the comments that were made on two or more tasks and that AGENTS.md does not have."""
    verdicts = {
        (entry.note.time, entry.note.task): entry.note
        for lines in note_store.read_all(workspace.repository).values()
        for entry in lines
        if isinstance(entry.note, VerdictNote)
    }
    comments = [(TaskId(verdicts[key].task), comment) for key in sorted(verdicts) for comment in verdicts[key].comments]
    comments += [(task.id, comment) for task in workspace.tasks.values() for comment in task.comments]
    return lessons.repeated(comments, _conventions(workspace))


def _conventions(workspace: Workspace) -> str:
    """Return the conventions on which the next task would start."""
    try:
        commit = base_choice.start_commit(workspace.repository, workspace.config)
    except NotFound:
        return ""
    return (workspace.repository.file(commit, FILE) or b"").decode("utf-8", "replace")
