"""What is refused in a plan, in which words; and how plans are kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitorch.cli.views.planning import plan as plan_view
from gitorch.errors import InvalidInput, NotFound
from gitorch.model import plan as planning
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage
from gitorch.model.plan import SCHEMA, PlanMessage, PlannedTask, PlanSession, TaskPlan, difference, find, read_plan
from gitorch.storage.plans import PlanMoved, PlanStore
from tests.support.pages import page

KNOWN: dict[str, Any] = {
    "goal": "G",
    "made_by": "a-model",
    "roles": ["generalist", "llm-architect"],
    "agents": ["claude"],
}

API, DOCS, NODES = TaskId("api"), TaskId("docs"), TaskId("nodes")


def table(name: str, **fields: object) -> dict[str, object]:
    return {"id": name, "title": name.title(), "prompt": f"Do {name}", **fields}


def plan_of(*tables: dict[str, object]) -> TaskPlan:
    return read_plan({"tasks": list(tables)}, **KNOWN)


@pytest.mark.parametrize(
    ("tables", "code", "words"),
    [
        ([], "plan-invalid", "the plan has no tasks"),
        ([table("a", after=["b"]), table("b", after=["a"])], "cycle", "these tasks wait for each other: "),
        ([table("a", after=["a"])], "cycle", "these tasks wait for each other: a -> a"),
        ([table("a", after=["b"])], "unknown-dependency", "a waits for b, which is not in the plan"),
        ([table("a"), table("a")], "duplicate-id", "2 tasks are called a"),
        ([table("a"), table("b", after=["a", "a"])], "duplicate-dependency", "b waits for a 2 times"),
        ([table("../../etc")], "task-id", "'../../etc' cannot be a task's name"),
        ([table("all")], "task-id", "all cannot be a task's name"),
        ([table("A B")], "task-id", "'A B' cannot be a task's name"),
        ([table("a", title="x\x1b[2J")], "control-characters", "a holds control characters"),
        ([table("a", prompt="x\x07")], "control-characters", "a holds control characters"),
        ([table("a", title="one\ntwo")], "title", "the title of a has more than one line"),
        ([table("a", title=" ")], "empty-title", "a has no title"),
        ([table("a", prompt="\n")], "empty-prompt", "a has an empty prompt"),
        ([table("a", title="x" * 201)], "too-long", "the title of a has 201 characters; the most is 200"),
        ([table("a", prompt="x" * 20_001)], "too-long", "the prompt of a has 20001 characters"),
        ([table("a", paths=["../x"])], "path", "'../x', a path of a, leads out of the repository"),
        ([table("a", paths=["/etc/**"])], "path", "leads out of the repository"),
        ([table("a", acceptance=[""])], "empty-entry", "one of the acceptance criteria of a is empty"),
        ([table("a", acceptance=["x"] * 51)], "too-long", "the acceptance criteria of a are 51; the most is 50"),
        ([table("a", role="wizard")], "unknown-role", "a has the unknown role wizard; there is generalist"),
        ([table("a", agent="rm -rf")], "unknown-agent", "a has the unknown agent 'rm -rf'"),
        ([table("a", priority="asap")], "plan-invalid", "a: Invalid enum value 'asap'"),
        ([table("a", after="b")], "plan-invalid", "a: Expected `array`, got `str`"),
        ([table("a", depends_on=[])], "plan-invalid", "a has unknown fields: 'depends_on'"),
        ([table("a", title="\ud800")], "not-utf8", "the title of a is not UTF-8 text"),
        (["a"], "plan-invalid", "task 1 is not an object with fields"),
        ([table(f"t{at}") for at in range(500)], "too-many-tasks", "the plan has 500 tasks; the most is 100"),
    ],
)
def test_a_foreign_plan_is_refused_in_words(tables: list[Any], code: str, words: str) -> None:
    """Each way in which a model's plan can be wrong has a code, and words that name the task and the fault."""
    with pytest.raises(InvalidInput) as refused:
        plan_of(*tables)
    assert refused.value.code == code
    assert words in refused.value.what
    assert "\x1b" not in refused.value.what


def test_all_faults_are_told_at_once() -> None:
    """Whoever has to mend the plan reads of every fault: the first as what, all of them as why."""
    with pytest.raises(InvalidInput) as refused:
        plan_of(table("a", after=["x"], role="wizard"), table("b", title=""))
    assert refused.value.what == "a waits for x, which is not in the plan (and 2 more problems)"
    for fault in ("waits for x", "b has no title", "unknown role wizard"):
        assert fault in refused.value.why


def test_tasks_that_wait_for_an_unreadable_one_are_not_blamed() -> None:
    """A task of the wrong shape is the only fault that is told, although another one waits for it."""
    with pytest.raises(InvalidInput, match=r"^a: Expected `str`, got `int`") as refused:
        plan_of(table("a", title=7), table("b", after=["a"]))
    assert "b waits" not in refused.value.why


def test_the_schema_can_be_enforced_strictly() -> None:
    """Every object of the schema closes its fields and requires all of them, as strict tools ask for."""

    def objects(schema: Any) -> list[dict[str, Any]]:
        if isinstance(schema, dict):
            own = [schema] if schema.get("type") == "object" else []
            return own + [found for value in schema.values() for found in objects(value)]
        return [found for value in schema for found in objects(value)] if isinstance(schema, list) else []

    found = objects(SCHEMA)
    assert len(found) == 2
    for one in found:
        assert one["additionalProperties"] is False
        assert sorted(one["required"]) == sorted(one["properties"])
    assert sorted(found[1]["properties"]) == sorted(PlannedTask.__struct_fields__)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda plan: planning.remove(plan, NODES), "there is no task nodes in the plan"),
        (lambda plan: planning.link(plan, DOCS, API), "docs waits for api already"),
        (lambda plan: planning.link(plan, API, DOCS), "these tasks wait for each other"),
        (lambda plan: planning.unlink(plan, API, DOCS), "api does not wait for docs"),
        (lambda plan: planning.split(plan, API, [plan.tasks[0]]), "give at least two parts"),
        (lambda plan: planning.modify(plan, API, state="done"), "a task of a plan has no state"),
        (lambda plan: planning.modify(plan, API, size="huge"), "invalid change of the task"),
        (lambda plan: planning.modify(plan, API, id="docs"), "2 tasks are called docs"),
        (lambda plan: planning.reorder(plan, [API, API]), "a task is named twice in the new order"),
        (lambda plan: planning.add(plan, plan.tasks[0]), "2 tasks are called api"),
    ],
)
def test_an_impossible_edit_says_why(edit: Callable[[TaskPlan], TaskPlan], words: str) -> None:
    """An edit that would not leave a valid plan names what stands against it."""
    plan = plan_of(table("api"), table("docs", after=["api"]))
    with pytest.raises(InvalidInput) as refused:
        edit(plan)
    assert words in refused.value.what


def test_a_new_name_is_followed() -> None:
    """Who waits for a task waits for it under its new name."""
    plan = planning.modify(plan_of(table("api"), table("docs", after=["api"])), TaskId("api"), id="server")
    assert [(task.id, task.after) for task in plan.tasks] == [("server", ()), ("docs", ("server",))]


def test_a_difference_shows_fields() -> None:
    """Tasks that came and went are named, and fields that changed, with both values."""
    before = plan_of(table("api"), table("docs", after=["api"]), table("old"))
    after = plan_of(table("docs", after=["api"], size="large"), table("api"), table("new"))
    found = difference(before, after)
    assert [task.id for task in found.added] == ["new"]
    assert [task.id for task in found.removed] == ["old"]
    assert [(one.task, one.field, one.before, one.after) for one in found.changed] == [
        ("docs", "size", "medium", "large")
    ]
    assert found.reordered


@pytest.mark.parametrize(("name", "found"), [("api", "api"), ("2", "docs"), ("doc", "docs"), ("api-", "api-tests")])
def test_a_task_of_a_plan_has_several_names(name: str, found: str) -> None:
    """An id, a place and a unique beginning all name one; an id wins over a beginning."""
    plan = plan_of(table("api"), table("docs"), table("api-tests"))
    assert find(plan, name).id == found


@pytest.mark.parametrize("name", ["a", "9", "0", "", "x", "²"])
def test_other_names_are_no_task(name: str) -> None:
    """What is ambiguous, out of range or nothing is `NotFound`."""
    with pytest.raises(NotFound):
        find(plan_of(table("api"), table("docs"), table("api-tests")), name)


