"""Plans stay plans: whatever is asked of one, the answer is a valid plan, or why there is none."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from gitorch import config
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views.planning import plan as plan_view, plan_dialog, plan_formats
from gitorch.errors import InvalidInput
from gitorch.model import plan as planning
from gitorch.model.naming import TaskId
from gitorch.model.plan import PlannedTask, TaskPlan, critical_path, difference, phases, problems, read_plan
from tests.support.pages import page
from tests.support.plans import ids, plans
from tests.support.scale import scaled

KNOWN: dict[str, Any] = {"made_by": "a-model", "roles": ["generalist"], "agents": ["claude"]}


def reach(plan: TaskPlan) -> set[tuple[TaskId, TaskId]]:
    """Return all pairs of which the first waits for the second, at any depth."""
    pairs = {(task.id, needed) for task in plan.tasks for needed in task.after}
    while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
        pairs |= more
    return pairs


def some(name: str, **fields: Any) -> PlannedTask:
    return msgspec.convert({"id": name, "title": "T", "prompt": "Do it", **fields}, PlannedTask)


_EDITS: list[Callable[[TaskPlan, list[TaskId]], TaskPlan]] = [
    lambda plan, names: planning.add(plan, some(names[0], after=names[1:2])),
    lambda plan, names: planning.remove(plan, names[0]),
    lambda plan, names: planning.modify(plan, names[0], id=names[1], title="Other"),
    lambda plan, names: planning.modify(plan, names[0], after=names[1:]),
    lambda plan, names: planning.split(plan, names[0], [some(names[1]), some(names[2])]),
    lambda plan, names: planning.split(plan, names[0], [some(names[0]), some(names[2])], chain=True),
    lambda plan, names: planning.link(plan, names[0], names[1]),
    lambda plan, names: planning.unlink(plan, names[0], names[1]),
    lambda plan, names: planning.reorder(plan, names[:2]),
]


@settings(max_examples=scaled(120))
@given(plans(), st.data())
def test_an_edit_is_valid_or_says_why_not(plan: TaskPlan, data: st.DataObject) -> None:
    """Any edit with any names gives a plan without problems, or `InvalidInput` in words; the old plan stays."""
    before = msgspec.json.encode(plan)
    name = st.sampled_from([task.id for task in plan.tasks]) | ids if plan.tasks else ids
    edit = data.draw(st.sampled_from(_EDITS))
    try:
        changed = edit(plan, data.draw(st.lists(name, min_size=3, max_size=3)))
    except InvalidInput:
        pass
    else:
        assert list(problems(changed)) == []
    assert msgspec.json.encode(plan) == before


@settings(max_examples=scaled(60))
@given(plans(least=1))
def test_removal_keeps_the_order_of_the_rest(plan: TaskPlan) -> None:
    """Two tasks that wait for each other, directly or not, do so after any other one is taken out, and no more do."""
    for gone in plan.by_id:
        kept = {pair for pair in reach(plan) if gone not in pair}
        assert reach(planning.remove(plan, gone)) == kept


@settings(max_examples=scaled(60))
@given(plans(least=1), st.booleans())
def test_the_parts_stand_where_the_task_stood(plan: TaskPlan, chain: bool) -> None:
    """After a split each part is before and after what the task was; the rest is as it was; a chain is one."""
    for one in plan.by_id:
        _split_in_its_place(plan, one, chain)


def _split_in_its_place(plan: TaskPlan, one: TaskId, chain: bool) -> None:
    left, right = TaskId("left-part"), TaskId("right-part")
    found = planning.split(plan, one, [some(left), some(right)], chain=chain)
    before, after = reach(plan), reach(found)
    rest = {pair for pair in before if one not in pair}
    assert {pair for pair in after if not {left, right}.intersection(pair)} == rest
    for part in (left, right):
        assert {b for a, b in after if a == part} - {left} == {b for a, b in before if a == one}
        assert {a for a, b in after if b == part} - {right} == {a for a, b in before if b == one}
    assert ((right, left) in after) == chain


@settings(max_examples=scaled(60))
@given(plans())
def test_phases_are_as_early_as_they_can_be(plan: TaskPlan) -> None:
    """Each task is in one phase: after all that it waits for, and right after the last of them."""
    groups = phases(plan)
    at = {task.id: number for number, group in enumerate(groups) for task in group}
    assert sorted(task.id for group in groups for task in group) == sorted(plan.by_id)
    for task in plan.tasks:
        assert at[task.id] == max((at[name] + 1 for name in task.after), default=0)


@settings(max_examples=scaled(50))
@given(plans())
def test_no_chain_is_longer_than_the_critical_path(plan: TaskPlan) -> None:
    """The critical path is a chain, and its weight is the largest of all chains'."""
    chain = critical_path(plan)
    assert all(a.id in b.after for a, b in itertools.pairwise(chain))

    def heaviest(task: PlannedTask) -> int:
        return task.size.weight + max((heaviest(plan.by_id[name]) for name in task.after), default=0)

    assert sum(task.size.weight for task in chain) == max(map(heaviest, plan.tasks), default=0)


