"""Drafts as tasks: ids of their own, and what they wait for found by name."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import assume, given, settings, strategies as st

from gitorch.errors import InvalidInput
from gitorch.flow.intake import TaskDraft, headline, read, resolve
from gitorch.model.naming import TaskId, task_id
from gitorch.model.task import Priority, State, Task, by_id
from tests.support.scale import scaled
from tests.support.tasks import make_task, texts


def draft(title: str, *after: str, name: str = "") -> TaskDraft:
    return TaskDraft(title=title, prompt=title, id=name, after=after, origin=f"file:{title}")


def existing(*names: str) -> dict[TaskId, Task]:
    return by_id(
        [make_task(id=TaskId(name), number=at, title=name, prompt="x") for at, name in enumerate(names, start=1)]
    )


def resolved(
    *drafts: TaskDraft, beside: dict[TaskId, Task] | None = None, taken: tuple[str, ...] = ()
) -> dict[str, tuple[str, ...]]:
    return {task.id: task.spec.after for task in resolve(drafts, beside or {}, 10, reserved=taken)}


def test_a_task_has_all_that_its_draft_says() -> None:
    """Everything that was asked for is in the task, which is queued, numbered, and new."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    full = TaskDraft(
        title="Add it",
        prompt="Add it\0\r\n",
        agent="codex",
        role="tester",
        priority=Priority.HIGH,
        checks={"t": "x"},
        paths=("a",),
        context="{}",
        base="dev",
        budget=1.0,
        timeout=2.0,
    )
    assert resolve([full, full], {}, 7, created=now)[1] == make_task(
        id=TaskId("add-it-2"),
        number=8,
        title="Add it",
        prompt="Add it\0\r\n",
        agent="codex",
        role="tester",
        priority=Priority.HIGH,
        checks={"t": "x"},
        paths=("a",),
        context="{}",
        base_ref="dev",
        budget=1.0,
        timeout=2.0,
        created=now,
        state=State.QUEUED,
    )


def test_ids_are_unique() -> None:
    """Made names keep out of the way of asked ones, of tasks that exist, and of names that are taken."""
    drafts = [draft("Users"), draft("users!"), draft("other", name="users-2"), draft("Candidate")]
    found = resolved(*drafts, beside=existing("users-3"), taken=("users",))
    assert list(found) == ["users-4", "users-5", "users-2", "candidate-2"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("users", "file:B: a task called users already exists"),
        ("own", "file:B: two tasks are called own"),
        ("Not ok", "file:B: 'Not ok' cannot be a task's name"),
        ("integration", "file:B: 'integration' cannot be a task's name"),
        ("gone", "file:B: a task called gone already exists"),
    ],
)
def test_a_name_that_cannot_be_had(name: str, told: str) -> None:
    """An id that was asked for is given, or refused with the reason."""
    with pytest.raises(InvalidInput) as refused:
        resolved(draft("A", name="own"), draft("B", name=name), beside=existing("users"), taken=("gone",))
    assert refused.value.what == told


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("own-id", "own-id"),
        ("add-a-users-table", "add-a-users-table"),
        ("Add a users table!", "add-a-users-table"),
        ("OWN-ID", "own-id"),
        ("login-page", "login-page"),
        ("2", "logout"),
        ("#2", "logout"),
        ("login", "login-page"),
        ("add", "add-a-users-table"),
    ],
)
def test_names_of_dependencies(wanted: str, found: str) -> None:
    """A dependency is found by id, title, number, or a beginning that only one has."""
    drafts = [draft("Add a users table"), draft("Something", name="own-id"), draft("last", wanted)]
    assert resolved(*drafts, beside=existing("login-page", "logout"))["last"] == (found,)


def test_the_same_file_twice() -> None:
    """Titles mean the tasks of the same batch, not those of an earlier one with the same titles."""
    drafts = [draft("Users"), draft("Login", "users")]
    before = by_id(resolve(drafts, {}, 1))
    assert resolved(*drafts, beside=before) == {"users-2": (), "login-2": ("users-2",)}


