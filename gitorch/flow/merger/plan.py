"""What a merge would do: which tasks go in and how, which clash, which wait."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from gitorch.git.replay import Conflicted, Own, Replayed, Replayer
from gitorch.git.repository import Repository
from gitorch.model import graph
from gitorch.model.naming import Oid, Ref, TaskId, branch_ref
from gitorch.model.task import CheckResult, State, Task

MERGEABLE = frozenset({State.APPROVED, State.CONFLICTED})


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
    replayer: Replayer, tasks: Mapping[TaskId, Task], chosen: Sequence[Task], before: Oid | None, onto: Oid
) -> Plan:
    """Replay the chosen tasks on top of each other in memory, and say what goes in, what clashes and what waits."""
    repository = replayer.repository
    steps: list[Step] = []
    clashes: list[Clash] = []
    held: list[Held] = []
    here = onto
    heads = repository.refs("refs/heads")
    in_before = tuple(task.tip for task in tasks.values() if task.state is State.MERGED and task.tip)
    for task in chosen:
        if reason := _missing(task, tasks, {step.task.id for step in steps}) or _moved(task, heads):
            held.append(Held(task, reason))
            continue
        assert task.base is not None
        assert task.tip is not None
        replayed = replayer.replay(Own(task.base, task.tip, in_before), here)
        if isinstance(replayed, Conflicted):
            clashes.append(_clash(task, replayed, steps))
            continue
        steps.append(Step(task=task, replayed=replayed, paths=changed_paths(repository, task.base, task.tip)))
        here = replayed.tip
        in_before = (*in_before, task.tip)
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
