"""The branch of a task as it is now: with the commits that others than its last attempt have added."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gitorch.model.naming import Oid
from gitorch.model.task import State, Task

_NAMED = 3


class LaterCommit(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that was added to a branch after the work of its last attempt was collected."""

    oid: Oid
    author: str
    subject: str


class BranchState(msgspec.Struct, frozen=True, kw_only=True):
    """A task with the commits that its branch has now, and what was added since its last attempt, oldest first.

    The check results of another tree are left out. Of an approved task, `later` is what the approval does not cover.
    `is_rewritten` means that the branch no longer contains what the attempt committed. `unseen` is the new tip, if the
    branch has moved since it was recorded.
    """

    task: Task
    later: tuple[LaterCommit, ...] = ()
    is_rewritten: bool = False
    unseen: Oid | None = None


def describe(state: BranchState) -> str:
    """Return who added what by hand, in words; empty if nothing was added."""
    if not state.later:
        return "its commits were rewritten by hand" if state.is_rewritten else ""
    count = len(state.later)
    commits = f"{count} commit{'s' if count > 1 else ''} by {_names(commit.author for commit in state.later)}"
    if state.task.state is State.APPROVED:
        return f"{commits} since the approval: approve it again to merge it"
    since = "since it was adopted" if state.task.attempt is None else f"since attempt {state.task.attempts}"
    subjects = ", ".join(commit.subject for commit in state.later[:_NAMED])
    rest = f" and {count - _NAMED} more" if count > _NAMED else ""
    rewritten = "; earlier commits were rewritten" if state.is_rewritten else ""
    return f"{commits} {since}: {subjects}{rest}{rewritten}"


def _names(authors: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(authors))