def test_a_task_with_the_title_of_what_it_waits_for() -> None:
    """A new task can wait for an older one of the same name."""
    assert resolved(draft("Users", "users"), beside=existing("users")) == {"users-2": ("users",)}


def test_a_dependency_is_named_once() -> None:
    """Two names for one task are one dependency."""
    assert resolved(draft("a", "users", "1", "us"), beside=existing("users")) == {"a": ("users",)}


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("logn-page", "file:x: x waits for logn-page, which does not exist"),
        ("99", "file:x: x waits for 99, which does not exist"),
        ("", "file:x: x waits for , which does not exist"),
        ("lo", "file:x: x waits for lo, which could be login-page, logout"),
        ("Same", "file:x: x waits for Same, which could be same-2, same-3"),
    ],
)
def test_dependencies_that_are_not_sure(wanted: str, told: str) -> None:
    """Nothing is guessed: what is unknown, or could be two, is named."""
    drafts = [draft("Same"), draft("Same!"), draft("x", wanted)]
    with pytest.raises(InvalidInput) as refused:
        resolved(*drafts, beside=existing("login-page", "logout", "same"))
    assert refused.value.what == told
    if wanted == "logn-page":
        assert refused.value.why == "did you mean login-page?"


@pytest.mark.parametrize("drafts", [[draft("a", "b"), draft("b", "c"), draft("c", "a")], [draft("a", "a", name="a")]])
def test_cycles(drafts: list[TaskDraft]) -> None:
    """A cycle is refused by name, also the smallest."""
    with pytest.raises(InvalidInput, match="these tasks wait for each other: a -> "):
        resolved(*drafts)


def test_what_left_the_task_file_does_not_matter() -> None:
    """That an existing task waits for one that was merged and cleaned up keeps nobody from submitting."""
    old = make_task(id=TaskId("b"), number=1, title="b", prompt="b", after=(TaskId("merged-long-ago"),))
    assert resolved(draft("c", "b"), beside={old.id: old}) == {"c": ("b",)}


@settings(max_examples=scaled(50))
@given(st.lists(st.tuples(texts, st.lists(st.integers(0, 5), max_size=2)), min_size=1, max_size=6))
def test_any_batch_becomes_sound_tasks(batch: list[tuple[str, list[int]]]) -> None:
    """Whatever the titles, every task has a lawful id of its own, and waits for the ones it named by number."""
    drafts = [
        TaskDraft(title=headline(title), prompt="x", id=f"id-{at}" if at % 2 else "")
        for at, (title, _) in enumerate(batch)
    ]
    first = resolve(drafts, {}, 1)
    assert len({task.id for task in first}) == len(batch)
    assert all(task_id(task.id) for task in first)
    assume(not any(task.id[0].isdigit() for task in first))  # a name that could be meant by a number
    numbered = [
        msgspec.structs.replace(one, id="", after=tuple(str(n + 1) for n in wanted if n < len(batch)))
        for one, (_, wanted) in zip(drafts, batch, strict=True)
    ]
    second = resolve(numbered, by_id(first), 100)
    for task, (_, wanted) in zip(second, batch, strict=True):
        assert len(task.spec.after) <= len(set(wanted))


def test_goal_and_acceptance_criteria_come_with_a_task() -> None:
    """A tasks file says what a task is part of and what must hold at the end; one criterion may be plain text."""
    text = '[defaults]\ngoal = "A shop"\n[[task]]\ntitle = "One"\nacceptance = ["a", "b"]\n[[task]]\ntitle = "Two"\n'
    one, two = resolve(read((text + 'acceptance = "c"\n').encode(), "tasks.toml"), {}, 1)
    assert (one.spec.goal, one.spec.acceptance) == ("A shop", ("a", "b"))
    assert (two.spec.goal, two.spec.acceptance) == ("A shop", ("c",))
