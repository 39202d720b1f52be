"""A plan as a value, and its validation."""

from __future__ import annotations

import graphlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from gitorch.errors import InvalidInput
from gitorch.model import globs
from gitorch.model.naming import TaskId, task_id
from gitorch.model.task import Priority

MOST_TASKS = 100
LONGEST_TITLE = 200
LONGEST_TEXT = 20_000
"""Characters of a goal or a prompt."""

MOST_ENTRIES = 50
"""Paths, or acceptance criteria, of one task."""

LONGEST_ENTRY = 1_000

BY_HEURISTICS = "made by heuristics, not by a model"
BY_HAND = "made by hand"


class Size(StrEnum):
    """How much work a task is, roughly; `weight` compares them."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"

    @property
    def weight(self) -> int:
        return {"small": 1, "medium": 2, "large": 4}[self.value]


class PlannedTask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One task of a plan. Its id is a name within the plan; empty `role` and `agent` are chosen when it is queued."""

    id: TaskId
    title: str
    prompt: str
    role: str = ""
    agent: str = ""
    priority: Priority = Priority.NORMAL
    after: tuple[TaskId, ...] = ()
    paths: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = ()
    size: Size = Size.MEDIUM


class TaskPlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A goal and the tasks that reach it, in their order where the graph leaves a choice.

    `made_by` names the author: a model, or `BY_HEURISTICS`.
    """

    goal: str
    tasks: tuple[PlannedTask, ...] = ()
    made_by: str = ""

    @property
    def by_id(self) -> dict[TaskId, PlannedTask]:
        return {task.id: task for task in self.tasks}


class Problem(msgspec.Struct, frozen=True):
    """Why a plan is not valid: a stable code for programs, and a message."""

    code: str
    text: str


def valid(plan: TaskPlan) -> TaskPlan:
    """Return the plan, or raise `InvalidInput` that lists all problems."""
    refuse(list(problems(plan)))
    return plan


def refuse(all_problems: Sequence[Problem]) -> None:
    """Raise `InvalidInput` for problems, if there are any: the first as what happened, all of them as why."""
    if not all_problems:
        return
    first, *others = all_problems
    summary = "; ".join(problem.text for problem in all_problems[:20]) + (
        f"; and {len(all_problems) - 20} more" if len(all_problems) > 20 else ""
    )
    message = f"{first.text} (and {len(others)} more problems)" if others else first.text
    raise InvalidInput(first.code, message, why=summary if others else "")


def problems(plan: TaskPlan) -> Iterator[Problem]:
    """Yield the problems of a plan, the worst first."""
    if len(plan.tasks) > MOST_TASKS:
        yield Problem("too-many-tasks", f"the plan has {len(plan.tasks)} tasks; the most is {MOST_TASKS}")
        return
    yield from _problems_of_goal(plan.goal)
    counts = Counter(task.id for task in plan.tasks)
    yield from (
        Problem("duplicate-id", f"{count} tasks are called {quoted(name)}")
        for name, count in counts.items()
        if count > 1
    )
    for task in plan.tasks:
        yield from problems_of_task(task)
        yield from _problems_of_after(task, counts)
    if cycle := cycle_in({task.id: task.after for task in plan.tasks}):
        yield Problem("cycle", f"these tasks wait for each other: {' -> '.join(map(quoted, cycle))}")


def _problems_of_goal(goal: str) -> Iterator[Problem]:
    if not goal.strip():
        yield Problem("empty-goal", "the plan has no goal")
    yield from _too_long("the goal", goal, LONGEST_TEXT)


def _problems_of_after(task: PlannedTask, names: Mapping[TaskId, int]) -> Iterator[Problem]:
    for needed in task.after:
        if needed not in names:
            yield Problem(
                "unknown-dependency", f"{quoted(task.id)} waits for {quoted(needed)}, which is not in the plan"
            )
    for needed, count in Counter(task.after).items():
        if count > 1:
            yield Problem("duplicate-dependency", f"{quoted(task.id)} waits for {quoted(needed)} {count} times")


def problems_of_task(task: PlannedTask) -> Iterator[Problem]:
    """Yield the problems of a task, independent of the rest of the plan."""
    name = quoted(task.id)
    try:
        task_id(task.id)
    except InvalidInput as error:
        yield Problem(error.code, f"{name} cannot be a task's name: {error.why}")
    if not task.title.strip():
        yield Problem("empty-title", f"{name} has no title")
    if any(character in task.title for character in "\n\r\t"):
        yield Problem("title", f"the title of {name} has more than one line")
    if any(_is_control(character) for text in texts_of(task) for character in text):
        yield Problem("control-characters", f"{name} holds control characters, such as escape codes of a terminal")
    if not task.prompt.strip():
        yield Problem("empty-prompt", f"{name} has an empty prompt")
    yield from _too_long(f"the title of {name}", task.title, LONGEST_TITLE)
    yield from _too_long(f"the prompt of {name}", task.prompt, LONGEST_TEXT)
    yield from _problems_of_entries(f"the paths of {name}", task.paths)
    yield from _problems_of_entries(f"the acceptance criteria of {name}", task.acceptance)
    for path in task.paths:
        if path.startswith("/") or ".." in path.split("/"):
            yield Problem("path", f"{quoted(path)}, a path of {name}, leads out of the repository")
        elif path.strip() and (reason := globs.problem(path)):
            yield Problem("path", f"{quoted(path)}, a path of {name}, is not a valid glob: {reason}")


def texts_of(task: PlannedTask) -> tuple[str, ...]:
    """Return all free text of a task."""
    return (task.title, task.prompt, *task.paths, *task.acceptance)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character not in "\n\t\r"


def _problems_of_entries(subject: str, entries: Sequence[str]) -> Iterator[Problem]:
    if len(entries) > MOST_ENTRIES:
        yield Problem("too-long", f"{subject} are {len(entries)}; the most is {MOST_ENTRIES}")
    if any(not entry.strip() for entry in entries):
        yield Problem("empty-entry", f"one of {subject} is empty")
    for entry in entries:
        yield from _too_long(f"one of {subject}", entry, LONGEST_ENTRY)


def _too_long(subject: str, text: str, limit: int) -> Iterator[Problem]:
    if len(text) > limit:
        yield Problem("too-long", f"{subject} has {len(text)} characters; the most is {limit}")
    try:
        text.encode()
    except UnicodeEncodeError:
        yield Problem("not-utf8", f"{subject} is not UTF-8 text")


def quoted(name: str) -> str:
    """Return a name for a message: unchanged if it looks like a task id, else quoted; cut to 60 characters."""
    if name and all(character.isascii() and (character.isalnum() or character == "-") for character in name[:60]):
        return name if len(name) <= 60 else name[:60] + "…"
    return ascii(name[:60]) + ("…" if len(name) > 60 else "")


def cycle_in(after: Mapping[TaskId, Iterable[TaskId]]) -> list[TaskId]:
    """Return a cycle with its first name repeated at the end, each waiting for the next; empty if there is none."""
    try:
        graphlib.TopologicalSorter(after).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []
