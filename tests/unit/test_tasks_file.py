"""Tasks files in TOML: defaults, tables, and mistakes with file and line."""

from __future__ import annotations

import pytest

from gitorch.flow.intake import TaskDraft, read
from gitorch.model.task import Priority
from tests.support.intake import refusal

TASKS = """\
# tonight
[defaults]
agent = "claude"
priority = "low"
checks = { lint = "ruff check" }

[[task]]
id = "users"
title = "Add a users table"
prompt = '''
Add it.
[[task]]
title = "not a task"
'''
priority = "HIGH"
paths = ["src/**"]
checks.test = "pytest -q"
budget = 2
timeout = "1h30m"
base = "dev"
context = { ticket = 7, tags = ["a"] }

[[task]]
title = "Add a login page"
after = ["users", 3]
role = "tester"
timeout = 90
context = '{"a":  1}'
"""


def test_a_tasks_file() -> None:
    """Every key means what it says; defaults hold where a task says nothing, and tables of checks are joined."""
    first, second = read(TASKS.encode(), "tasks.toml")
    assert first == TaskDraft(
        id="users",
        title="Add a users table",
        prompt='Add it.\n[[task]]\ntitle = "not a task"\n',
        agent="claude",
        priority=Priority.HIGH,
        paths=("src/**",),
        checks={"lint": "ruff check", "test": "pytest -q"},
        budget=2.0,
        timeout=5400.0,
        base="dev",
        context='{"ticket":7,"tags":["a"]}',
        origin="tasks.toml:7",
    )
    assert second == TaskDraft(
        title="Add a login page",
        prompt="Add a login page",
        agent="claude",
        priority=Priority.LOW,
        after=("users", "3"),
        role="tester",
        checks={"lint": "ruff check"},
        timeout=90.0,
        context='{"a":  1}',
        origin="tasks.toml:23",
    )
    assert read(TASKS.encode(), "-")[0].title == first.title
    assert read(TASKS.replace("\n", "\r\n").encode(), "tasks.toml")[1].title == second.title


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('role = "tester"', 'rolle = "tester"'), "tasks.toml:26: unknown key rolle; did you mean role?"),
        (("budget = 2", "depends_on = ['x']"), "tasks.toml:18: unknown key depends_on; did you mean after?"),
        (("[defaults]", "[default]"), "tasks.toml:2: unknown key default; did you mean defaults?"),
        (('agent = "claude"', 'title = "x"'), "tasks.toml:3: unknown key title"),
        (("budget = 2", "budget = -2"), "tasks.toml:18: budget: Expected `float` >= 0.0"),
        (("budget = 2", 'budget = "2"'), "tasks.toml:18: budget: Expected `float`, got `str`"),
        (
            ('priority = "HIGH"', 'priority = "urgent"'),
            "tasks.toml:15: priority: Invalid enum value 'urgent'; it must be high, ",
        ),
        (('timeout = "1h30m"', 'timeout = "soon"'), "tasks.toml:19: timeout: 'soon' is not a duration"),
        (('checks.test = "pytest -q"', "checks.test = 3"), "tasks.toml:17: checks: Expected `str`, got `int`"),
        (('paths = ["src/**"]', "paths = [3]"), "tasks.toml:16: paths: Expected `str`, got `int`"),
        (('title = "Add a login page"\n', ""), "tasks.toml:23: the text of the task is empty"),
        (("timeout = 90", "timeout = = 90"), "tasks.toml:27:11  "),
        (
            ('[defaults]\nagent = "claude"\npriority = "low"\nchecks = { lint = "ruff check" }', "defaults = 3"),
            "tasks.toml:2: defaults must be a table",
        ),
    ],
)
def test_mistakes_in_a_tasks_file(change: tuple[str, str], told: str) -> None:
    """What is wrong is told with file, line, and the near miss."""
    assert change[0] in TASKS
    assert refusal(TASKS.replace(*change), "tasks.toml").what.startswith(told)


@pytest.mark.parametrize("text", ["task = 3", "[task]\ntitle = 'x'", "task = ['x']"])
def test_a_task_is_a_table_of_its_own(text: str) -> None:
    """The way to write a task is told."""
    assert refusal(text, "a.toml").what == "a.toml:1: each task must be a separate table: [[task]]"


def test_inline_tasks() -> None:
    """A task that is written inline is a task, too."""
    assert [draft.title for draft in read(b"task = [{title='a'}, {title='b'}]", "a.toml")] == ["a", "b"]