@settings(max_examples=scaled(50))
@given(plans(least=2))
def test_unlinking_takes_back_linking(plan: TaskPlan) -> None:
    """A link is refused where it is there or would close a cycle; else it is the only difference, until unlinked."""
    waits = reach(plan)
    for task, other in itertools.product(plan.tasks, plan.tasks):
        if task is other or (other.id, task.id) in waits or other.id in task.after:
            with pytest.raises(InvalidInput):
                planning.link(plan, task.id, other.id)
            continue
        linked = planning.link(plan, task.id, other.id)
        (changed,) = difference(plan, linked).changed
        assert (changed.task, changed.field) == (task.id, "after")
        assert not difference(plan, planning.unlink(linked, task.id, other.id))


@settings(max_examples=scaled(60))
@given(plans(), plans())
def test_a_difference_names_all_that_differs(one: TaskPlan, two: TaskPlan) -> None:
    """No difference means the same tasks; the counts of a difference add up to both plans."""
    found = difference(one, two)
    assert not difference(one, one)
    assert len(one.tasks) - len(found.removed) + len(found.added) == len(two.tasks)
    as_sets = [
        [msgspec.structs.replace(t, after=tuple(sorted(t.after)), paths=()) for t in p.tasks] for p in (one, two)
    ]
    if not found:
        assert as_sets[0] == as_sets[1]


@settings(max_examples=scaled(50))
@given(plans(least=1))
def test_toml_and_json_read_back(plan: TaskPlan) -> None:
    """What `plan show --format toml` prints is the same plan again, value for value; so is its JSON."""
    found = config.parse(plan_formats.toml(plan), "plan").settings
    assert read_plan({"tasks": found["task"]}, goal=found["goal"], **KNOWN) == plan
    tables = msgspec.json.decode(msgspec.json.encode(plan.tasks))
    assert read_plan({"tasks": tables, "reply": "x"}, goal=plan.goal, **KNOWN) == plan


@settings(max_examples=scaled(50))
@given(plans())
def test_what_is_shown_holds_nothing_that_a_terminal_obeys(plan: TaskPlan) -> None:
    """No format lets a control or direction-changing character through, whatever the texts hold."""
    look = TerminalStyle(width=None, colour=False, symbols=True)
    session = planning.PlanSession(id="p", plan=plan)
    shown = [
        plan_formats.mermaid(plan),
        plan_formats.dot(plan),
        plan_formats.toml(plan),
        page(plan_view.tree, session, terminal=look),
    ]
    shown += [page(plan_view.task_page, plan, task, terminal=look) for task in plan.tasks]
    shown.append(page(plan_dialog.difference, difference(TaskPlan(goal="g"), plan), terminal=look))
    for text in shown:
        assert not set(text) & {"\u202e", "\x1b", "\r", "\x9b", "\u200b"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
_FIELD = st.sampled_from([*PlannedTask.__struct_fields__, "evil"])


@settings(max_examples=scaled(120))
@given(st.lists(st.dictionaries(_FIELD, _JSON, max_size=6) | _JSON, max_size=4) | _JSON)
def test_any_answer_is_a_plan_or_is_refused(answer: Any) -> None:
    """Whatever JSON a model sends comes out as a valid plan or as `InvalidInput`, never as another failure."""
    try:
        plan = read_plan({"tasks": answer}, goal="g", **KNOWN)
    except InvalidInput:
        return
    assert list(problems(plan)) == []


@pytest.mark.parametrize("most", [planning.MOST_TASKS, planning.MOST_TASKS + 1])
def test_the_number_of_tasks_has_a_bound(most: int) -> None:
    """As many tasks as allowed are a plan; one more is refused."""
    plan = TaskPlan(goal="g", tasks=tuple(some(f"t{at}") for at in range(most)))
    found = [problem.code for problem in problems(plan)]
    assert found == ([] if most == planning.MOST_TASKS else ["too-many-tasks"])
