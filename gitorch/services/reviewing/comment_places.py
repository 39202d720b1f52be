"""The places of comments: each must exist, and is kept with the code that the reviewer saw there."""

from __future__ import annotations

import msgspec

from gitorch.errors import InvalidInput
from gitorch.flow.scheduling import base_choice as task_base
from gitorch.git.diff.file_patches import read_files
from gitorch.git.diff.hunk_ids import HunkPatch, hunk_patches
from gitorch.git.diff.patch_lines import LineKind, PatchLine
from gitorch.git.writing.file_commit import file_entry
from gitorch.model.credentials.redaction import redacted
from gitorch.model.naming import Oid
from gitorch.model.task import Comment, Commits, Task, base_of, change, commit_range
from gitorch.model.visible import readable
from gitorch.services.branches.branch_tips import branch_state
from gitorch.services.input_checks import require_place
from gitorch.services.workspace import Workspace

_AROUND = 3
_MAX_LINES = 40
_MARKS = {LineKind.ADDED: "+", LineKind.REMOVED: "-", LineKind.CONTEXT: " "}


def placed(workspace: Workspace, task: Task, comment: Comment) -> Comment:
    """Return a comment with the code of its place; raise `InvalidInput` if there is no such place.

    What is not UTF-8 in its words becomes escapes: the task file is UTF-8.
    """
    suggestion = None if comment.suggestion is None else readable(comment.suggestion)
    comment = msgspec.structs.replace(comment, text=readable(comment.text), suggestion=suggestion)
    if comment.file != readable(comment.file):
        words = f"the name of {readable(comment.file)} is not UTF-8: a comment on the task can name it"
        raise InvalidInput("no-such-file", words, fix=(f'orchestrate comment {task.id} -m "..."',))
    if not comment.file:
        return comment
    if task.commits is None:
        base = change(task, commits=Commits(_next_base(workspace, task)))
        require_place(workspace.repository, base, comment.file, max(comment.line, comment.end))
        return comment
    current = branch_state(workspace, task).task
    side = change(current, commits=Commits(base_of(current))) if comment.is_old else current
    require_place(workspace.repository, side, comment.file, max(comment.line, comment.end))
    comment = _with_blob(workspace, current, comment)
    if comment.code or not comment.line or current.tip is None:
        return comment
    patch = read_files(workspace.repository, *commit_range(current))
    return msgspec.structs.replace(comment, code=_code(hunk_patches(patch), comment))


def _next_base(workspace: Workspace, task: Task) -> Oid:
    """Return the commit on which a task that has not started would start now."""
    repository, config = workspace.repository, workspace.config
    start = task_base.choose_base(repository, config, task, workspace.tasks)
    return start.commit if isinstance(start, task_base.Base) else task_base.start_commit(repository, config)


def _with_blob(workspace: Workspace, task: Task, comment: Comment) -> Comment:
    """Return a comment with the version of the file that its suggestion is for."""
    if comment.suggestion is None or comment.blob or not comment.line or comment.is_old or task.tip is None:
        return comment
    entry = file_entry(workspace.repository, task.tip, comment.file)
    return msgspec.structs.replace(comment, blob=entry[1]) if entry else comment


def _code(hunks: list[HunkPatch], comment: Comment) -> str:
    """Return the lines of the diff around a comment; none where the branch changes nothing near it."""
    first, last = comment.line - _AROUND, max(comment.line, comment.end) + _AROUND
    for hunk in hunks:
        path = hunk.file.old_path if comment.is_old else hunk.file.path
        if hunk.hunk and path == comment.file:
            lines = [line for line in hunk.hunk.lines if first <= (_number(line, comment) or 0) <= last]
            numbers = [_number(line, comment) for line in lines]
            if comment.line in numbers:
                start, end = hunk.hunk.lines.index(lines[0]), hunk.hunk.lines.index(lines[-1]) + 1
                excerpt = hunk.hunk.lines[start:end][:_MAX_LINES]
                return readable(redacted("\n".join(f"{_MARKS.get(line.kind, '')}{line.text}" for line in excerpt)))
    return ""


def _number(line: PatchLine, comment: Comment) -> int | None:
    return line.old if comment.is_old else line.new
