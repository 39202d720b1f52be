"""Remember the resolutions that a merge publishes, so that the same conflict is resolved the same way from now on.

An undo forgets them: what was taken back is not applied again without a proof.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from gitorch import regular_files, typed
from gitorch.flow.merge import MergePlan, Sides
from gitorch.flow.merge.resolution.remembered import FileResolutions
from gitorch.model.naming import Oid
from gitorch.model.resolution import ResolvedFile
from gitorch.services.workspace import Workspace
from gitorch.storage.atomic import replace
from gitorch.storage.operations import UNDO, Operation


def remember(workspace: Workspace, plan: MergePlan) -> None:
    """Remember the proven resolutions of a plan that was published."""
    resolutions = [entry for entry in plan.resolutions if entry.proven and entry.task in plan.resolved]
    files = [file for resolution in resolutions for file in resolution.files]
    if files:
        record = _record(workspace, plan.tip)
        record.parent.mkdir(exist_ok=True)
        replace(record, msgspec.json.encode([(_sides(file), file.result) for file in files]))
        FileResolutions(workspace.repository).learn({_sides(file): file.result for file in files})


def follow(workspace: Workspace, inverse: Operation) -> None:
    """Forget what an undone merge made known, or remember it again after a redo."""
    is_undo = inverse.kind == UNDO
    for update in inverse.refs:
        merged = update.old if is_undo else update.new
        record = _record(workspace, merged) if merged else None
        if record is None or not record.exists():
            continue
        entries = typed.from_json(regular_files.read(record), list[tuple[Sides, Oid]])
        resolutions = FileResolutions(workspace.repository)
        if is_undo:
            resolutions.forget(sides for sides, _ in entries)
        else:
            resolutions.learn(dict(entries))


def _sides(file: ResolvedFile) -> Sides:
    return Sides(file.base, file.ours, file.theirs)


def _record(workspace: Workspace, tip: Oid) -> Path:
    return workspace.folder / "resolved" / f"{tip}.json"
