"""Drafts as tasks: each with an id of its own, and with the ids of what it waits for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from gitorch.errors import InvalidInput, did_you_mean
from gitorch.flow.intake.draft import Draft, place_of
from gitorch.model import globs
from gitorch.model.graph import refuse_broken
from gitorch.model.naming import TaskId, slug, task_id
from gitorch.model.task import Task, TaskSpec, by_id


def resolve(
    drafts: Sequence[Draft],
    existing: Mapping[TaskId, Task],
    next_number: int,
    *,
    taken: Collection[str] = (),
    created: datetime | None = None,
) -> list[Task]:
    """Return the tasks of these drafts, each with an id of its own, and with the ids of what it waits for.

    A name in `after` may be an id, a number, a title or a unique beginning of an id, of these drafts first.
    `taken` are further ids that cannot be used. Raises `InvalidInput`, with the names, for an id that is taken, a
    dependency that is unknown or ambiguous, a cycle, and paths that are not valid globs.
    """
    for draft in drafts:
        _refuse_invalid_globs(draft)
    ids = _identified(drafts, {*existing, *taken})
    names = _Names(drafts, ids, existing)
    when = created or datetime.now(UTC)
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
                after=tuple(dict.fromkeys(names.find(wanted, name, draft.origin) for wanted in draft.after)),
                checks=draft.checks,
                paths=draft.paths,
                goal=draft.goal,
                acceptance=draft.acceptance,
                context=draft.context,
                base_ref=draft.base,
                budget=draft.budget,
                timeout=draft.timeout,
                created=when,
            ),
        )
        for number, (name, draft) in enumerate(zip(ids, drafts, strict=True), start=next_number)
    ]
    refuse_broken(by_id(tasks), existing)
    return tasks


def _identified(drafts: Iterable[Draft], existing: Collection[str]) -> list[TaskId]:
    """Return an id for each draft: the one it asks for, else one made of its title beside all others."""
    wanted: dict[str, Draft] = {}
    for draft in drafts:
        if draft.id:
            _refuse_taken(draft, wanted, existing)
            wanted[draft.id] = draft
    used = {*existing, *wanted}
    ids = []
    for draft in drafts:
        ids.append(TaskId(draft.id) if draft.id else slug(draft.title, used))
        used.add(ids[-1])
    return ids


def _refuse_taken(draft: Draft, wanted: Mapping[str, Draft], existing: Collection[str]) -> None:
    try:
        task_id(draft.id)
    except InvalidInput as error:
        raise InvalidInput(error.code, f"{place_of(draft.origin)}{error.what}", why=error.why, fix=error.fix) from error
    if draft.id in existing:
        raise InvalidInput("duplicate-id", f"{place_of(draft.origin)}there is a task called {draft.id} already")
    if draft.id in wanted:
        first = wanted[draft.id].origin
        raise InvalidInput(
            "duplicate-id", f"{place_of(draft.origin)}two tasks are called {draft.id}", why=f"also {first}"
        )


def _refuse_invalid_globs(draft: Draft) -> None:
    for pattern in draft.paths:
        if reason := globs.problem(pattern):
            raise InvalidInput(
                "task-invalid", f"{place_of(draft.origin)}paths: {pattern} is not a valid glob", why=reason
            )


class _Names:
    """All names that a dependency may be called by."""

    def __init__(self, drafts: Sequence[Draft], ids: Sequence[TaskId], existing: Mapping[TaskId, Task]) -> None:
        self.own = set(ids)
        self.existing = existing
        self.numbers = {str(task.number): name for name, task in existing.items()}
        self.titles: dict[str, list[TaskId]] = {}
        for draft, name in zip(drafts, ids, strict=True):
            self.titles.setdefault(slug(draft.title), []).append(name)

    def find(self, wanted: str, name: TaskId, origin: str) -> TaskId:
        """Return the one task that is meant, or raise `InvalidInput`."""
        for found in self._candidates(wanted, name):
            if len(found) > 1:
                raise InvalidInput(
                    "ambiguous-dependency",
                    f"{place_of(origin)}{name} waits for {wanted}, which could be {', '.join(sorted(found))}",
                )
            if found:
                return found.pop()
        raise InvalidInput(
            "unknown-dependency",
            f"{place_of(origin)}{name} waits for {wanted}, which does not exist",
            why=did_you_mean(slug(wanted), [*self.own, *self.existing]),
            fix=("orchestrate status",),
        )

    def _candidates(self, wanted: str, name: TaskId) -> Iterator[set[TaskId]]:
        """Yield what the name could mean, the surest meaning first."""
        plain = slug(wanted) if re.search(r"[A-Za-z0-9]", wanted) else ""
        yield {one for one in (TaskId(wanted),) if one in self.own}
        yield {one for one in (TaskId(plain),) if one in self.own}
        yield {one for one in self.titles.get(plain, ()) if one != name}
        yield {one for one in (TaskId(wanted),) if one in self.existing}
        yield {one for one in (self.numbers.get(wanted.removeprefix("#")),) if one}
        yield {one for one in {*self.own, *self.existing} if wanted and one != name and one.startswith(wanted)}
