"""Undo of a plan's approval: the tasks go, and the plan is the draft that it was; redo agrees to it again, or not."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitorch.errors import Refused
from gitorch.flow.planning.heuristics import Heuristics
from gitorch.model import plan as planning
from gitorch.model.plan import PlanSession, Said
from gitorch.model.task import State
from gitorch.services import Orchestrator
from gitorch.services.plan import Chosen
from tests.support.days import finish_by_hand, submit, whole

GOAL = "1. Add a table\n2. Fix the API\n3. Go live"
NAME = "1-add-a-table-2-fix-the-api"
APPROVED, AGAIN = "approved: 3 tasks queued", "approved again: 3 tasks queued"
TAKEN_BACK = "the approval was taken back: 3 tasks queued no more"


@pytest.fixture
def folder(repository_folder: Path) -> Path:
    """A repository with a plan of three tasks that nobody has agreed to, and a task beside it."""
    library = Orchestrator.open(repository_folder)
    submit(library, "beside")
    library.draw_up(library.begin_plan(GOAL), Chosen("", Heuristics(library.roles)))
    return repository_folder


def opened(folder: Path) -> Orchestrator:
    """Return the library as a new process sees it."""
    return Orchestrator.open(folder)


def shown(folder: Path) -> PlanSession:
    return opened(folder).find_plan(NAME)


def approve(folder: Path) -> None:
    library = opened(folder)
    library.approve_plan(library.find_plan(NAME))


def add(folder: Path, title: str) -> None:
    def edit(there: planning.Plan) -> tuple[planning.Plan, str]:
        new = planning.task_of({"id": "more", "title": title, "prompt": title})
        return planning.add(there, new), f"added {new.id}"

    opened(folder).edit_plan(NAME, edit)


def said(folder: Path) -> list[str]:
    """Return what the plan tells of itself since it was drawn up."""
    return [step.what for step in shown(folder).history[2:]]


def state(folder: Path) -> tuple[Any, ...]:
    """Return what an undo has to put back: refs, notes and tasks, and the plan but for its record."""
    session = shown(folder)
    return whole(folder), session.plan, session.approval, opened(folder).all_plans() == [session]


def refused(folder: Path, act: str) -> Refused:
    """Have `undo` or `redo` refused, and see that nothing has changed."""
    before, history = state(folder), shown(folder).history
    with pytest.raises(Refused) as error:
        getattr(opened(folder), act)()
    assert (state(folder), shown(folder).history) == (before, history)
    return error.value


def test_undo_makes_a_draft_again_and_redo_an_approved_plan(folder: Path) -> None:
    """There and back, twice, by a new process each time; the plan keeps the record of it, and each step but once."""
    before = state(folder)
    approve(folder)
    after = state(folder)
    assert [task.id for task in after[0]["tasks"].values()] == ["beside", "add-a-table", "fix-the-api", "go-live"]
    for _ in range(2):
        taken = opened(folder).undo()
        assert taken.plan == shown(folder)
        assert taken.missing == ()
        assert state(folder) == before
        assert opened(folder).redo().plan == shown(folder)
        assert state(folder) == after
    assert said(folder) == [APPROVED, TAKEN_BACK, AGAIN, TAKEN_BACK, AGAIN]


def test_what_was_taken_back_can_be_changed_and_agreed_to_anew(folder: Path) -> None:
    """After an undo the plan is one like any other: changed, approved, and that taken back, too."""
    approve(folder)
    opened(folder).undo()
    add(folder, "One more")
    approve(folder)
    assert sorted(opened(folder).tasks) == ["add-a-table", "beside", "fix-the-api", "go-live", "more"]
    assert shown(folder).is_approved
    opened(folder).undo()
    assert not shown(folder).is_approved
    assert list(opened(folder).tasks) == ["beside"]
    # only the submit from before the plan is left to be taken back
    opened(folder).undo()
    assert opened(folder).tasks == {}
    assert said(folder)[-1] == "the approval was taken back: 4 tasks queued no more"


def test_a_plan_that_has_changed_since_is_not_approved_by_redo(folder: Path) -> None:
    """What redo would queue is not what the plan says now: refused, with the reason and the way on."""
    approve(folder)
    opened(folder).undo()
    add(folder, "One more")
    error = refused(folder, "redo")
    assert error.what == (
        "'submit add-a-table, fix-the-api, go-live' cannot be brought back: "
        "its plan 1-add-a-table-2-fix-the-api has changed since"
    )
    assert error.fix == (f"orchestrate plan approve {NAME}",)
    (listed,) = opened(folder).past()[0]
    assert listed.obstacle is not None
    # as it was, it is what was agreed to
    opened(folder).edit_plan(NAME, lambda there: (planning.remove(there, planning.find(there, "more").id), "removed"))
    opened(folder).redo()
    assert said(folder)[-1] == AGAIN


def test_words_about_a_plan_do_not_change_it(folder: Path) -> None:
    """A discussion that led to nothing keeps redo from nothing."""
    approve(folder)
    opened(folder).undo()
    session = shown(folder)
    opened(folder).plans.save(
        msgspec.structs.replace(session, conversation=(*session.conversation, Said(who="person", text="hm")))
    )
    opened(folder).redo()
    assert shown(folder).is_approved


def test_a_plan_that_was_dropped_stays_dropped(folder: Path) -> None:
    """Undo takes the tasks back all the same and says so; a draft that was dropped is not approved by redo."""
    approve(folder)
    opened(folder).drop_plan(shown(folder))
    taken = opened(folder).undo()
    assert (taken.plan, taken.missing) == (None, (f"the plan {NAME} was dropped, and stays so",))
    assert list(opened(folder).tasks) == ["beside"]
    assert opened(folder).redo().plan is None
    assert len(opened(folder).tasks) == 4


def test_a_draft_that_was_dropped_is_not_brought_back(folder: Path) -> None:
    """There is nothing any more that redo could approve."""
    approve(folder)
    opened(folder).undo()
    opened(folder).drop_plan(shown(folder))
    with pytest.raises(Refused, match="its plan 1-add-a-table-2-fix-the-api was dropped since"):
        opened(folder).redo()
    assert list(opened(folder).tasks) == ["beside"]


def test_another_plan_of_the_same_name_is_left_alone(folder: Path) -> None:
    """The id of a dropped plan is free: undo of the old one's approval does not touch the new one's."""
    approve(folder)
    library = opened(folder)
    library.drop_plan(shown(folder))
    library.draw_up(library.begin_plan(GOAL), Chosen("", Heuristics(library.roles)))
    approve(folder)
    assert shown(folder).id == NAME
    opened(folder).undo()
    assert not shown(folder).is_approved
    before = shown(folder)
    taken = opened(folder).undo()
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
    library.plans.save(msgspec.structs.replace(session, approval=msgspec.structs.replace(session.approval, done=False)))
    library.kill([library.find(name) for name in session.approval.tasks], "no longer wanted")
    library.store.save([], dropped=session.approval.tasks)
    assert shown(folder).is_approved
    assert said(folder) == [APPROVED]
    assert {task.state for task in opened(folder).tasks.values()} == {State.QUEUED}


def test_whoever_looks_meanwhile_waits_for_the_truth(folder: Path) -> None:
    """While an undo is under way the plan is neither: who asks gets the answer when it is known."""
    approve(folder)
    library, seen = opened(folder), list[bool]()
    reader = threading.Thread(target=lambda: seen.append(shown(folder).is_approved))
    with library.plans.turn(), (folder / ".git/gitorch/plans/.lock").open("a"):
        session = library.plans.find(NAME)
        assert session.approval is not None
        library._begin(session, session.approval.at, session.approval.tasks)
        reader.start()
        reader.join(0.2)
        assert reader.is_alive()
    reader.join(20)
    assert seen == [True]
    assert said(folder) == [APPROVED]
    with (folder / ".git/gitorch/plans/.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
