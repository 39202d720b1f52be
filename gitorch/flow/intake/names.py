"""Turn drafts into tasks with unique ids and resolved dependencies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property

from gitorch.errors import InvalidInput, did_you_mean
from gitorch.flow.intake.draft import TaskDraft, origin_prefix
from gitorch.flow.intake.rivals import with_rivals
from gitorch.model import globs
from gitorch.model.graph import refuse_broken
from gitorch.model.naming import TaskId, slug, task_id
from gitorch.model.task import Task, TaskSpec, by_id


def resolve(
    drafts: Sequence[TaskDraft],
    existing: Mapping[TaskId, Task],
    next_number: int,
    *,
    reserved: Collection[str] = (),
    created: datetime | None = None,
    branch: str = "",
) -> list[Task]:
    """Return the tasks of these drafts, each with a unique id and the ids of its dependencies.

    A name in `after` may be an id, a number, a title or a unique prefix of an id; these drafts are searched first.
    `reserved` are further ids that cannot be used, `branch` is the one that the user is on. Raises `InvalidInput` for a
    duplicate id, an unknown or ambiguous dependency, a cycle, or paths that are not valid globs.
    """
    for draft in drafts:
        _refuse_invalid_globs(draft)
    ids = _assign_ids(drafts, {*existing, *reserved})
    names = _TaskNames(drafts, ids, existing)
    timestamp = created or datetime.now(UTC)
    tasks = [
        Task(
            id=name,
            number=number,
            spec=TaskSpec(
                title=draft.title,
                prompt=draft.prompt,
                agent=draft.agent,
                role=draft.role,
                priority=draft.priority,
                after=tuple(dict.fromkeys(names.find(dependency, name, draft.origin) for dependency in draft.after)),
                checks=draft.checks,
                paths=draft.paths,
                goal=draft.goal,
                acceptance=draft.acceptance,
                context=draft.context,
                base_ref=draft.base,
                base_branch=branch,
                budget=draft.budget,
                timeout=draft.timeout,
                created=timestamp,
            ),
        )
        for number, (name, draft) in enumerate(zip(ids, drafts, strict=True), start=next_number)
    ]
    tasks = with_rivals(tasks, dict(zip(ids, drafts, strict=True)), {*existing, *reserved}, next_number)
    refuse_broken(by_id(tasks), existing)
    return tasks


def _assign_ids(drafts: Iterable[TaskDraft], existing: Collection[str]) -> list[TaskId]:
    """Return an id for each draft: its own `id`, else a unique one derived from its title."""
    requested: dict[str, TaskDraft] = {}
    for draft in drafts:
        if draft.id:
            _refuse_duplicate(draft, requested, existing)
            requested[draft.id] = draft
    used = {*existing, *requested}
    ids = []
    for draft in drafts:
        ids.append(TaskId(draft.id) if draft.id else slug(draft.title, used))
        used.add(ids[-1])
    return ids


def _refuse_duplicate(draft: TaskDraft, earlier: Mapping[str, TaskDraft], existing: Collection[str]) -> None:
    try:
        task_id(draft.id)
    except InvalidInput as error:
        raise InvalidInput(
            error.code, f"{origin_prefix(draft.origin)}{error.what}", why=error.why, fix=error.fix
        ) from error
    if draft.id in existing:
        raise InvalidInput("duplicate-id", f"{origin_prefix(draft.origin)}a task called {draft.id} already exists")
    if draft.id in earlier:
        first = earlier[draft.id].origin
        raise InvalidInput(
            "duplicate-id", f"{origin_prefix(draft.origin)}two tasks are called {draft.id}", why=f"also {first}"
        )


def _refuse_invalid_globs(draft: TaskDraft) -> None:
    for pattern in draft.paths:
        if reason := globs.problem(pattern):
            raise InvalidInput(
                "task-invalid", f"{origin_prefix(draft.origin)}paths: {pattern} is not a valid glob", why=reason
            )


class _TaskNames:
    """All names that can refer to a task in `after`."""

    def __init__(self, drafts: Sequence[TaskDraft], ids: Sequence[TaskId], existing: Mapping[TaskId, Task]) -> None:
        self.new = set(ids)
        self.origins = {draft.origin: name for draft, name in zip(drafts, ids, strict=True) if draft.origin}
        self.existing = existing
        self.titles: dict[str, list[TaskId]] = {}
        for draft, name in zip(drafts, ids, strict=True):
            self.titles.setdefault(slug(draft.title), []).append(name)

    @cached_property
    def numbers(self) -> Mapping[str, TaskId]:
        """The existing tasks by number."""
        return {str(task.number): name for name, task in self.existing.items()}

    def find(self, dependency: str, name: TaskId, origin: str) -> TaskId:
        """Return the task that a dependency refers to. Raises `InvalidInput` if it is unknown or ambiguous."""
        for matches in self._candidates(dependency, name):
            if len(matches) > 1:
                choices = ", ".join(sorted(matches))
                raise InvalidInput(
                    "ambiguous-dependency",
                    f"{origin_prefix(origin)}{name} waits for {dependency}, which could be {choices}",
                )
            if matches:
                return matches.pop()
        raise InvalidInput(
            "unknown-dependency",
            f"{origin_prefix(origin)}{name} waits for {dependency}, which does not exist",
            why=did_you_mean(slug(dependency), [*self.new, *self.existing]),
            fix=("orchestrate status",),
        )

    def _candidates(self, dependency: str, name: TaskId) -> Iterator[set[TaskId]]:
        """Yield the tasks that the dependency could mean, the most specific match first."""
        title = slug(dependency) if re.search(r"[A-Za-z]", dependency) else ""
        ids = {*self.new, *self.existing}
        if dependency in self.origins:  # a nested item of a checklist
            yield {self.origins[dependency]}
        yield {TaskId(dependency)} & self.new
        yield {TaskId(title)} & self.new
        yield {task for task in self.titles.get(title, ()) if task != name}
        yield {TaskId(dependency)} & self.existing.keys()
        yield {task for task in (self.numbers.get(dependency.removeprefix("#")),) if task}
        yield {task for task in ids if dependency and task != name and task.startswith(dependency)}
