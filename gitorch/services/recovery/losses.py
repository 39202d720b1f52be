"""What was lost with files of the state that were cut, emptied or removed: said until it is acknowledged."""

from __future__ import annotations

import re

from gitorch import services
from gitorch.services import people_only
from gitorch.services.workspace import Workspace
from gitorch.storage import losses, notes_tip, sizes

_CONSEQUENCES = {
    "verdicts": "the checks whose results it held run again",
    "moved": "it may have named changes that nobody has acknowledged",
    "base": "the integration branch no longer follows the branch that it was started on; set `base`",
    "context": "notes that agents and people shared are lost",
    "plans": "the plan is as it was before its last change, also if that was its approval",
}
"""By the first word of the path of a file."""


def find(workspace: Workspace) -> None:
    """Report files that are shorter than they were when gitorch last wrote them, and restore the notes."""
    for name in sizes.shortened(workspace.folder):
        _report(workspace, name)
    if notes_tip.may_be_lost(workspace.folder, workspace.repository.common_dir):
        services.recovery.lost_notes.find(workspace)


def examine(workspace: Workspace) -> None:
    """Read the whole state, so that every damage in it is said: tasks, operations and plans."""
    workspace.store.load()
    for _ in workspace.operations.completed():
        pass
    services.plan_approval.plan_store(workspace).all()


def acknowledge(workspace: Workspace) -> int:
    """Stop saying what is lost; return how many losses there were."""
    people_only.require_person("acknowledge losses")
    workspace.store.notices.clear()
    return losses.acknowledge(workspace.folder)


def _report(workspace: Workspace, name: str) -> None:
    size = sizes.noted(workspace.folder, name)
    consequence = _CONSEQUENCES.get(re.split(r"\W", size.path, maxsplit=1)[0]) if size else None
    if size is None or consequence is None:
        return
    workspace.store.report_losses(f"{size.path} was cut or removed (it had {size.size} bytes): {consequence}")
