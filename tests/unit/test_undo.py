"""Whether an operation can be taken back, and what moves for it: on values alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from gitorch.errors import Refused
from gitorch.flow import undo
from gitorch.flow.undo import RepoSnapshot
from gitorch.git.repository import Repository
from gitorch.model.naming import NOTES, OWN_REFS, Oid, Ref, TaskId, branch_ref
from gitorch.model.plan import PlanSession, TaskPlan
from gitorch.model.refs import RefUpdate
from gitorch.model.task import State, Task, by_id
from gitorch.storage.operations import (
    REDO,
    UNDO,
    FolderMove,
    Operation,
    PlanApproval,
    TaskChange,
    difference,
    fingerprint,
)
from tests.support.tasks import make_task, with_fields

WHEN = datetime(2026, 11, 28, tzinfo=UTC)
INTEGRATION, MAIN = branch_ref("orch/integration"), branch_ref("main")
OLD, NEW, OTHER = Oid("1" * 40), Oid("2" * 40), Oid("3" * 40)


def task(name: str, number: int = 1, **fields: Any) -> Task:
    return make_task(id=TaskId(name), number=number, title=name, prompt=name, **fields)


def operation(
    *, refs: Sequence[RefUpdate] = (), changes: Sequence[TaskChange] = (), kind: str = "merge", **fields: Any
) -> Operation:
    defaults = {"number": 5, "created": WHEN, "v": 1, "summary": "merge one"}
    return Operation(kind=kind, refs=tuple(refs), changes=tuple(changes), **{**defaults, **fields})


def snapshot(
    *tasks: Task, refs: dict[Ref, Oid] | None = None, checked_out: dict[Ref, list[Path]] | None = None
) -> RepoSnapshot:
    """Return a repository in which gitorch may move the integration branch, notes and its own refs."""
    return RepoSnapshot(
        refs=refs or {}, tasks=by_id(tasks), checked_out=checked_out or {}, own_refs=(OWN_REFS, NOTES, INTEGRATION)
    )


def reason(found: Refused | None) -> str:
    assert found is not None
    assert found.code == "undo-refused"
    return found.what


APPROVED = task("one", state=State.APPROVED)
MERGED = with_fields(APPROVED, state=State.MERGED, merged_as=NEW)
MERGE = operation(refs=[RefUpdate(INTEGRATION, NEW, OLD)], changes=[difference(APPROVED, MERGED)])
AFTER_MERGE = snapshot(MERGED, refs={INTEGRATION: NEW})


def test_what_is_as_it_was_left_can_be_taken_back() -> None:
    """Refs and tasks are where the operation left them: it goes back, and then it is as before."""
    assert undo.why_not(MERGE, AFTER_MERGE) is None
    assert undo.snapshot_before(MERGE, AFTER_MERGE) == snapshot(APPROVED, refs={INTEGRATION: OLD})
    assert undo.inverse_pairs(MERGE, AFTER_MERGE) == [(MERGED, APPROVED)]
    assert (undo.inverse_kind(MERGE), undo.inverse_kind(operation(kind=UNDO))) == (UNDO, REDO)


@pytest.mark.parametrize(("now", "where"), [(OTHER, "it is now at 333333333333"), (None, "it is now at no commit")])
def test_a_ref_that_moved_since_is_in_the_way(now: Oid | None, where: str) -> None:
    """The error says where it was left and where it is."""
    refused = undo.why_not(MERGE, snapshot(MERGED, refs={INTEGRATION: now} if now else {}))
    assert reason(refused) == "'merge one' cannot be undone: orch/integration has moved since"
    assert refused is not None
    assert where in refused.why


def test_a_branch_that_is_checked_out_is_in_the_way() -> None:
    """The fix names the worktree."""
    refused = undo.why_not(MERGE, snapshot(MERGED, refs={INTEGRATION: NEW}, checked_out={INTEGRATION: [Path("/w")]}))
    assert "orch/integration is checked out in /w" in reason(refused)
    assert refused is not None
    assert refused.fix == ("git -C /w switch --detach",)


def test_each_worktree_with_a_branch_is_named() -> None:
    """A branch can be checked out more than once, in folders with any name."""
    checkouts = [Path("/w"), Path("/an other")]
    refused = undo.why_not(MERGE, snapshot(MERGED, refs={INTEGRATION: NEW}, checked_out={INTEGRATION: checkouts}))
    assert "orch/integration is checked out in /w and /an other" in reason(refused)
    assert refused is not None
    assert refused.fix == ("git -C /w switch --detach", "git -C '/an other' switch --detach")


def test_notes_and_refs_that_did_not_move_are_no_obstacle() -> None:
    """What others noted since stays, and a ref that the operation only looked at may be anywhere."""
    looked = operation(refs=[RefUpdate(NOTES, NEW, OLD), RefUpdate(INTEGRATION, OLD, OLD)])
    assert undo.why_not(looked, snapshot(refs={NOTES: OTHER, INTEGRATION: OTHER})) is None


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (with_fields(MERGED, state=State.RUNNING), "it is running now"),
        (with_fields(MERGED, reason="x"), "it is merged now"),
        (None, "it no longer exists"),
    ],
)
def test_a_task_that_changed_since_is_in_the_way(now: Task | None, words: str) -> None:
    """Any field counts; a task that runs is to be stopped first."""
    refused = undo.why_not(MERGE, snapshot(*([now] if now else []), refs={INTEGRATION: NEW}))
    assert "one has changed since" in reason(refused)
    assert refused is not None
    assert refused.why == words
    assert ("orchestrate kill one" in refused.fix) == (now is not None and now.state is State.RUNNING)


def test_a_number_that_was_given_away_is_in_the_way() -> None:
    """A task that was removed cannot come back under the number of another."""
    removed = operation(kind="cleanup", changes=[difference(task("gone", 4), None)], summary="clean up gone")
    assert undo.why_not(removed, snapshot()) is None
    assert "its number 4 belongs to other now" in reason(undo.why_not(removed, snapshot(task("other", 4))))


def test_a_task_that_others_wait_for_is_not_taken_back_alone() -> None:
    """A submission goes back as long as only tasks of the same submission wait for it."""
    low, top = task("low"), task("top", 2, after=(TaskId("low"),))
    both = operation(kind="submit", changes=[difference(None, low), difference(None, top)], summary="submit low, top")
    assert undo.why_not(both, snapshot(low, top)) is None
    alone = operation(kind="submit", changes=[difference(None, low)], summary="submit low")
    assert "top waits for low" in reason(undo.why_not(alone, snapshot(low, top)))


INTO = operation(refs=[RefUpdate(MAIN, NEW, OLD)], summary="merge --into main")


def test_a_branch_of_the_users_is_moved_by_its_owner() -> None:
    """While it is where the merge left it, the fix says how; once it is back, it is no obstacle, and is not moved."""
    refused = undo.why_not(INTO, snapshot(refs={MAIN: NEW}))
    assert "it was published to main" in reason(refused)
    assert refused is not None
    assert refused.fix == (f"git branch --force main {OLD}", "orchestrate undo")
    checked_out = undo.why_not(INTO, snapshot(refs={MAIN: NEW}, checked_out={MAIN: [Path("/w")]}))
    assert checked_out is not None
    assert checked_out.fix[0] == f"git -C /w reset --keep {OLD}"
    assert "which has moved since" in reason(undo.why_not(INTO, snapshot(refs={MAIN: OTHER})))
    back = snapshot(refs={MAIN: OLD})
    assert undo.why_not(INTO, back) is None
    assert undo.inverse_moves(NOWHERE, INTO, back) == [RefUpdate(MAIN, OLD, OLD)]


def test_a_new_branch_of_the_users_is_deleted_by_its_owner() -> None:
    """There is nothing to force it back to."""
    refused = undo.why_not(operation(refs=[RefUpdate(MAIN, NEW, None)]), snapshot(refs={MAIN: NEW}))
    assert refused is not None
    assert refused.fix[0] == "git branch -D main"


def test_what_was_published_is_not_brought_back() -> None:
    """A redo would move a branch that is not gitorch's."""
    undone = operation(kind=UNDO, refs=[RefUpdate(MAIN, OLD, NEW)], summary="merge --into main")
    found = reason(undo.why_not(undone, snapshot(refs={MAIN: OLD})))
    assert found == "'merge --into main' cannot be redone: it published to main, which is yours"


