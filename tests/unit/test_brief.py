"""The brief: what an agent is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitorch.model.brief import fenced, first_brief, fix_brief
from gitorch.model.naming import Oid, TaskId
from gitorch.model.roles import GENERALIST
from gitorch.model.task import CheckResult, Comment, Task


def task(prompt: str, **fields: object) -> Task:
    return Task(id=TaskId("t"), number=1, title="T", prompt=prompt, branch="orch/t", **fields)  # type: ignore[arg-type]


@given(st.text(min_size=1))
def test_the_prompt_is_in_the_brief_byte_for_byte(prompt: str) -> None:
    """Whatever somebody asks for arrives as it was written."""
    assert prompt in first_brief(task(prompt), GENERALIST, {})


def test_comments_come_with_their_places_and_numbers() -> None:
    """The next attempt knows what the reviewer meant, and where."""
    said = (Comment(text="use scrypt", file="auth.py", line=7), Comment(text="add a test"))
    text = first_brief(task("x", comments=said, attempts=1), GENERALIST, {})
    assert "1. `auth.py:7`: use scrypt" in text
    assert "2. add a test" in text


def test_checks_scope_context_and_dependencies_are_told() -> None:
    """An agent knows how it will be judged, where to stay, and what it builds on."""
    before = Task(id=TaskId("db"), number=2, title="Add the table", prompt="x")
    one = task("x", paths=("src/**",), context='{"port": 1}')
    text = first_brief(one, GENERALIST, {"test": "pytest -q"}, (before,))
    for part in ("`pytest -q`", "`src/**`", '{"port": 1}', "db: Add the table", "`orch/t`"):
        assert part in text


def test_a_fence_cannot_be_broken_out_of() -> None:
    """Output that holds a fence stays inside a longer one."""
    assert fenced("```\nEND").startswith("````\n")


def test_failing_checks_are_told_with_the_end_of_their_output() -> None:
    """The last lines say what is wrong; ten thousand before them do not."""
    result = CheckResult(name="test", command="pytest", tree=Oid("0"), exit_code=1)
    text = fix_brief([(result, "\n".join(f"line {number}" for number in range(1000)))])
    assert "line 999" in text
    assert "line 5\n" not in text
    assert "exit code 1" in text
