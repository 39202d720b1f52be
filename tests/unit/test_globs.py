"""Globs of paths: every setting that selects paths follows the rules of .gitignore."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from gitorch.config import combine
from gitorch.config.layers import FILE, Layer
from gitorch.errors import InvalidInput
from gitorch.flow import intake
from gitorch.flow.merge.resolution.resolver import regenerating_command
from gitorch.flow.review import FileChange, path_signals
from gitorch.model import globs
from gitorch.model.globs import matches, matches_name
from gitorch.model.naming import TaskId
from gitorch.model.plan import PlannedTask, TaskPlan, problems
from gitorch.model.roles import Role, generalist, route
from gitorch.model.task import Task
from tests.support.git import git
from tests.support.tasks import make_task

LATIN = os.fsdecode(b"src/caf\xe9.py")
CASES = [
    ("src/*.py", "src/a.py", True),
    ("src/*.py", "src/a/b.py", False),
    ("src/*.py", "lib/src/a.py", False),
    ("src/*", "src/a/b.py", True),  # the folder src/a matches, and so does what is in it
    ("src/**", "src/a/b.py", True),
    ("src/**/b.py", "src/b.py", True),
    ("src/**/b.py", "src/a/c/b.py", True),
    ("**/web/**", "web/x.ts", True),
    ("**/web/**", "a/web/b/x.ts", True),
    ("**/web/**", "a/cobweb/x.ts", False),
    ("*.lock", "yarn.lock", True),
    ("*.lock", "a/b/yarn.lock", True),
    ("*.lock", "a/b/yarn.lock.orig", False),
    ("/*.lock", "yarn.lock", True),
    ("/*.lock", "a/yarn.lock", False),
    ("/src/*.py", "src/a.py", True),
    ("**/auth/**", "auth/x", True),
    ("**/auth/**", "src/auth/y/z", True),
    ("**/auth/**", "src/author/y", False),
    (".github/**", ".github/workflows/ci.yml", True),
    (".github/**", "sub/.github/workflows/ci.yml", False),
    (".github", "sub/.github/workflows/ci.yml", True),
    ("docs", "a/docs/b/c.md", True),
    ("docs/", "docs/c.md", True),
    ("docs/", "a/docs", False),
    ("**", "a/b", True),
    ("*", "a/b", True),
    ("a?c", "abc", True),
    ("a?c", "a/c", False),
    ("[ab].c", "x/b.c", True),
    ("[!ab].c", "b.c", False),
    ("[!ab].c", "c.c", True),
    ("my notes/*.txt", "my notes/a b.txt", True),
    ("my notes.txt", "a/my notes.txt", True),
    ("*.PY", "a.py", False),
    ("größe/*", "größe/日本.txt", True),
    ("日?.txt", "日本.txt", True),
    ("src/caf?.py", LATIN, True),
    (LATIN, LATIN, True),
    ("src/*.py", LATIN, True),
    ("**/auth/**", "a\nb/auth/c\nd", True),
    (r"\!important", "a/!important", True),
    (r"\#1.md", "#1.md", True),
    (r"a\*.c", "a*.c", True),
    (r"a\*.c", "ab.c", False),
    ("a+(b).c", "a+(b).c", True),
    ("a+(b).c", "aab.c", False),
]  # fmt: skip
INVALID = [
    ("!src/**", "negation is not supported"),
    ("#x", "a comment matches nothing"),
    ("", "an empty pattern"),
    ("  ", "an empty pattern"),
    ("/", "an empty pattern"),
    ("./src", "relative to the top"),
    ("src/../x", "relative to the top"),
    ("[ab", "brackets or backslashes"),
    ("[z-a].c", "brackets or backslashes"),
    ("a\\", "brackets or backslashes"),
    ("[[:alpha:]].c", "character classes"),
]


def config(**settings: object) -> Layer:
    return Layer(origin=FILE, settings=settings)


def task(paths: tuple[str, ...]) -> Task:
    return make_task(id=TaskId("x"), number=1, title="x", prompt="x", agent="sh", paths=paths)


@pytest.mark.parametrize(("pattern", "path", "expected"), CASES)
def test_every_setting_matches_alike(pattern: str, path: str, expected: bool) -> None:
    """`review.sensitive`, a task's `paths`, `roles.*.paths` and `merge.regenerate` have one syntax."""
    change = FileChange(path=path, status="M", added=1, removed=0)
    sensitive = combine([config(review={"sensitive": [pattern]})]).config
    assert [signal.text for signal in path_signals(change, sensitive, task(()))] == ["sensitive"] * expected
    nothing = combine([config(review={"sensitive": []})]).config
    outside = [signal.text for signal in path_signals(change, nothing, task((pattern,)))]
    assert outside == ["outside the task's paths"] * (not expected)
    role = Role(name="one", instructions="x", paths=(pattern,))
    assert (route("x", {"generalist": generalist(), "one": role}, paths=(path,))[0] is role) is expected
    assert regenerating_command({pattern: "make it"}, path) == ("make it" if expected else "")


