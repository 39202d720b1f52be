"""Approved tasks onto the integration branch: planned in memory, verified, and then published in one step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence

import msgspec

from gitorch.git import notes
from gitorch.git.replay import Conflicted, Replayed, replay
from gitorch.git.repository import RefMove, Repository
from gitorch.model import graph, note
from gitorch.model.naming import Oid, Ref, TaskId, branch_ref
from gitorch.model.task import CheckResult, State, Task

MERGEABLE = frozenset({State.APPROVED, State.CONFLICTED})

Check = Callable[[Oid], tuple[CheckResult, ...]]
"""Judges the tree of a commit."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One task that goes in: its own commits, replayed."""

    task: Task
    replayed: Replayed
    paths: frozenset[str]


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """One task that does not go in: the paths, and which tasks before it changed them."""

    task: Task
    paths: tuple[str, ...]
    partners: tuple[TaskId, ...]


class Held(msgspec.Struct, frozen=True):
    """One task that has to wait, and for what."""

    task: Task
    reason: str


class Failure(msgspec.Struct, frozen=True):
    """One task with which a check fails that passed without it."""

    task: Task
    check: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge would do. Nothing has been moved."""

    before: Oid | None
    onto: Oid
    steps: tuple[Step, ...] = ()
    clashes: tuple[Clash, ...] = ()
    held: tuple[Held, ...] = ()
    failures: tuple[Failure, ...] = ()
    results: tuple[CheckResult, ...] = ()
    red_base: str = ""

    @property
    def tip(self) -> Oid:
        return self.steps[-1].replayed.tip if self.steps else self.onto


class Progress(msgspec.Struct, frozen=True):
    """What a merge is doing now, for whoever watches."""

    doing: str
    step: int
    of: int


def choose(tasks: Mapping[TaskId, Task], names: Iterable[TaskId] | None, skip: Collection[TaskId]) -> list[Task]:
    """Return the tasks to merge, in merge order: the named ones, or all that are approved."""
    wanted = names if names is not None else [task.id for task in tasks.values() if task.state in MERGEABLE]
    return graph.merge_order(tasks[name] for name in wanted if name not in skip)


def plan(
    repository: Repository, tasks: Mapping[TaskId, Task], chosen: Sequence[Task], before: Oid | None, onto: Oid
) -> Plan:
    """Replay the chosen tasks on top of each other in memory, and say what goes in, what clashes and what waits."""
    steps: list[Step] = []
    clashes: list[Clash] = []
    held: list[Held] = []
    here = onto
    heads = repository.refs("refs/heads")
    for task in chosen:
        if reason := _missing(task, tasks, {step.task.id for step in steps}) or _moved(task, heads):
            held.append(Held(task, reason))
            continue
        assert task.base is not None
        assert task.tip is not None
        replayed = replay(repository, task.base, task.tip, here)
        if isinstance(replayed, Conflicted):
            clashes.append(_clash(task, replayed, steps))
            continue
        steps.append(Step(task=task, replayed=replayed, paths=changed_paths(repository, task.base, task.tip)))
        here = replayed.tip
    return Plan(before=before, onto=onto, steps=tuple(steps), clashes=tuple(clashes), held=tuple(held))


def _missing(task: Task, tasks: Mapping[TaskId, Task], going_in: Collection[TaskId]) -> str:
    if task.tip is None or task.base is None:
        return "it has no commits"
    for name in task.after:
        if name in tasks and tasks[name].state is not State.MERGED and name not in going_in:
            return f"it builds on {name}, which is {tasks[name].state}"
    return ""


def _moved(task: Task, heads: Mapping[Ref, Oid]) -> str:
    now = heads.get(branch_ref(task.branch))
    return "" if now == task.tip else f"{task.branch} has moved since it was approved: approve it again"


def _clash(task: Task, conflict: Conflicted, steps: Sequence[Step]) -> Clash:
    partners = tuple(step.task.id for step in steps if step.paths.intersection(conflict.paths))
    return Clash(task=task, paths=conflict.paths, partners=partners)


def changed_paths(repository: Repository, base: Oid, tip: Oid) -> frozenset[str]:
    """Return the paths that differ between two commits."""
    answer = repository.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", base, tip)
    return frozenset(answer.fields())


def verified(
    repository: Repository,
    tasks: Mapping[TaskId, Task],
    first: Plan,
    check: Check,
    verify: str,
) -> Generator[Progress, None, Plan]:
    """Check the trees of a plan as `verify` says, and return the plan of what stays green.

    `batch` checks the union and, where that is red, goes task by task to find who turns it red; `each` goes task by
    task at once; `end` checks the union and takes it or leaves it. A base that is red already is named, and no
    task is blamed for it.
    """
    if verify == "never" or not first.steps:
        return first
    if verify in ("batch", "end"):
        yield Progress("check the union", 1, 1)
        results = check(first.tip)
        if _green(results):
            return msgspec.structs.replace(first, results=results)
    yield Progress("check the base", 1, 1)
    if not _green(base_results := check(first.onto)):
        red = ", ".join(result.name for result in base_results if not result.passed)
        return _without(first, "the integration branch fails its checks without it", red_base=red)
    if verify == "end":
        return _without(first, "the union fails its checks")
    return (yield from _one_by_one(repository, tasks, first, check))


def _one_by_one(
    repository: Repository, tasks: Mapping[TaskId, Task], first: Plan, check: Check
) -> Generator[Progress, None, Plan]:
    chosen = [step.task for step in first.steps]
    failures: list[Failure] = []
    current = first
    at = 0
    while at < len(current.steps):
        step = current.steps[at]
        yield Progress(f"check {step.task.id}", at + 1, len(current.steps))
        results = check(step.replayed.tip)
        if _green(results):
            at += 1
            continue
        failures.append(Failure(step.task, next(result.name for result in results if not result.passed)))
        chosen.remove(step.task)
        # what passed so far keeps its place; what comes after is replayed without the one that failed
        current = plan(repository, tasks, chosen, first.before, first.onto)
    final = check(current.tip) if current.steps else ()
    return msgspec.structs.replace(
        current,
        clashes=(*first.clashes, *current.clashes),
        held=(*first.held, *current.held),
        failures=tuple(failures),
        results=final,
    )


def _without(first: Plan, reason: str, *, red_base: str = "") -> Plan:
    held = tuple(Held(step.task, reason) for step in first.steps)
    return msgspec.structs.replace(first, steps=(), held=(*first.held, *held), red_base=red_base)


def _green(results: Sequence[CheckResult]) -> bool:
    return all(result.passed for result in results)


def moves(repository: Repository, made: Plan, integration: str) -> list[RefMove]:
    """Return the ref moves that publish a plan: the integration branch, and the notes that follow the commits."""
    return [
        RefMove(branch_ref(integration), made.tip, made.before),
        *notes.build(repository, _note_lines(repository, made, integration)),
    ]


def _note_lines(repository: Repository, made: Plan, integration: str) -> dict[Oid, list[note.Line]]:
    lines: dict[Oid, list[note.Line]] = {}
    for step in made.steps:
        for old, new in step.replayed.pairs:
            carried = notes.read(repository, old) if new != old else []
            lines.setdefault(new, []).extend([*carried, note.merged_line(step.task.id, old, integration)])
    if made.results:
        lines.setdefault(made.tip, []).extend(note.check_line(result) for result in made.results)
    return lines