def session(**fields: Any) -> PlanSession:
    return PlanSession(id="a-plan", plan=plan_of(table("api")), created=datetime(2026, 1, 1, tzinfo=UTC), **fields)


def test_the_cost_of_a_session_is_that_of_all_its_calls() -> None:
    """Usage adds up over the conversation; without any call it is not known."""
    said = [
        PlanMessage(author="planner", text="x", usage=Usage(usd=0.5, input_tokens=3)),
        PlanMessage(author="person", text="y"),
    ]
    assert session(conversation=(*said, said[0])).usage == Usage(usd=1.0, input_tokens=6)
    assert session().usage is None


def test_a_session_reads_back(tmp_path: Path) -> None:
    """What was saved last is what is found, by id and by its beginning."""
    store = PlanStore(tmp_path / "plans")
    first = store.create(session(proposal=plan_of(table("b"))))
    second = store.save(msgspec.structs.replace(first, agent="claude"))
    assert store.find("a-plan") == store.find("a-p") == second
    assert (first.revision, second.revision) == (1, 2)
    assert store.all() == [second]


def test_names_of_plans_are_unique(tmp_path: Path) -> None:
    """A second plan of the same goal gets a name of its own, also when both are made at the same time."""
    store = PlanStore(tmp_path / "plans")
    threads = [threading.Thread(target=lambda: PlanStore(store.folder).create(session())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.id for one in store.all()) == ["a-plan", *(f"a-plan-{n}" for n in range(2, 9))]


def test_of_two_writers_one_is_refused(tmp_path: Path) -> None:
    """Two changes of the same revision: the second raises, and the first stays."""
    store = PlanStore(tmp_path / "plans")
    first = store.create(session())
    kept = store.save(msgspec.structs.replace(first, agent="claude"))
    with pytest.raises(PlanMoved, match="a-plan was changed by another command"):
        store.save(msgspec.structs.replace(first, agent="codex"))
    assert store.find("a-plan") == kept


def test_what_a_killed_writer_leaves_is_not_read(tmp_path: Path) -> None:
    """Files and folders that were not finished count for nothing: neither as plans nor as revisions."""
    store = PlanStore(tmp_path / "plans")
    kept = store.create(session())
    (store.folder / ".new-1234").mkdir()
    (store.folder / "empty").mkdir()
    (store.folder / kept.id / ".new-abc").write_bytes(b'{"id": "a-pl')
    assert store.all() == [kept]
    assert store.create(session()).id == "a-plan-2"


def test_a_damaged_revision_is_told(tmp_path: Path) -> None:
    """A revision that cannot be read is set aside, whatever it is, and the one before it is used; this is said."""
    reports: list[str] = []
    store = PlanStore(tmp_path / "plans", reports.append)
    kept = store.create(session())
    path = store.folder / kept.id / "000002.json"
    for content in (b'{"id": 7}', b"", b"\xff", None):
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)
        assert store.find(kept.id) == kept
        assert not path.exists()
    assert len(reports) == len([*path.parent.glob("000002.json.damaged-*")]) == 4
    assert "revision 2 of the plan" in reports[0]
    assert store.save(kept).revision == 2


def test_a_dropped_plan_is_kept_aside(tmp_path: Path) -> None:
    """Dropping frees the name, loses nothing, and works twice for the same name."""
    store = PlanStore(tmp_path / "plans")
    for expected in ("a-plan", "a-plan-2"):
        where = store.drop(store.create(session()))
        assert where == store.folder / ".dropped" / expected
        assert (where / "000001.json").exists()
    assert store.names() == []
    with pytest.raises(NotFound, match="there is no plan a-plan"):
        store.find("a-plan")


def test_a_long_goal_is_cut_visibly() -> None:
    """The tree shows the first lines of a goal and says that there are more; a short one is shown whole."""
    goal = "\n".join(f"line {at}" for at in range(9))
    text = page(plan_view.tree, session())
    assert text.startswith("G\na-plan")
    long = msgspec.structs.replace(session().plan, goal=goal)
    text = page(plan_view.tree, msgspec.structs.replace(session(), plan=long))
    assert "line 5\n…\na-plan" in text