# git takes bytes for characters: its `?` is a third of 本
@pytest.mark.parametrize(("pattern", "path", "expected"), [case for case in CASES if case[0] != "日?.txt"])
def test_git_agrees(tmp_path: Path, pattern: str, path: str, expected: bool) -> None:
    """The rules are those of .gitignore, as git itself applies them."""
    git("init", "--quiet", cwd=tmp_path)
    (tmp_path / ".git/info/exclude").write_bytes(os.fsencode(pattern) + b"\n")
    command = ["git", "check-ignore", "--no-index", "-z", "--stdin"]
    ignored = subprocess.run(command, cwd=tmp_path, input=os.fsencode(path), capture_output=True, check=False)
    assert ignored.returncode == (0 if expected else 1), ignored.stderr


@pytest.mark.parametrize(("pattern", "reason"), INVALID)
def test_an_invalid_pattern_is_refused_where_it_is_set(pattern: str, reason: str) -> None:
    """A pattern that could never match, or not as it was meant, is an error and not ignored."""
    assert reason in globs.problem(pattern)
    settings = (
        config(review={"sensitive": [pattern]}),
        config(merge={"regenerate": {pattern: "make"}}),
        config(roles={"x": {"paths": [pattern]}}),
    )
    for layer in settings:
        with pytest.raises(InvalidInput, match="is not a valid glob") as refused:
            combine([layer])
        assert reason in refused.value.why
    draft = intake.TaskDraft(title="x", prompt="x", paths=(pattern,), origin="tasks.toml:3")
    with pytest.raises(InvalidInput, match=r"^tasks\.toml:3: paths: .*is not a valid glob") as refused:
        intake.resolve([draft], {}, 1)
    assert reason in refused.value.why
    planned = PlannedTask(id=TaskId("x"), title="x", prompt="x", paths=(pattern,))
    assert len(list(problems(TaskPlan(goal="x", tasks=(planned,))))) == 1
    with pytest.raises(InvalidInput, match="is not a valid glob"):
        matches("x", [pattern])


def test_the_place_of_an_invalid_pattern_is_named() -> None:
    """The message has file, line and setting."""
    text = '[review]\nrequire_checks = true\nsensitive = ["!a"]\n'
    layer = Layer(origin=FILE, settings={"review": {"require_checks": True, "sensitive": ["!a"]}}, text=text)
    with pytest.raises(InvalidInput, match=rf"^{FILE}:3: review\.sensitive: !a is not a valid glob"):
        combine([layer])


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("AB_*", "AB_C", True),
        ("AB_*", "XAB_C", False),
        ("AB_*", "ab_c", False),
        ("AB", "ABC", False),
        ("*_PROXY", "HTTP_PROXY", True),
        ("task/*", "task/a/b", True),
    ],
)
def test_names_are_not_paths(pattern: str, name: str, expected: bool) -> None:
    """Patterns of variables and branches match whole names, and `*` matches slashes."""
    assert matches_name(name, pattern) is expected


@given(st.text(max_size=12), st.text(max_size=12))
@example("[[]", "[")
@example("a[", "a[")
def test_any_pattern_matches_or_is_refused(pattern: str, path: str) -> None:
    """A pattern that passes the check never fails later."""
    if globs.problem(pattern):
        with pytest.raises(InvalidInput):
            matches(path, [pattern])
    else:
        assert matches(path, [pattern]) in (True, False)
