"""Plans without a model: a task for each item that a goal enumerates, or the usual parts of goals of its kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from gitorch.errors import SetupNeeded
from gitorch.flow.planning.heuristics.enumeration import Enumeration, read_enumeration, read_objects
from gitorch.flow.planning.heuristics.features import read_features
from gitorch.flow.planning.heuristics.lexicon import is_creation, lexicon, without_politeness
from gitorch.flow.planning.heuristics.templates import PartTemplate, feature_parts, kinds_of, parts_of
from gitorch.model.naming import TaskId, slug
from gitorch.model.plan import BY_HEURISTICS, PlanMessage, PlannedTask, PlanProposal, TaskPlan, valid
from gitorch.model.roles import Role, route

_TITLE_WIDTH = 72


class Heuristics:
    """A planner that uses only the words of the goal; it reads no repository and asks no model."""

    def __init__(self, roles: Mapping[str, Role]) -> None:
        self.roles = roles

    def plan(self, goal: str, constraints: Sequence[str]) -> PlanProposal:
        """Split a goal into the items that it enumerates, or the usual parts of its kind; else keep it one task."""
        valid(TaskPlan(goal=goal))
        tasks = self._parts(without_politeness(goal)) or [self._task(goal, ())]
        requirements = "".join(f"\n- {constraint}" for constraint in constraints)
        if requirements:
            tasks = [_with_constraints(task, requirements) for task in tasks]
        plan = valid(TaskPlan(goal=goal, tasks=tuple(tasks), made_by=BY_HEURISTICS))
        return PlanProposal(plan=plan, reply=_REPLY.format(count=len(tasks)) if len(tasks) > 1 else _WHOLE)

    def discuss(self, plan: TaskPlan, conversation: Sequence[PlanMessage], words: str) -> PlanProposal:  # noqa: ARG002
        """Raise `SetupNeeded`: heuristics cannot answer messages."""
        raise SetupNeeded("no-model", "heuristics cannot discuss a plan", fix=("orchestrate doctor",))

    def _parts(self, goal: str) -> list[PlannedTask]:
        """Return the parts of a goal; none if it cannot be split."""
        request = read_features(goal) if is_creation(goal) else None
        if request and request.is_ability and (tasks := self._from_templates(feature_parts(goal, request))):
            return tasks
        return (
            self._from_enumeration(read_enumeration(goal))
            or (self._from_templates(feature_parts(goal, request)) if request else [])
            or self._from_enumeration(read_objects(goal))
            or (self._from_templates(_usual_parts(goal)) if is_creation(goal) else [])
        )

    def _from_enumeration(self, enumeration: Enumeration | None) -> list[PlannedTask]:
        if enumeration is None:
            return []
        tasks: list[PlannedTask] = []
        for item in enumeration.items:
            dependencies = tasks[-1:] if enumeration.ordered else _before(item, tasks)
            after = tuple(task.id for task in dependencies)
            tasks.append(self._task(item, after, used_ids=[task.id for task in tasks]))
        return tasks

    def _from_templates(self, parts: Sequence[PartTemplate]) -> list[PlannedTask]:
        names: dict[str, TaskId] = {}
        for part in parts:
            names[part.key] = slug(part.title, [*names.values()])
        return [
            PlannedTask(
                id=names[part.key],
                title=_title(part.title),
                prompt=part.prompt,
                role=part.role if part.role in self.roles else route(part.title, self.roles)[0].name,
                after=tuple(names[key] for key in part.after),
                acceptance=part.acceptance,
                size=part.size,
            )
            for part in parts
        ]

    def _task(self, text: str, after: tuple[TaskId, ...], used_ids: Sequence[TaskId] = ()) -> PlannedTask:
        title = _title(text)
        role = route(title, self.roles, prompt=text.strip().removeprefix(title))[0].name
        return PlannedTask(id=slug(title, used_ids), title=title, prompt=text.strip(), role=role, after=after)


_REPLY = (
    "This plan has {count} tasks. It was made from the words of the goal alone: check it closely, above all the "
    "dependencies."
)
_WHOLE = "The words of the goal name no parts, so it stays one task: split it yourself, or ask a model to."

_ABOUT_ALL = re.compile(
    r"^[\w-]+ (?:\w+ )?(?:them|both|everything)\b|\b(?:of|for|to|on) (?:them|both|everything)$", re.I
)
_ABOUT_ONE = re.compile(r"^[\w-]+ (?:up |out )?it\b|\b(?:of|for|to|on) it$", re.IGNORECASE)


def _usual_parts(goal: str) -> list[PartTemplate]:
    """Return the usual parts of a goal of a known kind; none if it is a single part."""
    kinds = kinds_of(goal)
    return parts_of(kinds) if len(kinds) > 1 else []


def _before(item: str, tasks: Sequence[PlannedTask]) -> Sequence[PlannedTask]:
    """Return the tasks that an item refers to, and so waits for."""
    if _comes_last(item):
        return [task for task in tasks if not _comes_last(task.title)]
    if _ABOUT_ALL.search(item):
        return tasks
    return tasks[-1:] if _ABOUT_ONE.search(item) else ()


def _comes_last(item: str) -> bool:
    """Return whether an item concerns the results of the others: testing, documenting or shipping them."""
    words = [word.strip(".,:;()`\"'").lower() for word in item.split()[:4]]
    return not lexicon().closing_words.isdisjoint(words)


def _title(text: str) -> str:
    line = next(" ".join(line.split()) for line in text.splitlines() if line.strip())
    line = "".join(character for character in line if character.isprintable()) or "Task"
    if len(line) <= _TITLE_WIDTH:
        return line.rstrip(".:") or line
    return line[:_TITLE_WIDTH].rsplit(" ", 1)[0] + "…"


def _with_constraints(task: PlannedTask, requirements: str) -> PlannedTask:
    return msgspec.structs.replace(task, prompt=f"{task.prompt}\n\nRequired as well:\n{requirements}")


__all__ = ["Heuristics"]
