"""kill -9 while a plan is approved, that is taken back, or brought again: plan and tasks tell the same."""

from __future__ import annotations

import fcntl
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitorch import services
from gitorch.flow.planning.heuristics import Heuristics
from gitorch.services.open import open_workspace
from gitorch.services.planner import PlannerChoice
from gitorch.services.workspace import Workspace
from tests.faults.killing import killed_at
from tests.faults.test_kill_undo import Day

GOAL = "1. Add a table\n2. Fix the API"
NAME = "1-add-a-table-2-fix-the-api"
APPROVED, AGAIN = "approved: 2 tasks queued", "approved again: 2 tasks queued"
TAKEN_BACK = "the approval was undone: 2 tasks removed from the queue"

Act = Callable[[Workspace], object]


def drafted(folder: Path) -> None:
    library = open_workspace(folder)
    services.plan.draw_up(
        library, services.plan.create_plan(library, GOAL), PlannerChoice("", Heuristics(library.roles))
    )


def approve(library: Workspace) -> None:
    services.plan_approval.approve_plan(library, services.plan_approval.find_plan(library, NAME))


def agreed(folder: Path) -> None:
    drafted(folder)
    approve(open_workspace(folder))


def taken_back(folder: Path) -> None:
    agreed(folder)
    services.undo.undo(open_workspace(folder))


CASES: dict[str, tuple[Callable[[Path], None], Act, list[str], list[str]]] = {
    "approve": (drafted, approve, [], [APPROVED]),
    "undo": (agreed, services.undo.undo, [APPROVED], [APPROVED, TAKEN_BACK]),
    "redo": (taken_back, services.undo.redo, [APPROVED, TAKEN_BACK], [APPROVED, TAKEN_BACK, AGAIN]),
    "approve anew": (taken_back, approve, [APPROVED, TAKEN_BACK], [APPROVED, TAKEN_BACK, APPROVED]),
}


@pytest.mark.parametrize("case", CASES)
def test_killed_at_any_step_the_plan_tells_what_its_tasks_tell(repository_folder: Path, case: str) -> None:
    """Killed before each step in turn: approved with its tasks or a draft without, its record true, and it goes on."""
    prepare, act, before, after = CASES[case]
    prepare(repository_folder)
    day = Day(repository_folder)
    ends_approved = case != "undo"
    outcomes, step = Counter[str](), 1
    while killed_at(lambda: act(open_workspace(repository_folder)), step):
        _released(repository_folder)
        happened = _verified(day, before, after, ends_approved=ends_approved)
        outcomes["it happened" if happened else "nothing happened"] += 1
        if not happened:
            act(day.open())
            assert _verified(day, before, after, ends_approved=ends_approved)
        day.reset()
        step += 1
    print(case, dict(outcomes))
    assert set(outcomes) == {"it happened", "nothing happened"}


def _released(folder: Path) -> None:
    """Wait until what the killed process had started lets go of the plans."""
    with (folder / ".git/gitorch/plans/.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def _verified(day: Day, before: list[str], after: list[str], *, ends_approved: bool) -> bool:
    """Check that plan, tasks and record agree, for who asks first and who asks again; return whether it happened."""
    session = services.plan_approval.find_plan(day.open(), NAME)
    assert session == services.plan_approval.find_plan(day.open(), NAME), "looking again changes nothing"
    assert [session] == services.plan_approval.all_plans(day.open())
    record = [step.description for step in session.history[2:]]
    assert record in (before, after)
    assert session.is_approved is (ends_approved if record == after else not ends_approved)
    found: dict[str, Any] = day.now()
    assert list(found["tasks"]) == (["add-a-table", "fix-the-api"] if session.is_approved else [])
    assert session.approval is None or session.approval.tasks == tuple(found["tasks"])
    return record == after
