"""What moved during runs and was not moved by gitorch: kept until a person acknowledges it."""

from __future__ import annotations

from gitorch.services import people_only
from gitorch.services.workspace import Workspace
from gitorch.storage import foreign_changes
from gitorch.storage.foreign_changes import ForeignChange


def unacknowledged(workspace: Workspace, task: str = "") -> list[ForeignChange]:
    """Return what nobody has acknowledged, oldest first; of one task, if it is named."""
    changes = foreign_changes.unacknowledged(workspace.folder)
    return [change for change in changes if not task or task in change.tasks]


def acknowledge(workspace: Workspace) -> int:
    """Acknowledge all of it, and return how much that was."""
    people_only.require_person("acknowledge changes")
    return foreign_changes.acknowledge(workspace.folder)
