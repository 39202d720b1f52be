"""Put a lost or damaged notes ref back to where gitorch last left it."""

from __future__ import annotations

import errno
from datetime import datetime

from gitorch.errors import GitorchError
from gitorch.git.notes import note_store
from gitorch.model.naming import NOTES, Oid
from gitorch.model.refs import RefUpdate
from gitorch.services.workspace import Workspace
from gitorch.storage import notes_tip

_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


def find(workspace: Workspace) -> None:
    """Restore the notes ref if it is gone although gitorch left one; say so."""
    tip = notes_tip.read(workspace.folder)
    if tip is None or workspace.repository.read_ref(NOTES) is not None:
        return
    try:
        with note_store.lock(workspace.repository):
            if workspace.repository.read_ref(NOTES) is None:
                _restore(workspace, tip)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        workspace.store.report_losses(f"{NOTES} is missing and cannot be restored: {error.strerror}")


def _restore(workspace: Workspace, tip: Oid) -> None:
    repository = workspace.repository
    file = repository.common_dir / NOTES
    aside = ""
    if file.is_file():
        kept = workspace.folder / f"notes-ref.damaged-{datetime.now():%Y%m%dT%H%M%S%f}"
        file.rename(kept)
        aside = f" (set aside as {kept.name})"
    complete = repository.git("rev-list", "--objects", "--quiet", "--max-count=1", tip, "--", ok=range(256)).code == 0
    try:
        if complete:
            repository.update_refs([RefUpdate(NOTES, tip, None)], "restore the notes")
    except GitorchError:
        complete = False
    if complete:
        workspace.store.say(f"{NOTES} was missing or damaged{aside}: restored as gitorch left it, at {tip[:10]}")
    else:
        notes_tip.remember(workspace.folder, None)
        workspace.store.report_losses(
            f"{NOTES} was missing or damaged{aside}, and its commit {tip[:10]} is gone: what the notes said about "
            "attempts, reviews and merges is lost; the task file still has the tasks"
        )
