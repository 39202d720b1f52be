"""What a reviewer has viewed of a task, kept in the notes; and what changed since the last verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from gitorch.errors import InvalidInput, Refused
from gitorch.flow.review.guided_order import guided
from gitorch.flow.review.second_look import ASK, SecondLook, changes_since, read_marks, second_look, unseen
from gitorch.git.diff.file_patches import read_files
from gitorch.git.diff.hunk_ids import HunkPatch, hunk_patches
from gitorch.git.notes import note_store
from gitorch.git.repository import GitFailed
from gitorch.model import note
from gitorch.model.credentials.redaction import redacted
from gitorch.model.naming import OWN_REFS, Oid
from gitorch.model.note import AttemptNote, VerdictNote, ViewedNote
from gitorch.model.task import Comment, Task, commit_range
from gitorch.services import people_only
from gitorch.services.branches.branch_tips import branch_state
from gitorch.services.workspace import Workspace
from gitorch.storage import viewed_tips

_MAX_COMMITS = 200
_MAX_PATCHES = 5_000
"""Patches of a branch that a verdict keeps; what has more is looked at afresh."""


class BranchHunks(msgspec.Struct, frozen=True, kw_only=True):
    """All hunks of a task's branch as it is, and those that the reviewer has not viewed.

    `commits` are the abbreviated ids and subjects of the commits that change a path, oldest first.
    """

    task: Task
    hunks: tuple[HunkPatch, ...]
    unviewed: tuple[HunkPatch, ...]
    commits: dict[str, tuple[str, ...]] = {}
    is_cut: bool = False


def branch_hunks(workspace: Workspace, task: Task, *, flat: bool = False) -> BranchHunks:
    """Return the hunks of a task's branch in the order to read them, or flat in git's; and which are viewed."""
    current = _current(workspace, task)
    patch = read_files(workspace.repository, *commit_range(current))
    hunks = hunk_patches(patch if flat else guided(patch))
    viewed = read_marks(_viewed_notes(workspace, current)).viewed
    return BranchHunks(
        task=current,
        hunks=tuple(hunks),
        unviewed=tuple(unseen(hunks, viewed)),
        commits=_commits_by_path(workspace, current),
        is_cut=patch.is_cut,
    )


def _commits_by_path(workspace: Workspace, task: Task) -> dict[str, tuple[str, ...]]:
    base, tip = commit_range(task)
    options = ("-z", "--reverse", "--name-only", "--no-renames", "--format=%x00%h %s", f"{base}..{tip}")
    commits: dict[str, list[str]] = {}
    subject = ""
    # with -z each commit is an empty field, its subject, and its paths; the first path follows a newline
    fields = iter(workspace.repository.git("log", *options).fields())
    for field in fields:
        if field == "":
            subject = redacted(next(fields, ""))
        elif path := field.removeprefix("\n"):
            commits.setdefault(path, []).append(subject)
    return {path: tuple(subjects) for path, subjects in commits.items()}


def since_review(workspace: Workspace, task: Task) -> SecondLook:
    """Return what changed since the last verdict on a task; raise `Refused` if there was none."""
    comparison = find_since_review(workspace, _current(workspace, task))
    if comparison is None:
        raise Refused(
            "not-reviewed",
            f"{task.id} has had no verdict yet",
            why="what changed since a review is known once one was sent back, approved or rejected",
            fix=(f"orchestrate diff {task.id}",),
        )
    return comparison


def find_since_review(workspace: Workspace, current: Task) -> SecondLook | None:
    """Return what changed since the last verdict on a task, whose branch is as it is now.

    None if there was no verdict, or its commits are gone.
    """
    if current.tip is None or None in workspace.repository.object_ids(*commit_range(current)):
        return None
    lines = _lines(workspace, current)
    marks = read_marks(_of_task(lines, current))
    if not marks.verdict:
        return None
    hunks = hunk_patches(guided(read_files(workspace.repository, *commit_range(current))))
    summary = current.attempt.summary if current.attempt and current.attempt.number > marks.attempt else ""
    comparison = second_look(hunks, marks, _comments(lines, current), summary, _answered(lines, current, marks.attempt))
    return msgspec.structs.replace(
        comparison,
        changes=_changes(workspace, comparison, current),
        commits=_compared_commits(workspace, comparison, current),
    )


def _changes(workspace: Workspace, comparison: SecondLook, task: Task) -> tuple[HunkPatch, ...]:
    """Return what is new in the hunks to look at; the hunks themselves if the judged commits are gone."""
    base, tip = commit_range(task)
    if comparison.marks.tip is None or not (comparison.hunks or comparison.gone):
        return comparison.hunks
    try:
        patch = read_files(workspace.repository, comparison.marks.tip, tip)
    except GitFailed:
        return comparison.hunks
    if patch.is_cut:
        return comparison.hunks
    return changes_since(comparison.hunks, hunk_patches(patch), is_same_base=comparison.marks.base == base)


def _comments(lines: Sequence[note.Line], task: Task) -> list[Comment]:
    """Return the comments of the last verdict, and the questions that were asked since."""
    verdicts = [entry.note for entry in lines if isinstance(entry.note, VerdictNote) and entry.note.task == task.id]
    reviews = {(verdict.time, verdict.verdict): verdict for verdict in verdicts}  # a merge copies notes
    comments: list[Comment] = []
    for key in sorted(reviews):
        comments = [*(comments if key[1] == ASK else ()), *reviews[key].comments]
    return list(dict.fromkeys(comments))


def _answered(lines: Sequence[note.Line], task: Task, reviewed: int) -> list[Comment]:
    """Return the questions that attempts after the reviewed one have answered."""
    attempts = [entry.note for entry in lines if isinstance(entry.note, AttemptNote) and entry.note.task == task.id]
    later = sorted((attempt for attempt in attempts if attempt.number > reviewed), key=lambda attempt: attempt.number)
    return [comment for attempt in later for comment in attempt.questions or ()]


def _compared_commits(workspace: Workspace, comparison: SecondLook, task: Task) -> tuple[str, ...]:
    """Return how `git range-diff` pairs the commits of the last verdict with those of now; nothing without them."""
    base, tip = commit_range(task)
    if comparison.marks.base is None or comparison.marks.tip is None or comparison.marks.tip == tip:
        return ()
    options = ("--no-patch", "--no-color", "--no-notes")
    spans = (f"{comparison.marks.base}..{comparison.marks.tip}", f"{base}..{tip}")
    answer = workspace.repository.git("range-diff", *options, *spans, ok=(0, 128))
    lines = answer.stdout.decode("utf-8", "replace").splitlines() if answer.code == 0 else []
    return tuple(redacted(line) for line in lines[:_MAX_COMMITS])


def mark_viewed(workspace: Workspace, task: Task, hunks: Sequence[HunkPatch], reviewer: str, *, viewed: bool) -> None:
    """Mark hunks of a task as viewed, or take the marks back; the marks are kept in the note of its tip."""
    people_only.require_person("mark hunks as viewed")
    current = _current(workspace, task)
    ids = Counter(patch_id for hunk in hunks for patch_id in hunk.ids)
    if not ids:
        return
    if viewed:
        before = read_marks(_viewed_notes(workspace, current)).viewed
        counted = Counter({patch_id: before[patch_id] + count for patch_id, count in ids.items()})
        line = note.viewed_line(current, reviewer, [*counted.elements()])
    else:
        line = note.viewed_line(current, reviewer, unmarked=[*ids])
    tip = commit_range(current)[1]
    note_store.append(workspace.repository, {tip: [line]}, f"mark hunks of {task.id}")
    viewed_tips.add(workspace.folder, task.id, tip)


def verdict_patches(workspace: Workspace, task: Task, verdict: str, reviewer: str) -> list[note.Line]:
    """Return the note of all patches that a verdict is about, and remember the commit that it goes to."""
    if task.tip is None:
        return []
    try:
        patch = read_files(workspace.repository, *commit_range(task))
    except GitFailed:  # its commits are gone; a verdict can be given all the same
        return []
    ids = [patch_id for hunk in hunk_patches(patch) for patch_id in hunk.ids]
    if patch.is_cut or len(ids) > _MAX_PATCHES:
        return []
    viewed_tips.add(workspace.folder, task.id, task.tip)
    return [note.viewed_line(task, reviewer, ids, verdict=verdict)]


def find_hunks(hunks: Sequence[HunkPatch], place: str) -> list[HunkPatch]:
    """Return the hunks of a place: `FILE`, or `FILE:LINE` for the hunk that shows the line."""
    matches = [hunk for hunk in hunks if place in (hunk.file.path, hunk.place)]
    path, _, line = place.rpartition(":")
    if not matches and line.isdigit():
        matches = [hunk for hunk in hunks if hunk.file.path == path and int(line) in hunk.lines]
    if not matches:
        raise InvalidInput("no-such-place", f"the branch changes nothing at {place}", fix=("name FILE or FILE:LINE",))
    return matches


def _current(workspace: Workspace, task: Task) -> Task:
    """Return a task with its branch as it is; raise `Refused` if it has no commits."""
    if task.tip is None:
        raise Refused("no-commits", f"{task.id} has no commits yet", why=task.full_reason)
    return branch_state(workspace, task).task


def _viewed_notes(workspace: Workspace, task: Task) -> list[ViewedNote]:
    return _of_task(_lines(workspace, task), task)


def _of_task(lines: Sequence[note.Line], task: Task) -> list[ViewedNote]:
    return [entry.note for entry in lines if isinstance(entry.note, ViewedNote) and entry.note.task == task.id]


def _lines(workspace: Workspace, task: Task) -> list[note.Line]:
    """Return the notes on all commits that may hold a review of a task: its own, earlier tips, remembered ones."""
    base, tip = commit_range(task)
    own = workspace.repository.git(
        "rev-list", f"--max-count={_MAX_COMMITS}", f"{base}..{tip}", ok=(0, 128)
    ).text.split()
    earlier = workspace.repository.refs(f"{OWN_REFS}attempts/{task.id}/").values()
    remembered = viewed_tips.read(workspace.folder, task.id)
    commits = list(dict.fromkeys([*remembered, *earlier, *map(Oid, reversed(own))]))
    contents = note_store.read_many(workspace.repository, commits)
    return [line for commit in commits for line in contents[commit]]
