"""Apply the suggestions of pending comments: a commit by the reviewer on the task's branch, and its checks."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import msgspec

from gitorch import services
from gitorch.errors import InvalidInput, Refused
from gitorch.git.diff.line_map import moved_lines
from gitorch.git.writing.file_commit import commit_files, file_entry
from gitorch.model import note
from gitorch.model.branch_state import BranchState
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.model.review.suggestions import Replacement, overlap, replaced
from gitorch.model.task import CheckResult, Comment, Commits, State, Task, base_of, change, commit_range
from gitorch.services import people_only
from gitorch.services.branches.branch_tips import branch_state
from gitorch.services.branches.stale import with_stale_dependents
from gitorch.services.changes import change_with_notes
from gitorch.services.check import CheckStep, run_checks, with_results
from gitorch.services.configured_checks import checks_for
from gitorch.services.reviewing.review import require_seen
from gitorch.services.workspace import Workspace

_OPEN = (State.FINISHED, State.CONFLICTED)


class AppliedSuggestions(msgspec.Struct, frozen=True, kw_only=True):
    """A task whose branch has the new commit, the comments that were applied, and how the checks ended."""

    task: Task
    commit: Oid
    comments: tuple[Comment, ...]
    results: tuple[CheckResult, ...] = ()


class _File(msgspec.Struct, frozen=True):
    """A file that suggestions change: its mode and blob on the branch, and the replacements by comment."""

    mode: str
    blob: Oid
    replacements: dict[Comment, Replacement]


def apply(
    workspace: Workspace, task: Task, numbers: Sequence[int], sign: bool | None = None
) -> Generator[CheckStep, None, AppliedSuggestions]:
    """Commit the suggestions of pending comments, by number or all of them, and run the checks on the commit.

    `sign` says whether the commit is signed (None: as a merge by a person would be). Nothing is changed before the
    checks have ended. Raises `Refused` if a task cannot take them, or if lines have changed since they were commented
    on.
    """
    people_only.require_person("apply suggestions")
    state = _open_branch(workspace, task)
    comments = _chosen(state.task, numbers)
    files = _files(workspace, state.task, comments)
    tip = commit_range(state.task)[1]
    contents = {
        path: (file.mode, replaced(_content(workspace, tip, path), [*file.replacements.values()]))
        for path, file in files.items()
    }
    commit = commit_files(workspace.repository, tip, contents, _message(task, comments))
    if workspace.repository.tree(commit) == workspace.repository.tree(tip):
        raise Refused("nothing-to-apply", f"the branch of {task.id} has these lines already")
    commit = services.merging.merge_signing.sign_commit(
        workspace, commit, sign, f"orchestrate apply {task.id} --no-sign"
    )
    applied = change(state.task, commits=Commits(base_of(state.task), commit), results=())
    results: tuple[CheckResult, ...] = ()
    if checks_for(workspace, applied):
        (results,) = yield from run_checks(workspace, [BranchState(task=applied)])
    rest = [_followed(workspace, comment, tip, commit) for comment in state.task.comments if comment not in comments]
    applied = change(with_results(applied, results), comments=tuple(rest))
    moves = [RefUpdate(branch_ref(task.branch), commit, tip)]
    lines = {commit: [note.check_line(result) for result in results]} if results else {}
    pairs = with_stale_dependents(workspace, [(task, applied)])
    saved, *_ = change_with_notes(workspace, "apply", pairs, lines, f"apply suggestions to {task.id}", moves)
    workspace.store.snapshot_if_due()
    services.restack.follow(workspace, [saved.id])
    return AppliedSuggestions(task=saved, commit=commit, comments=tuple(comments), results=results)


def _open_branch(workspace: Workspace, task: Task) -> BranchState:
    """Return the branch of a task that can take a commit of the reviewer."""
    if task.state not in _OPEN or task.tip is None:
        raise Refused(
            "not-open",
            f"{task.id} is {task.state}",
            why="suggestions are applied to finished work that waits for a verdict",
            fix=(f"orchestrate task {task.id}",),
        )
    if task.adopted:
        raise Refused(
            "adopted-branch",
            f"{task.branch} is a branch of yours, which gitorch does not move",
            fix=(f"git switch {task.branch}", f"orchestrate revise {task.id}"),
        )
    state = branch_state(workspace, task)
    require_seen(workspace, state)
    return state


def _chosen(task: Task, numbers: Sequence[int]) -> list[Comment]:
    """Return the pending comments with these numbers, or all with suggestions; each must have one for lines."""
    suggestions = {number: comment for number, comment in enumerate(task.comments, 1) if comment.suggestion is not None}
    if not suggestions:
        raise InvalidInput(
            "no-suggestion",
            f"no comment on {task.id} has a suggestion",
            why="a suggestion is a block in a comment on lines: ```suggestion",
            fix=(f"orchestrate review -e {task.id}",),
        )
    for number in numbers:
        if number not in suggestions:
            known = ", ".join(map(str, suggestions))
            raise InvalidInput("no-suggestion", f"comment {number} has no suggestion; those with one: {known}")
    chosen = [suggestions[number] for number in dict.fromkeys(numbers)] or [*suggestions.values()]
    for comment in chosen:
        if not comment.line or comment.is_old or comment.blob is None:
            what = "lines that the branch removes" if comment.is_old else f"{comment.place or 'the whole task'}"
            raise Refused(
                "suggestion-without-lines",
                f"a suggestion for {what} cannot be applied: it replaces no lines of the branch",
                fix=(f"orchestrate revise {task.id}",),
            )
    return chosen


def _files(workspace: Workspace, task: Task, comments: Sequence[Comment]) -> dict[str, _File]:
    """Return the files that comments replace lines of; raise `Refused` where the lines are no longer as they were."""
    tip = commit_range(task)[1]
    files: dict[str, _File] = {}
    for comment in comments:
        entry = file_entry(workspace.repository, tip, comment.file)
        if entry is None or not entry[0].startswith("100"):
            raise _outdated(task, comment, "the branch no longer has the file")
        file = files.setdefault(comment.file, _File(*entry, {}))
        lines = _lines_now(workspace, comment, file.blob)
        if lines is None:
            raise _outdated(task, comment, "these lines have changed since the comment was made")
        file.replacements[comment] = Replacement(*lines, comment.suggestion or "")
    for path, file in files.items():
        if both := overlap([*file.replacements.values()]):
            first, second = both
            raise Refused(
                "suggestions-overlap",
                f"two suggestions replace the same lines of {path}: {first.first}-{first.last} and "
                f"{second.first}-{second.last}",
                fix=(f"orchestrate apply {task.id} N",),
            )
    return files


def _lines_now(workspace: Workspace, comment: Comment, blob: Oid) -> tuple[int, int] | None:
    if comment.blob is None or not workspace.repository.exists(comment.blob):
        return None
    return moved_lines(workspace.repository, comment.blob, blob, comment.line, comment.end or comment.line)


def _outdated(task: Task, comment: Comment, reason: str) -> Refused:
    return Refused(
        "suggestion-outdated",
        f"the suggestion for {comment.place} cannot be applied",
        why=reason,
        fix=(f"orchestrate revise {task.id}", f"orchestrate review -e {task.id}"),
    )


def _content(workspace: Workspace, tip: Oid, path: str) -> bytes:
    return workspace.repository.file(tip, path) or b""


def _message(task: Task, comments: Sequence[Comment]) -> str:
    """Return the message of the commit: the places, and the reviewer's words."""
    subject_of_one = f"Apply a suggestion to {comments[0].place}"
    subject = (
        subject_of_one
        if len(comments) == 1 and len(subject_of_one) <= 72
        else f"Apply {len(comments)} suggestions of the review"
    )
    words = [f"{comment.place}: {comment.text}" if comment.text else comment.place for comment in comments]
    return "\n\n".join([subject, *words, f"Task: {task.id}\n"])


def _followed(workspace: Workspace, comment: Comment, tip: Oid, commit: Oid) -> Comment:
    """Return a comment that still waits, where its lines are after the commit; unchanged if the commit changed them."""
    if not comment.line or comment.is_old:
        return comment
    repository = workspace.repository
    before, after = (file_entry(repository, oid, comment.file) for oid in (tip, commit))
    if before is None or after is None or before == after:
        return comment
    end = comment.end or comment.line
    lines_now = moved_lines(repository, comment.blob or before[1], after[1], comment.line, end)
    if lines_now is None:
        return comment
    first, last = lines_now
    blob = after[1] if comment.blob else None
    return msgspec.structs.replace(comment, line=first, end=last if comment.end else 0, blob=blob)