def test_an_entry_of_an_older_version_is_refused() -> None:
    """It does not hold all that its inverse needs."""
    assert "older version" in reason(undo.why_not(operation(v=0), snapshot()))


NOWHERE = Repository(Path("/nowhere"), None)
"""Not asked: the notes are where the operation left them."""


def test_what_an_undo_would_leave_unreachable_is_kept() -> None:
    """Each tip that goes away gets a ref of ours; one that another ref still has does not, nor what a redo moves."""
    moves = undo.inverse_moves(NOWHERE, MERGE, AFTER_MERGE)
    assert moves == [
        RefUpdate(INTEGRATION, OLD, NEW),
        RefUpdate(Ref("refs/gitorch/trash/undo-5/heads/orch/integration"), NEW, None),
    ]
    own = Ref("refs/gitorch/trash/x")
    renamed = operation(refs=[RefUpdate(INTEGRATION, None, NEW), RefUpdate(own, NEW, None)])
    back = undo.inverse_moves(NOWHERE, renamed, snapshot(refs={own: NEW}))
    assert back == [RefUpdate(INTEGRATION, NEW, None), RefUpdate(own, None, NEW)]
    undone = msgspec.structs.replace(MERGE, kind=UNDO)
    assert undo.inverse_moves(NOWHERE, undone, AFTER_MERGE) == moves[:1]


