"""Plans without a model: what goals enumerate, what goals of known kinds consist of, and what is left whole."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from gitorch.errors import InvalidInput, SetupNeeded
from gitorch.flow.planning.heuristics import Heuristics
from gitorch.model.plan import BY_HEURISTICS, TaskPlan, phases, problems
from gitorch.model.roles import built_in_roles
from tests.support import goals

PLANNER = Heuristics(built_in_roles())


def plan(goal: str) -> TaskPlan:
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


def wrong(name: str) -> tuple[int, dict[str, list[str]]]:
    """Return how many goals a table has, and those whose plan a reader would not expect, with what is wrong."""
    table = goals.table(name)
    found = {goal: goals.faults(plan(goal), answers) for goal, answers in table}
    return len(table), {goal: faults for goal, faults in found.items() if faults}


@pytest.mark.parametrize(("table", "least", "share"), [("goals.tsv", 40, 0.95), ("goals-held-out.tsv", 20, 0.9)])
def test_goals_get_the_parts_that_a_reader_would_expect(table: str, least: int, share: float) -> None:
    """Most goals are parted as a reader would part them; and no part is there that a goal does not name."""
    count, faults = wrong(table)
    assert count >= least
    assert len(faults) <= count * (1 - share), faults
    assert not [one for found in faults.values() for one in found if one.startswith("invented")]


_WORDS = st.sampled_from(
    "Build Create Fix Please We need an a the API app page login tests it them with including where users can see to "
    "that posts for and , and then plus as well as : ; . - 1. features base ui schema React CSV (x) \n - \n 🚀".split(
        " "
    )
)


@given(st.lists(_WORDS, min_size=1, max_size=25).map(" ".join))
def test_any_words_make_a_valid_plan(goal: str) -> None:
    """Whatever is typed: a plan without cycles and doubled ids, whose prompts are not empty, or a refusal."""
    try:
        found = plan(goal)
    except InvalidInput:
        assert not goal.strip()
        return
    assert list(problems(found)) == []
    assert all(task.prompt.strip() and task.title.strip() for task in found.tasks)


def test_the_comparison_finds_what_is_wrong() -> None:
    """A missing part, an invented one, a wrong order and a goal that should have stayed whole are all told."""
    answers = goals.table("goals.tsv")
    (whole,) = (one for goal, one in answers if goal == "Make the app faster")
    (steps,) = (one for goal, one in answers if goal.startswith("First add a feature flag"))
    assert goals.faults(plan("Add a, b and c"), whole) == ["invented: Add a", "invented: Add b", "invented: Add c"]
    found = goals.faults(plan("- a flag\n- old code\n- sugar"), steps)
    assert found == ["missing: checkout", "invented: sugar", "out of order: old code"]


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        (
            "Build a chat app with typing indicators and read receipts",
            [["build-a-chat-app"], ["add-typing-indicators", "add-read-receipts"]],
        ),
        (
            "Create a bot that posts reminders, collects answers and writes a summary",
            [["create-a-bot"], ["post-reminders", "collect-answers", "write-a-summary"]],
        ),
        (
            "Please build a shop tool where staff can see orders, issue refunds and ban users",
            [["build-a-shop-tool"], ["staff-can-see-orders", "staff-can-issue-refunds", "staff-can-ban-users"]],
        ),
        ("Train a tagger and compare it with the old one", [["train-a-tagger"], ["compare-it-with-the-old-one"]]),
        ("Import a file, parse a file, and index both", [["import-a-file", "parse-a-file"], ["index-both"]]),
        ("Build a tool plus a plugin for it", [["build-a-tool"], ["build-a-plugin-for-it"]]),
        ("Pack it, push it, then ship it", [["pack-it"], ["push-it"], ["ship-it"]]),
        (
            "Rework the menu: a page for teams and a page for bills",
            [["rework-the-menu-a-page-for-teams", "rework-the-menu-a-page-for-bills"]],
        ),
        ("Add a link to the docs and a button", [["add-a-link-to-the-docs", "add-a-button"]]),
        (
            "Improve tests of the parser and the lexer",
            [["improve-tests-of-the-parser", "improve-tests-of-the-lexer"]],
        ),
        ("- [x] login\n- [ ] logout\n- [ ] help", [["logout", "help"]]),
    ],
)
def test_sentences_are_read_as_they_are_meant(goal: str, expected: list[list[str]]) -> None:
    """Features wait for what has them, "it" and "both" for what they name; ticked items are done."""
    assert shape(goal) == expected


@pytest.mark.parametrize(
    "goal",
    [
        "Add drag and drop",
        "Remove the black and white theme",
        "Fix the race between the watcher and the shutdown",
        "Add a users table with id, name and mail address",
        "Build a form with name, email and phone",
        "Create a function that sorts, filters and maps",
        "Add support for Redis and Memcached",
        "Make tests and docs better",
        "Implement file uploads (images and PDFs)",
        "Drop Python 3.8, and with it the six dependency",
        "Login fails on Safari and Firefox",
        "Implement caching in the API",
        "Create an index for the orders API",
        "The login page of the API is broken",
        "Describe the REST API",
        "Build a login page",
        "How do I add a login?",
        "(" * 50 + "and" + ")" * 50,
    ],
)
def test_no_part_is_invented(goal: str) -> None:
    """Fields, conditions, idioms and complaints are no parts, and what a goal is for is not what it asks for."""
    (task,) = plan(goal).tasks
    assert task.prompt == goal


def test_a_goal_that_cannot_be_parted_says_so() -> None:
    """The reply of a plan with one task is not that of a plan with parts."""
    assert "stays one task" in PLANNER.plan("Fix the parser", ()).reply
    assert "This plan has 3 tasks" in PLANNER.plan("Add a, b and c", ()).reply


def test_what_something_is_made_with_is_no_feature() -> None:
    """Names of tools are not parts; what they stand for is, where that is known."""
    titles = {task.title for task in plan("Build a REST API with FastAPI and Postgres").tasks}
    assert titles == {task.title for task in plan("Build a REST API").tasks}
    assert "Build the user interface" in {task.title for task in plan("Build an API with FastAPI and React").tasks}


def test_what_is_there_already_is_not_designed() -> None:
    """A data model that the goal calls existing is no part."""
    ids = {task.id for task in plan("Build a REST API and a CLI on our existing database, with login").tasks}
    assert "design-the-data-model" not in ids


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
    found = Heuristics({"generalist": built_in_roles()["generalist"]}).plan("Create a blog platform", ()).plan
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
