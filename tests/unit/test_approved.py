"""Which work on the integration branch nobody has approved."""

from __future__ import annotations

import pytest

from gitorch.flow.merge import unapproved
from gitorch.model.naming import Oid
from gitorch.model.note import Line
from tests.support.notes import note_line

OLD, NEW, TIP = Oid("1" * 40), Oid("2" * 40), Oid("3" * 40)
MERGED = note_line(kind="merged", task="one", commit=OLD)


def verdict(word: str, when: str = "2026-01-01T00:00:00Z", task: str = "one", who: str = "") -> Line:
    return note_line(kind="verdict", task=task, verdict=word, when=when, who=who)


@pytest.mark.parametrize("place", [OLD, NEW, TIP])
def test_an_approval_counts_wherever_it_was_noted(place: Oid) -> None:
    """On the commit that was reviewed, on the one that stands for it, or on the task's tip."""
    notes: dict[Oid, list[Line]] = {NEW: [MERGED]}
    assert unapproved(notes, [NEW], {"one": TIP}) == ["one"]
    notes.setdefault(place, []).append(verdict("approve"))
    assert unapproved(notes, [NEW], {"one": TIP}) == []


def test_the_last_word_counts() -> None:
    """What was approved and then sent back is not approved; nor is what another task's approval stands beside."""
    notes = {NEW: [MERGED, verdict("approve"), verdict("revise", "2026-01-02T00:00:00Z")]}
    assert unapproved(notes, [NEW], {}) == ["one"]
    assert unapproved({NEW: [MERGED, verdict("approve", task="two")]}, [NEW], {}) == ["one"]


def test_what_approves_by_itself_is_nobody() -> None:
    """A verdict that a run has noted in the place of a person does not count."""
    notes = {NEW: [MERGED, verdict("approve", who="merge.auto")]}
    assert unapproved(notes, [NEW], {}, "merge.auto") == ["one"]


def test_commits_of_no_task_need_no_approval() -> None:
    """What a person has committed there by hand is theirs."""
    assert unapproved({}, [NEW], {}) == []
