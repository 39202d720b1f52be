"""Fakes for merges: a replayer whose commits are names of tasks, and a check that looks only at those names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from gitorch.flow.merge.values import MergePlan, MergeStep, Progress
from gitorch.model.naming import Oid, Ref, TaskId, branch_ref
from gitorch.model.task import CheckResult, State, Task, by_id
from gitorch.replay import CommitRange, Conflicted, Replayed, Stage, UpstreamCommit
from tests.support.tasks import make_task

MAIN = Oid("main")
Names = frozenset[str]
Result = TypeVar("Result")


def approved(name: str, number: int, *after: str, **fields: Any) -> Task:
    """Return an approved task; its tip is the commit `NAME-tip`."""
    return make_task(
        id=TaskId(name),
        number=number,
        title=name,
        prompt=name,
        **{"state": State.APPROVED, "branch": f"orch/{name}", "base": MAIN, "tip": Oid(f"{name}-tip"), **fields},
        after=tuple(TaskId(needed) for needed in after),
    )


def approved_tasks(*names: str, **after: str) -> dict[TaskId, Task]:
    """Return approved tasks in this order; `after` maps further ones to what they depend on, with spaces between."""
    needs = dict.fromkeys(names, "") | after
    return by_id(approved(name, number, *needed.split()) for number, (name, needed) in enumerate(needs.items(), 1))


def commit_of(names: Iterable[str]) -> Oid:
    """Return the commit of tasks on top of each other."""
    return Oid("+".join([MAIN, *names]))


def names_in(commit: str) -> Names:
    """Return the tasks that a commit is the union of."""
    return frozenset(commit.split("+")[1:])


class FakeRefs:
    """The branches of tasks, all at their tips."""

    def __init__(self, tasks: Mapping[TaskId, Task]) -> None:
        self.tips = {branch_ref(task.branch): task.tip for task in tasks.values() if task.tip}

    def refs(self, *patterns: str) -> Mapping[Ref, Oid]:
        assert patterns == ("refs/heads",)
        return self.tips


class FakeReplayer:
    """Replays tasks as names. The last task of a group in `conflicts` does not go in; most groups are pairs.

    Each task changes a path of its own, and one for each of its groups in `conflicts`. Groups in `silent` conflict
    without a common path, as a renamed folder does. A group in `removals` no longer conflicts when a further task
    is in, which removes what the group conflicts in.
    """

    def __init__(
        self,
        tasks: Mapping[TaskId, Task],
        conflicts: Collection[Names] = (),
        silent: Collection[Names] = (),
        removals: Mapping[Names, str] | None = None,
    ) -> None:
        self.repository = FakeRefs(tasks)
        self.conflicts = [*conflicts]
        self.silent = [*silent]
        self.removals = removals or {}
        self.kept: list[Oid] = []

    def read(self, ranges: Iterable[CommitRange], onto: Oid) -> None:
        assert onto == MAIN
        assert all(commits.tip.endswith("-tip") for commits in ranges)

    def paths(self, commits: CommitRange, onto: Oid) -> frozenset[str]:
        assert onto == MAIN
        return self._paths(_name(commits))

    def rooted(self, ranges: Sequence[CommitRange], onto: Oid, tips: tuple[Oid, ...] = ()) -> list[bool]:
        assert onto == MAIN
        return [True for _ in ranges]

    def upstream(self, base: Oid, onto: Oid) -> list[UpstreamCommit]:
        assert onto == MAIN
        return []

    def replay(self, commits: CommitRange, onto: Oid) -> Replayed | Conflicted:
        name, merged = _name(commits), names_in(onto)
        groups = [group for group in (*self.conflicts, *self.silent) if name in group and group - {name} <= merged]
        groups = [group for group in groups if self.removals.get(group) not in merged]
        if groups:
            partners = frozenset[str]().union(*groups) - {name}
            shared = {path for partner in partners for path in self._paths(name) & self._paths(partner)}
            stages = tuple(Stage(path, 2, "100644", Oid("ours")) for path in sorted(shared))
            return Conflicted(commits.tip, tuple(sorted(shared or {f"{name}.txt"})), stages)
        new = Oid(f"{onto}+{name}")
        return Replayed(new, ((commits.tip, new),))

    def tree(self, commit: Oid) -> Oid:
        return Oid("tree " + " ".join(sorted(names_in(commit))))

    def keep(self, *tips: Oid) -> None:
        self.kept += tips

    def _paths(self, name: str) -> frozenset[str]:
        groups = [group for group in self.conflicts if name in group or self.removals.get(group) == name]
        return frozenset([f"{name}.txt", *("-".join(sorted(group)) for group in groups)])


def _name(commits: CommitRange) -> str:
    return commits.tip.removesuffix("-tip")


class FakeUnions:
    """Builds any union of tasks, except those that contain an `impossible` set; `paths` are what they change."""

    def __init__(self, *impossible: Names, paths: Mapping[TaskId, frozenset[str]] | None = None) -> None:
        self.impossible = impossible
        self.paths = paths or {}

    def union(self, order: Sequence[Task]) -> Oid | None:
        names = [task.id for task in order]
        return None if any(group.issubset(names) for group in self.impossible) else commit_of(names)


class FakeCheck:
    """A check that fails on the unions that `is_red` names; it records what it looked at."""

    def __init__(self, is_red: Callable[[Names], bool]) -> None:
        self.is_red = is_red
        self.checked: list[Names] = []
        self._lock = threading.Lock()

    def __call__(
        self, commit: Oid, *, retry: bool = False, on_check: Callable[[str], None] = lambda _: None
    ) -> tuple[CheckResult, ...]:
        on_check("test")
        names = names_in(commit)
        with self._lock:
            self.checked.append(names)
            code = 1 if self.is_red(names) else 0
        tree = FakeReplayer({}).tree(commit)
        output = f"output of {'+'.join(sorted(names))}"
        return (
            CheckResult(name="test", command="x", tree=tree, exit_code=code, output=output, flaky=retry and not code),
        )


def plan_of(order: Sequence[Task], verify: str = "batch") -> MergePlan:
    """Return the plan in which all these tasks go in."""
    steps = []
    for end, task in enumerate(order, start=1):
        new = commit_of(entry.id for entry in order[:end])
        assert task.tip is not None
        replayed = Replayed(new, ((task.tip, new),))
        steps.append(MergeStep(task=task, replayed=replayed, paths=frozenset([f"{task.id}.txt"])))
    return MergePlan(before=MAIN, onto=MAIN, order=tuple(order), steps=tuple(steps), verify=verify)


def finish(steps: Generator[Progress, None, Result]) -> Result:
    """Run a generator to its end; return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
