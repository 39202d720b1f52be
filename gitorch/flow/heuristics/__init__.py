"""A goal as a plan without a model: what it enumerates, or the parts that goals of its kind have; labelled so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitorch.errors import SetupNeeded
from gitorch.flow.heuristics.enumeration import enumerated
from gitorch.flow.heuristics.shapes import blocks_of
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
        tasks = self._of_list(goal) or self._of_shape(goal) or [self._task(goal, ())]
        asked = "".join(f"\n- {one}" for one in constraints)
        if asked:
            tasks = [_with_constraints(task, asked) for task in tasks]
        plan = valid(Plan(goal=goal, tasks=tuple(tasks), made_by=BY_HEURISTICS))
        return Proposed(plan=plan, reply=_REPLY.format(count=len(tasks), s="s" * (len(tasks) != 1)))

    def discuss(self, plan: Plan, conversation: Sequence[Said], words: str) -> Proposed:  # noqa: ARG002
        """Raise `SetupNeeded`: heuristics do not understand what is said."""
        raise SetupNeeded("no-model", "heuristics cannot discuss a plan", fix=("orchestrate doctor",))

    def _of_list(self, goal: str) -> list[PlannedTask]:
        found = enumerated(goal)
        if found is None:
            return []
        tasks: list[PlannedTask] = []
        for item in found.items:
            before = tasks[-1:] if found.ordered else tasks if _comes_last(item) else []
            after = tuple(task.id for task in before if found.ordered or not _comes_last(task.title))
            tasks.append(self._task(item, after, taken=[task.id for task in tasks]))
        return tasks

    def _of_shape(self, goal: str) -> list[PlannedTask]:
        blocks = blocks_of(goal)
        if len(blocks) < 2:
            return []
        names = {block.key: slug(block.title) for block in blocks}
        return [
            PlannedTask(
                id=names[block.key],
                title=block.title,
                prompt=block.prompt,
                role=block.role if block.role in self.roles else route(block.title, self.roles)[0].name,
                after=tuple(names[key] for key in block.after if key in names),
                acceptance=block.acceptance,
                size=block.size,
            )
            for block in blocks
        ]

    def _task(self, text: str, after: tuple[TaskId, ...], taken: Sequence[TaskId] = ()) -> PlannedTask:
        title = _title(text)
        role = route(title, self.roles)[0].name
        return PlannedTask(id=slug(title, taken), title=title, prompt=text.strip(), role=role, after=after)


_REPLY = (
    "This plan has {count} task{s}. It goes by the words of the goal alone: look at it closely, above all at what "
    "waits for what."
)

_LAST = ("test", "tests", "testing", "document", "documentation", "docs", "readme", "deploy", "deployment", "release")


def _comes_last(item: str) -> bool:
    """Tell whether an item is about what the others make: testing it, describing it, shipping it."""
    words = [word.strip(".,:;()`\"'").lower() for word in item.split()[:4]]
    return any(word in _LAST for word in words)


def _title(text: str) -> str:
    line = next(" ".join(line.split()) for line in text.splitlines() if line.strip())
    line = "".join(character for character in line if character.isprintable()) or "Task"
    if len(line) <= _TITLE_WIDTH:
        return line.rstrip(".:")
    return line[:_TITLE_WIDTH].rsplit(" ", 1)[0] + "…"


def _with_constraints(task: PlannedTask, asked: str) -> PlannedTask:
    import msgspec

    return msgspec.structs.replace(task, prompt=f"{task.prompt}\n\nWhat was asked for beside the goal:\n{asked}")


__all__ = ["Heuristics"]
