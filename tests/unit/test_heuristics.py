"""Plans without a model: what goals enumerate, what goals of known kinds consist of, and what is left whole."""

from __future__ import annotations

import pytest

from gitorch.errors import InvalidInput, SetupNeeded
from gitorch.flow.heuristics import Heuristics
from gitorch.model.plan import BY_HEURISTICS, Plan, phases, problems
from gitorch.model.roles import BUILT_IN

PLANNER = Heuristics(BUILT_IN)


def plan(goal: str) -> Plan:
    return PLANNER.plan(goal, ()).plan


def shape(goal: str) -> list[list[str]]:
    """Return the ids in each phase."""
    return [[task.id for task in group] for group in phases(plan(goal))]


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        ("Add login, logout and password reset", [["add-login", "add-logout", "add-password-reset"]]),
        ("Add login; write tests; update the docs", [["add-login"], ["write-tests", "update-the-docs"]]),
        ("Add a login. Fix the header.", [["add-a-login", "fix-the-header"]]),
        ("Build the API, write tests, and deploy it", [["build-the-api"], ["write-tests", "deploy-it"]]),
        ("First add a table, then fix the API and then test it", [["add-a-table"], ["fix-the-api"], ["test-it"]]),
        ("1. Add a table\n2. Write the API\n   in Go\n3. Go live", [["add-a-table"], ["write-the-api"], ["go-live"]]),
        ("Do:\n- users\n  - with names\n- login\n- [ ] tests of both", [["users", "login"], ["tests-of-both"]]),
        ("* a\n* a\n* a", [["a", "a-2", "a-3"]]),
    ],
)  # fmt: skip
def test_what_is_enumerated_becomes_tasks(goal: str, expected: list[list[str]]) -> None:
    """Lists, steps, sentences and "a, b and c" are tasks; numbers and "then" order them, tests and docs come last."""
    assert shape(goal) == expected


@pytest.mark.parametrize(
    ("goal", "roles"),
    [
        ("Build a REST API with authentication", {"backend-systems-engineer", "specifications-engineer"}),
        ("Create a blog platform", {"backend-systems-engineer", "frontend-ui-engineer"}),
        ("Build a task management app with React frontend and FastAPI backend", {"frontend-ui-engineer"}),
        ("Create an ETL pipeline to process daily sales data from S3 to Snowflake", {"data-pipeline-engineer"}),
        ("Build a churn prediction system", {"ml-systems-architect"}),
        ("Create a chatbot that answers from our handbook", {"llm-architect"}),
        ("Build a REST API with a Terraform deployment", {"aws-cloud-architect"}),
    ],
)
def test_goals_of_a_known_kind_have_their_parts(goal: str, roles: set[str]) -> None:
    """Such a goal gets the specialists of its kind, and tests and documentation in the last phase."""
    found = plan(goal)
    assert roles <= {task.role for task in found.tasks}
    assert {task.id for task in phases(found)[-1]} >= {"test-all-parts-together", "write-the-documentation"}
    assert all(task.acceptance or task.size for task in found.tasks)


@pytest.mark.parametrize(
    "goal",
    [
        "Fix the parser",
        "Fix the login form",
        "Rename the API module",
        "list all users",
        "Salt and pepper",
        "Make it faster, as described in the issue that was opened last week by the support team",
        "🚀",
    ],
)
def test_what_is_of_a_piece_stays_one_task(goal: str) -> None:
    """A goal without parts is one task with the goal's own words; so is a change of something that is there."""
    (task,) = plan(goal).tasks
    assert task.prompt == goal


def test_it_is_always_labelled() -> None:
    """Every plan says that no model made it, costs nothing, and names no model."""
    proposed = PLANNER.plan("Create a blog platform", ())
    assert proposed.plan.made_by == BY_HEURISTICS == "made by heuristics, not by a model"
    assert (proposed.model, proposed.usage) == ("", None)


def test_constraints_are_in_every_prompt() -> None:
    """What was asked for beside the goal reaches whoever does a part of it."""
    found = PLANNER.plan("Add a, b and c", ("no new dependency",)).plan
    assert len(found.tasks) == 3
    assert all("no new dependency" in task.prompt for task in found.tasks)


def test_only_configured_roles_are_named() -> None:
    """Where a specialist is not there, the part goes to one who is."""
    found = Heuristics({"generalist": BUILT_IN["generalist"]}).plan("Create a blog platform", ()).plan
    assert {task.role for task in found.tasks} == {"generalist"}


def test_it_cannot_discuss() -> None:
    """Heuristics do not pretend to understand words."""
    with pytest.raises(SetupNeeded):
        PLANNER.discuss(plan("Add a"), (), "make it smaller")


@pytest.mark.parametrize("goal", ["", " \n", "x" * 20_001, "- a\n" * 101, "evil \x1b[2J"])
def test_what_cannot_be_a_plan_is_refused(goal: str) -> None:
    """An empty, an endless and a hostile goal are errors in words."""
    with pytest.raises(InvalidInput):
        plan(goal)


@pytest.mark.parametrize("goal", ["a, " * 5_000, "then " * 4_000, "- " * 9_000, "\n- x" * 100, ". ; , and " * 1_500])
def test_odd_goals_take_no_odd_time(goal: str) -> None:
    """Long goals of nothing but separators come to an end: one task, a hundred, or a refusal."""
    try:
        found = plan(goal)
    except InvalidInput:
        return
    assert list(problems(found)) == []
