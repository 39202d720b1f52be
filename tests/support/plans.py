"""Any plan that could be, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from gitorch.model.naming import TaskId
from gitorch.model.plan import PlannedTask, Size, TaskPlan
from gitorch.model.task import Priority

_PIECES = ["a", "Add it", "\n", "\r\n", "\t", '"""', "'", "\\", "\\u0041", "#", "[[task]]", "\u202e", "\u200b", "🚀"]
lines = st.sampled_from(["Add a table", 'Say "hi"', "`;` [x] #1", "ünï\u202ecode 🚀", "back\\slash | {y}"]) | st.text(
    st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=5
).map(lambda text: f"T{text}")
blocks = st.lists(st.sampled_from(_PIECES), max_size=6).map(lambda pieces: f"Do {''.join(pieces)}")
_POOL = ["a", "b", "c1", "docs", "write-the-docs", "write-tests", "x-2", "login", "0", "api"]
ids = st.sampled_from(_POOL).map(TaskId)
_paths = st.sampled_from(["src/**", "docs/*.md", "a b/`;`.py", "ünïcode/**"])


@st.composite
def _task(draw: st.DrawFn, name: TaskId, earlier: list[TaskId]) -> PlannedTask:
    return PlannedTask(
        id=name,
        title=draw(lines),
        prompt=draw(blocks),
        role=draw(st.sampled_from(["", "generalist"])),
        agent=draw(st.sampled_from(["", "claude"])),
        priority=draw(st.sampled_from(Priority)),
        after=tuple(draw(st.lists(st.sampled_from(earlier), unique=True, max_size=4))) if earlier else (),
        paths=tuple(draw(st.lists(_paths, max_size=2, unique=True))),
        acceptance=tuple(draw(st.lists(blocks, max_size=2))),
        size=draw(st.sampled_from(Size)),
    )


@st.composite
def plans(draw: st.DrawFn, least: int = 0) -> TaskPlan:
    """Return a valid plan of up to eight tasks, in any order."""
    found: list[PlannedTask] = []
    for name in draw(st.lists(ids, min_size=least, max_size=8, unique=True)):
        found.append(draw(_task(name, [task.id for task in found])))
    return TaskPlan(goal=draw(blocks), tasks=tuple(draw(st.permutations(found))), made_by="a-model")
