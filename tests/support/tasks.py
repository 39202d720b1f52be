"""Any task that could be, for property tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from gitorch.model.naming import Oid, TaskId
from gitorch.model.outcome import Usage
from gitorch.model.task import (
    Attempt,
    CheckResult,
    Comment,
    Commits,
    ConflictRetry,
    Phase,
    Priority,
    State,
    Task,
    TaskSpec,
)


def make_task(**fields: Any) -> Task:
    """Return a task of these fields of its own, of its spec and of its commits, all side by side."""
    spec = {name: fields.pop(name) for name in TaskSpec.__struct_fields__ if name in fields}
    if "base" in fields:
        fields["commits"] = Commits(fields.pop("base"), fields.pop("tip", None))
    return Task(spec=TaskSpec(**spec), **fields)


def with_fields(task: Task, **fields: Any) -> Task:
    """Return a task with these fields of its own, of its spec and of its commits changed, lawful or not."""
    commits = msgspec.structs.asdict(task.commits) if task.commits else {}
    every = msgspec.structs.asdict(task) | msgspec.structs.asdict(task.spec) | commits | fields
    return make_task(**{name: value for name, value in every.items() if name != "spec"})


# what breaks formats: line ends of all kinds, quotes, TOML and JSON syntax, control characters
_ODD = st.sampled_from(
    ["\r\n", "\r", "\n", "\0", "\t", " ", "  \n", '"', '"""', "'''", "\\", "\\u0041", "`;`", "[end]", "[[task]]", "#"]
) | st.sampled_from(["\x7f", "\x1b[31m", "\x0b", "\x1c", "\u2028", "\u0085", "\ufeff", "🚀"])
texts = st.one_of(st.text(), st.lists(_ODD | st.text(max_size=3), max_size=8).map("".join))
names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).map(TaskId)
oids = st.binary(min_size=20, max_size=20).map(lambda content: Oid(content.hex()))
floats = st.floats(0, 1e9, allow_nan=False)
times = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
counts = st.integers(0, 2**40)


def _some_of(kind: type[Any], required: Mapping[str, SearchStrategy[Any]], **optional: SearchStrategy[Any]) -> Any:
    """Return a strategy of structs in which about half of the optional fields keep their defaults."""
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: kind(**fields))


_usages = st.builds(Usage, usd=st.none() | floats, input_tokens=counts, output_tokens=counts, turns=counts)
_comments = st.builds(Comment, text=texts, file=texts, line=counts, author=texts, attempt=counts)
_results = st.builds(
    CheckResult, name=texts, command=texts, tree=oids, exit_code=st.none() | st.integers(0, 255), seconds=floats
)
_attempts = _some_of(
    Attempt,
    {"number": counts, "agent": texts},
    base=st.none() | oids,
    phase=st.sampled_from(Phase),
    session=texts,
    started=st.none() | times,
    seconds=st.none() | floats,
    ending=texts,
    summary=texts,
    usage=st.none() | _usages,
    denials=st.lists(texts, max_size=2).map(tuple),
)

_specs = _some_of(
    TaskSpec,
    {"title": texts, "prompt": texts},
    agent=texts,
    role=texts,
    role_reason=texts,
    goal=texts,
    acceptance=st.lists(texts, max_size=2).map(tuple),
    priority=st.sampled_from(Priority),
    after=st.lists(names, max_size=3).map(tuple),
    checks=st.dictionaries(texts, texts, max_size=2),
    paths=st.lists(texts, max_size=2).map(tuple),
    context=texts,
    base_ref=texts,
    budget=floats,
    timeout=floats,
    created=st.none() | times,
)
_conflicts = st.builds(
    ConflictRetry,
    conflict_id=texts,
    conflict_commit=oids,
    base=oids,
    tip=oids,
    reason=texts,
    results=st.lists(_results, max_size=1).map(tuple),
    dependents=st.lists(names, max_size=2).map(tuple),
)

tasks: SearchStrategy[Task] = _some_of(
    Task,
    {"id": names, "number": counts, "spec": _specs},
    state=st.sampled_from(State),
    reason=texts,
    branch=texts,
    worktree=texts,
    commits=st.none() | st.builds(Commits, base=oids, tip=st.none() | oids),
    attempts=counts,
    attempt=st.none() | _attempts,
    results=st.lists(_results, max_size=2).map(tuple),
    comments=st.lists(_comments, max_size=2).map(tuple),
    retried=counts,
    wake=st.none() | times,
    stale=st.booleans(),
    adopted=st.booleans(),
    conflict=st.none() | _conflicts,
    failed_conflict_id=texts,
    merged_as=st.none() | oids,
)

batches = st.lists(tasks, max_size=4, unique_by=(lambda task: task.id, lambda task: task.number))
