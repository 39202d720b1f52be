"""Undo of a plan's approval: the tasks go, and the plan is the draft that it was; redo agrees to it again, or not."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitorch import services
from gitorch.errors import Refused
from gitorch.flow.planning.heuristics import Heuristics
from gitorch.model import plan as planning
from gitorch.model.plan import PlanMessage, PlanSession
from gitorch.model.task import State
from gitorch.services.open import open_workspace
from gitorch.services.planner import PlannerChoice
from gitorch.services.workspace import Workspace
from tests.support.days import finish_by_hand, submit, whole

GOAL = "1. Add a table\n2. Fix the API\n3. Go live"
NAME = "1-add-a-table-2-fix-the-api"
APPROVED, AGAIN = "approved: 3 tasks queued", "approved again: 3 tasks queued"
TAKEN_BACK = "the approval was undone: 3 tasks removed from the queue"


@pytest.fixture
def folder(repository_folder: Path) -> Path:
    """A repository with a plan of three tasks that nobody has agreed to, and a task beside it."""
    library = open_workspace(repository_folder)
    submit(library, "beside")
    services.plan.draw_up(
        library, services.plan.create_plan(library, GOAL), PlannerChoice("", Heuristics(library.roles))
    )
    return repository_folder


def opened(folder: Path) -> Workspace:
    """Return the library as a new process sees it."""
    return open_workspace(folder)


def shown(folder: Path) -> PlanSession:
    return services.plan_approval.find_plan(opened(folder), NAME)


def approve(folder: Path) -> None:
    library = opened(folder)
    services.plan_approval.approve_plan(library, services.plan_approval.find_plan(library, NAME))


def add(folder: Path, title: str) -> None:
    def edit(there: planning.TaskPlan) -> tuple[planning.TaskPlan, str]:
        new = planning.task_of({"id": "more", "title": title, "prompt": title})
        return planning.add(there, new), f"added {new.id}"

    services.plan.edit_plan(opened(folder), NAME, edit)


def said(folder: Path) -> list[str]:
    """Return what the plan tells of itself since it was drawn up."""
    return [step.description for step in shown(folder).history[2:]]


def state(folder: Path) -> tuple[Any, ...]:
    """Return what an undo has to put back: refs, notes and tasks, and the plan but for its record."""
    session = shown(folder)
    return whole(folder), session.plan, session.approval, services.plan_approval.all_plans(opened(folder)) == [session]


def refused(folder: Path, act: str) -> Refused:
    """Have `undo` or `redo` refused, and see that nothing has changed."""
    before, history = state(folder), shown(folder).history
    with pytest.raises(Refused) as error:
        getattr(services.undo, act)(opened(folder))
    assert (state(folder), shown(folder).history) == (before, history)
    return error.value


def test_undo_makes_a_draft_again_and_redo_an_approved_plan(folder: Path) -> None:
    """There and back, twice, by a new process each time; the plan keeps the record of it, and each step but once."""
    before = state(folder)
    approve(folder)
    after = state(folder)
    assert [task.id for task in after[0]["tasks"].values()] == ["beside", "add-a-table", "fix-the-api", "go-live"]
    for _ in range(2):
        taken = services.undo.undo(opened(folder))
        assert taken.plan == shown(folder)
        assert taken.missing == ()
        assert state(folder) == before
        assert services.undo.redo(opened(folder)).plan == shown(folder)
        assert state(folder) == after
    assert said(folder) == [APPROVED, TAKEN_BACK, AGAIN, TAKEN_BACK, AGAIN]


def test_what_was_taken_back_can_be_changed_and_agreed_to_anew(folder: Path) -> None:
    """After an undo the plan is one like any other: changed, approved, and that taken back, too."""
    approve(folder)
    services.undo.undo(opened(folder))
    add(folder, "One more")
    approve(folder)
    assert sorted(opened(folder).tasks) == ["add-a-table", "beside", "fix-the-api", "go-live", "more"]
    assert shown(folder).is_approved
    services.undo.undo(opened(folder))
    assert not shown(folder).is_approved
    assert list(opened(folder).tasks) == ["beside"]
    # only the submit from before the plan is left to be taken back
    services.undo.undo(opened(folder))
    assert opened(folder).tasks == {}
    assert said(folder)[-1] == "the approval was undone: 4 tasks removed from the queue"


def test_a_plan_that_has_changed_since_is_not_approved_by_redo(folder: Path) -> None:
    """What redo would queue is not what the plan says now: refused, with the reason and the way on."""
    approve(folder)
    services.undo.undo(opened(folder))
    add(folder, "One more")
    error = refused(folder, "redo")
    assert error.what == (
        "'submit add-a-table, fix-the-api, go-live' cannot be redone: "
        "its plan 1-add-a-table-2-fix-the-api has changed since"
    )
    assert error.fix == (f"orchestrate plan approve {NAME}",)
    (listed,) = services.undo.undo_entries(opened(folder))[0]
    assert listed.why_not is not None
    # as it was, it is what was agreed to
    services.plan.edit_plan(
        opened(folder), NAME, lambda there: (planning.remove(there, planning.find(there, "more").id), "removed")
    )
    services.undo.redo(opened(folder))
    assert said(folder)[-1] == AGAIN


def test_words_about_a_plan_do_not_change_it(folder: Path) -> None:
    """A discussion that led to nothing keeps redo from nothing."""
    approve(folder)
    services.undo.undo(opened(folder))
    session = shown(folder)
    services.plan_approval.plan_store(opened(folder)).save(
        msgspec.structs.replace(session, conversation=(*session.conversation, PlanMessage(author="person", text="hm")))
    )
    services.undo.redo(opened(folder))
    assert shown(folder).is_approved


def test_a_plan_that_was_dropped_stays_dropped(folder: Path) -> None:
    """Undo takes the tasks back all the same and says so; a draft that was dropped is not approved by redo."""
    approve(folder)
    services.plan.drop_plan(opened(folder), shown(folder))
    taken = services.undo.undo(opened(folder))
    assert (taken.plan, taken.missing) == (None, (f"the plan {NAME} was dropped and is not restored",))
    assert list(opened(folder).tasks) == ["beside"]
    assert services.undo.redo(opened(folder)).plan is None
    assert len(opened(folder).tasks) == 4


def test_a_draft_that_was_dropped_is_not_brought_back(folder: Path) -> None:
    """There is nothing any more that redo could approve."""
    approve(folder)
    services.undo.undo(opened(folder))
    services.plan.drop_plan(opened(folder), shown(folder))
    with pytest.raises(Refused, match="its plan 1-add-a-table-2-fix-the-api has been dropped since"):
        services.undo.redo(opened(folder))
    assert list(opened(folder).tasks) == ["beside"]


def test_another_plan_of_the_same_name_is_left_alone(folder: Path) -> None:
    """The id of a dropped plan is free: undo of the old one's approval does not touch the new one's."""
    approve(folder)
    library = opened(folder)
    services.plan.drop_plan(library, shown(folder))
    services.plan.draw_up(
        library, services.plan.create_plan(library, GOAL), PlannerChoice("", Heuristics(library.roles))
    )
    approve(folder)
    assert shown(folder).id == NAME
    services.undo.undo(opened(folder))
    assert not shown(folder).is_approved
    before = shown(folder)
    taken = services.undo.undo(opened(folder))
    assert taken.plan is None
    assert shown(folder) == before


def test_what_a_run_has_begun_stays_approved(folder: Path) -> None:
    """Undo is refused once a task has been worked on, and the plan stays approved, with nothing in its record."""
    approve(folder)
    finish_by_hand(opened(folder), "go-live")
    assert "go-live has changed since" in refused(folder, "undo").what
    assert shown(folder).is_approved


def test_tasks_that_were_cleaned_up_leave_the_plan_approved(folder: Path) -> None:
    """A plan whose approval was cut short before it was marked is approved even when its tasks are gone by now."""
    approve(folder)
    library = opened(folder)
    session = shown(folder)
    assert session.approval is not None
    services.plan_approval.plan_store(library).save(
        msgspec.structs.replace(session, approval=msgspec.structs.replace(session.approval, is_active=False))
    )
    services.stop.kill(
        library, [services.lookup.find_task(library, name) for name in session.approval.tasks], "no longer wanted"
    )
    library.store.save([], dropped=session.approval.tasks)
    assert shown(folder).is_approved
    assert said(folder) == [APPROVED]
    assert {task.state for task in opened(folder).tasks.values()} == {State.QUEUED}


def test_whoever_looks_meanwhile_waits_for_the_truth(folder: Path) -> None:
    """While an undo is under way the plan is neither: who asks gets the answer when it is known."""
    approve(folder)
    library, seen = opened(folder), list[bool]()
    reader = threading.Thread(target=lambda: seen.append(shown(folder).is_approved))
    with services.plan_approval.plan_store(library).lock(), (folder / ".git/gitorch/plans/.lock").open("a"):
        session = services.plan_approval.plan_store(library).find(NAME)
        assert session.approval is not None
        services.plan_approval.mark_undecided(library, session, session.approval.approved_at, session.approval.tasks)
        reader.start()
        reader.join(0.2)
        assert reader.is_alive()
    reader.join(20)
    assert seen == [True]
    assert said(folder) == [APPROVED]
    with (folder / ".git/gitorch/plans/.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
