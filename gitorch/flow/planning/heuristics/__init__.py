"""A goal as a plan without a model: what it enumerates, or the parts that goals of its kind have; labelled so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gitorch.errors import SetupNeeded
from gitorch.flow.planning.heuristics.enumeration import Enumerated, enumerated, objects
from gitorch.flow.planning.heuristics.features import featured
from gitorch.flow.planning.heuristics.lexicon import is_making, lexicon, without_politeness
from gitorch.flow.planning.heuristics.templates import Block, blocks_of, features_of, kinds_of
from gitorch.model.naming import TaskId, slug
from gitorch.model.plan import BY_HEURISTICS, Plan, PlannedTask, Proposed, Said, valid
from gitorch.model.roles import Role, route

_TITLE_WIDTH = 72


class Heuristics:
    """A planner that goes by the words of the goal; it knows neither the repository nor what was meant."""

    def __init__(self, roles: Mapping[str, Role]) -> None:
        self.roles = roles

    def plan(self, goal: str, constraints: Sequence[str]) -> Proposed:
        """Break a goal into what it enumerates, else into the known parts of its kind, else leave it one task."""
        valid(Plan(goal=goal))
        tasks = self._parts(without_politeness(goal)) or [self._task(goal, ())]
        asked = "".join(f"\n- {one}" for one in constraints)
        if asked:
            tasks = [_with_constraints(task, asked) for task in tasks]
        plan = valid(Plan(goal=goal, tasks=tuple(tasks), made_by=BY_HEURISTICS))
        return Proposed(plan=plan, reply=_REPLY.format(count=len(tasks)) if len(tasks) > 1 else _WHOLE)

    def discuss(self, plan: Plan, conversation: Sequence[Said], words: str) -> Proposed:  # noqa: ARG002
        """Raise `SetupNeeded`: heuristics do not understand what is said."""
        raise SetupNeeded("no-model", "heuristics cannot discuss a plan", fix=("orchestrate doctor",))

    def _parts(self, goal: str) -> list[PlannedTask]:
        """Return the parts of a goal; none for one that is of a piece."""
        made = featured(goal) if is_making(goal) else None
        if made and made.is_ability and (found := self._of_blocks(features_of(goal, made))):
            return found
        return (
            self._of_list(enumerated(goal))
            or (self._of_blocks(features_of(goal, made)) if made else [])
            or self._of_list(objects(goal))
            or (self._of_blocks(_known_parts(goal)) if is_making(goal) else [])
        )

    def _of_list(self, found: Enumerated | None) -> list[PlannedTask]:
        if found is None:
            return []
        tasks: list[PlannedTask] = []
        for item in found.items:
            before = tasks[-1:] if found.ordered else _before(item, tasks)
            after = tuple(task.id for task in before)
            tasks.append(self._task(item, after, taken=[task.id for task in tasks]))
        return tasks

    def _of_blocks(self, blocks: Sequence[Block]) -> list[PlannedTask]:
        names: dict[str, TaskId] = {}
        for block in blocks:
            names[block.key] = slug(block.title, [*names.values()])
        return [
            PlannedTask(
                id=names[block.key],
                title=_title(block.title),
                prompt=block.prompt,
                role=block.role if block.role in self.roles else route(block.title, self.roles)[0].name,
                after=tuple(names[key] for key in block.after),
                acceptance=block.acceptance,
                size=block.size,
            )
            for block in blocks
        ]

    def _task(self, text: str, after: tuple[TaskId, ...], taken: Sequence[TaskId] = ()) -> PlannedTask:
        title = _title(text)
        role = route(title, self.roles, prompt=text.strip().removeprefix(title))[0].name
        return PlannedTask(id=slug(title, taken), title=title, prompt=text.strip(), role=role, after=after)


_REPLY = (
    "This plan has {count} tasks. It goes by the words of the goal alone: look at it closely, above all at what waits "
    "for what."
)
_WHOLE = "The words of the goal name no parts, so it stays one task: split it yourself, or have a model look at it."

_ABOUT_ALL = re.compile(
    r"^[\w-]+ (?:\w+ )?(?:them|both|everything)\b|\b(?:of|for|to|on) (?:them|both|everything)$", re.I
)
_ABOUT_ONE = re.compile(r"^[\w-]+ (?:up |out )?it\b|\b(?:of|for|to|on) it$", re.IGNORECASE)


def _known_parts(goal: str) -> list[Block]:
    """Return the parts of a goal of a known kind; none where it is one part itself."""
    kinds = kinds_of(goal)
    return blocks_of(kinds) if len(kinds) > 1 else []


def _before(item: str, tasks: Sequence[PlannedTask]) -> Sequence[PlannedTask]:
    """Return which of the tasks before an item it waits for: what it is about."""
    if _comes_last(item):
        return [task for task in tasks if not _comes_last(task.title)]
    if _ABOUT_ALL.search(item):
        return tasks
    return tasks[-1:] if _ABOUT_ONE.search(item) else ()


def _comes_last(item: str) -> bool:
    """Tell whether an item is about what the others make: testing it, describing it, shipping it."""
    words = [word.strip(".,:;()`\"'").lower() for word in item.split()[:4]]
    return not lexicon().closing_words.isdisjoint(words)


def _title(text: str) -> str:
    line = next(" ".join(line.split()) for line in text.splitlines() if line.strip())
    line = "".join(character for character in line if character.isprintable()) or "Task"
    if len(line) <= _TITLE_WIDTH:
        return line.rstrip(".:") or line
    return line[:_TITLE_WIDTH].rsplit(" ", 1)[0] + "…"


def _with_constraints(task: PlannedTask, asked: str) -> PlannedTask:
    import msgspec

    return msgspec.structs.replace(task, prompt=f"{task.prompt}\n\nWhat was asked for beside the goal:\n{asked}")


__all__ = ["Heuristics"]
