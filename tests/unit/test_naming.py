"""Names: what a title becomes, and what can be a task's name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from gitorch.errors import InvalidInput
from gitorch.model.naming import LONGEST_ID, RESERVED, branch_ref, is_foreign, slug, task_id, unused
from tests.support.git import run


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Add a users table", "add-a-users-table"),
        ("Don't break `this`; please", "dont-break-this-please"),
        ("Über Größe", "uber-grosse"),
        ("日本語", "ri-ben-yu"),
        ("修正登录页面的错误", "xiu-zheng-deng-lu-ye-mian-de-cuo-wu"),
        ("Исправить ошибку входа", "ispravit-oshibku-vkhoda"),
        ("إصلاح صفحة الدخول", "slh-sfhh-ldkhwl"),
        ("로그인 고치기", "logeuin-gochigi"),
        ("Łódź: ログイン v2", "lodz-roguin-v2"),
        ("🦀", "task"),
        ("", "task"),
        ("integration", "integration-2"),
        ("12", "task-12"),
        ("  v2.0 -- done  ", "v2-0-done"),
        ("a" * 80, "a" * LONGEST_ID),
        ("word " * 20, "word-word-word-word-word-word-word-word-word-word"),
    ],
)
def test_slug_of_a_title(title: str, expected: str) -> None:
    """A title's letters and digits become its slug, transliterated and cut at a word."""
    assert slug(title) == expected


@given(st.text(), st.sets(st.sampled_from(["task", "a", "a-2", "b"])))
def test_every_slug_is_a_task_id_and_new(title: str, taken: set[str]) -> None:
    """Whatever the title, its slug can be a task's name, and no other task has it."""
    name = slug(title, taken)
    assert task_id(name) == name
    assert name not in taken | RESERVED


def test_a_long_slug_stays_short_enough_when_it_is_taken() -> None:
    """A name that is numbered because it is taken is still a lawful name."""
    long = slug("x" * LONGEST_ID)
    second = slug("x" * LONGEST_ID, {long})
    assert task_id(second) != long


def test_the_next_free_number() -> None:
    """A taken name is numbered on."""
    assert unused("a", {"a", "a-2"}) == "a-3"


@pytest.mark.parametrize(
    "name",
    ["", "-a", "a-", "A", "a b", "a/b", "a..b", "a.lock", "é", "a\n", "all", "integration", "candidate", "x" * 51],
)
def test_what_cannot_be_a_name(name: str) -> None:
    """What a branch, a file or a shell could not hold is refused, with a name that would do."""
    with pytest.raises(InvalidInput) as refused:
        task_id(name)
    assert task_id(refused.value.fix[0].split()[0])


@settings(max_examples=20)
@given(st.text())
def test_git_takes_every_task_branch(title: str) -> None:
    """Git's own rules for branches hold for every slug."""
    run("check-ref-format", branch_ref(f"orch/{slug(title)}"), cwd=Path.cwd())


@pytest.mark.parametrize(
    ("title", "expected"),
    [("Fix login", False), ("Café", False), ("修正", True), ("🎉🎉 🚀", True), ("?!...", True), ("🎉 Fix", False)],
)
def test_a_title_that_an_id_does_not_show(title: str, expected: bool) -> None:
    """In another script, or without a letter: a board shows it beside the id."""
    assert is_foreign(title) is expected
