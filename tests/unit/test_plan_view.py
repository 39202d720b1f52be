"""Plans as pages for narrow terminals, with long and hostile words in them."""

from __future__ import annotations

import msgspec
import pytest
from rich.cells import cell_len

from gitorch.cli.views.planning import plan, plan_dialog
from gitorch.model.naming import TaskId
from gitorch.model.plan import PlannedTask, PlanSession, TaskPlan, difference, valid
from gitorch.model.task import Priority
from tests.support.pages import page

LONG = TaskId("a-very-long-name-of-a-task-that-goes-on-and-on")
HOSTILE = ']; end --> <b>x</b> ${x} | [link](http://x) `tick` 日本語の長いタイトル "quoted" and so on and so on'
SENTENCE = "it works when somebody explains at length what must be true at the end of it all " * 2


def task(name: str, *after: TaskId, **fields: object) -> PlannedTask:
    made = PlannedTask(id=TaskId(name), title=HOSTILE, prompt="Do it\n\n    as told", after=after)
    return msgspec.structs.replace(made, **fields)


PLAN = valid(
    TaskPlan(
        goal=f"{HOSTILE} {'a' * 150}",
        tasks=(
            task(LONG, role="backend-systems-engineer", priority=Priority.HIGH, paths=("src/" * 30,)),
            task("b", LONG, acceptance=(SENTENCE, "b")),
            task("c", TaskId("b"), LONG, role="specifications-engineer"),
        ),
    )
)
SESSION = PlanSession(id="a-plan", plan=PLAN)


def lines(text: str, width: int) -> list[str]:
    """Return the lines of a page, none of which may be broken by the terminal."""
    found = text.splitlines()
    assert [line for line in found if cell_len(line) > width] == []
    return found


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_tree_always_tells_what_waits_for_what(width: int) -> None:
    """Where names have no room, numbers tell it; the priority stands where no cut takes it; and every line fits."""
    found = lines(page(plan.tree, SESSION, width=width), width)
    (first,) = (line for line in found if line.startswith("1  "))
    (last,) = (line for line in found if line.startswith("3  "))
    assert "(high)" in first
    assert " 1, 2 " in last


def test_a_tree_with_room_names_what_comes_first() -> None:
    """Without a limit of width nothing is shortened: names, roles and whole titles."""
    text = page(plan.tree, SESSION)
    assert f"b, {LONG}" in text
    assert text.count(HOSTILE) == 4
    assert "hidden" not in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_all_of_a_task_is_broken_at_words(width: int) -> None:
    """Title, paths and what must be true go on below themselves, and nothing of them is lost."""
    found = lines(page(plan.task_page, PLAN, PLAN.tasks[1], width=width), width)
    at = next(at for at, line in enumerate(found) if line.startswith("  Done when"))
    until = next(later for later, line in enumerate(found) if later > at and not line)
    assert " ".join(" ".join(found[at:until]).split()) == f"Done when - {SENTENCE.strip()} - b"
    assert found[at + 1].startswith(" " * 14)
    assert found[until - 1] == " " * 12 + "- b"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_difference_fits_and_hides_no_change(width: int) -> None:
    """What a field was and will be stands below it where one line is too short."""
    changed = msgspec.structs.replace(PLAN.tasks[1], title="Short", prompt=SENTENCE)
    after = valid(msgspec.structs.replace(PLAN, tasks=(PLAN.tasks[0], changed, task("d", LONG))))
    found = lines(page(plan_dialog.difference, difference(PLAN, after), width=width), width)
    assert [line for line in found if line.startswith(("+ d", "- c"))]
    assert "~ b  prompt:" in found
    joined = " ".join(" ".join(found).split())
    assert f"as told → {SENTENCE.strip()[:80]}" in joined
    assert "→ Short" in joined


def test_a_change_that_fits_is_one_line() -> None:
    """Where there is room, before and after stand beside the field."""
    after = valid(
        msgspec.structs.replace(PLAN, tasks=(*PLAN.tasks[:2], msgspec.structs.replace(PLAN.tasks[2], role="")))
    )
    assert page(plan_dialog.difference, difference(PLAN, after), width=80) == (
        "~ c  role: specifications-engineer → (none)"
    )