def test_folders_go_back() -> None:
    """The other way round."""
    assert undo.inverse_folders(operation(folders=(FolderMove("a", "b"),))) == [FolderMove("b", "a")]


PLAN = PlanSession(id="p", created=WHEN, plan=TaskPlan(goal="g", tasks=()))
AGAIN = operation(kind=UNDO, summary="plan p", plan=PlanApproval("p", WHEN, fingerprint(PLAN.plan)))


@pytest.mark.parametrize(
    ("session", "words"),
    [
        (PLAN, ""),
        (None, "its plan p has been dropped since"),
        (msgspec.structs.replace(PLAN, plan=TaskPlan(goal="other", tasks=())), "its plan p has changed since"),
    ],
)
def test_a_plan_is_approved_again_only_as_it_was(session: PlanSession | None, words: str) -> None:
    """What was agreed to is that plan and no other; taking an approval back asks nothing of the plan."""
    state = msgspec.structs.replace(snapshot(), plans={"p": session} if session else {})
    found = undo.why_not(AGAIN, state)
    assert (found is None) == (words == "")
    assert found is None or words in reason(found)
    assert undo.why_not(msgspec.structs.replace(AGAIN, kind="plan"), state) is None


def test_what_comes_before_an_obstacle_waits_for_it() -> None:
    """Each operation is judged on what those above it leave; below one that cannot go back, all wait."""
    start, approved, merged = task("one", state=State.FINISHED), APPROVED, MERGED
    first = operation(number=1, kind="approve", changes=[difference(start, approved)], summary="approve one")
    second = operation(
        number=2, refs=[RefUpdate(INTEGRATION, NEW, None)], changes=[difference(approved, merged)], summary="merge one"
    )
    both = undo.list_entries([second, first], snapshot(merged, refs={INTEGRATION: NEW}))
    assert [one.why_not for one in both] == [None, None]
    moved = undo.list_entries([second, first], snapshot(merged, refs={INTEGRATION: OTHER}))
    assert "has moved since" in reason(moved[0].why_not)
    assert reason(moved[1].why_not) == "'approve one' cannot be undone: 'merge one' comes first"


STATES = st.sampled_from(State)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abc"), STATES | st.none()), max_size=8))
def test_any_line_of_operations_goes_back_to_where_it_began(steps: list[tuple[str, State | None]]) -> None:
    """Tasks that come, change and go: taken back one after the other, the beginning is there again."""
    current = snapshot()
    done: list[Operation] = []
    for number, (name, state) in enumerate(steps, start=1):
        before = current.tasks.get(TaskId(name))
        after = task(name, "abc".index(name) + 1, state=state, reason=str(number)) if state else None
        if before is None and after is None:
            continue
        done.insert(0, operation(number=number, changes=[difference(before, after)], summary=f"step {number}"))
        tasks = {one: value for one, value in current.tasks.items() if one != name}
        current = msgspec.structs.replace(current, tasks=by_id([*tasks.values(), *([after] if after else [])]))
    assert [one.why_not for one in undo.list_entries(done, current)] == [None] * len(done)
    for one in done:
        current = undo.snapshot_before(one, current)
    assert current == snapshot()
