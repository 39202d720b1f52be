"""Judge trees by the checks of the repository and of tasks: each set of checks on each tree once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from gitorch.errors import GitorchError
from gitorch.flow.merge.resolution.judge import UNKNOWN, Verdict
from gitorch.model.naming import Oid
from gitorch.model.task import CheckResult, Task, commit_range
from gitorch.rooms.context import RunContext
from gitorch.rooms.trees import NAME, TreeChecker

ChecksOf = Callable[[Task], Mapping[str, str]]
"""Returns the checks of a task's own branch: those of the repository at its base, and its own."""


class TreeJudge:
    """A `Judge` whose checks run where those of merges run. Leaving the context stops them.

    `checks` are those of the repository; `untrusted` says why none may run. `name` is the name of the worktrees.
    """

    def __init__(
        self,
        context: RunContext,
        checks: Mapping[str, str],
        checks_of: ChecksOf,
        *,
        name: str = NAME,
        recheck: bool = False,
        untrusted: str = "",
    ) -> None:
        self.context = context
        self.checks = checks
        self._checks_of = checks_of
        self._name = name
        self._recheck = recheck
        self._untrusted = untrusted
        self._checkers: dict[tuple[tuple[str, str], ...], TreeChecker] = {}
        self._is_stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop running checks, from any thread."""
        self._is_stopped = True
        for checker in [*self._checkers.values()]:
            checker.stop()

    def alone(self, task: Task, *, may_run: bool) -> Verdict:
        """Judge a task's own branch; the results of its attempt count if they are those of its tip."""
        if self._untrusted:
            return Verdict(reason=self._untrusted)
        try:
            checks = self._checks_of(task)
        except GitorchError as error:
            return Verdict(reason=error.what)
        tip = commit_range(task)[1]
        known = _recorded(task, checks, self.context.repository.tree(tip))
        return _verdict(known) if known else self._judge(tip, checks, may_run=may_run)

    def together(self, commit: Oid, tasks: Sequence[Task], *, may_run: bool) -> Verdict:
        """Judge a commit that holds these tasks."""
        if len(tasks) < 2 and not self.checks:
            return Verdict(reason="no check judges what it is put on")
        return self._judge(commit, union_checks(self.checks, tasks), may_run=may_run)

    def _judge(self, commit: Oid, checks: Mapping[str, str], *, may_run: bool) -> Verdict:
        checker = self._checker(checks)
        if (known := checker.known(commit)) is not None:
            return _verdict(known)
        if not may_run or self._is_stopped:
            return UNKNOWN
        return _verdict(checker.check(commit), started=True)

    def _checker(self, checks: Mapping[str, str]) -> TreeChecker:
        key = tuple(checks.items())
        if key not in self._checkers:
            self._checkers[key] = TreeChecker(self.context, checks, name=self._name, recheck=self._recheck)
        return self._checkers[key]


def _verdict(results: Sequence[CheckResult], *, started: bool = False) -> Verdict:
    failed = next((result for result in results if not result.passed), None)
    return Verdict(
        reason=f"check {failed.name} fails" if failed else "",
        check=failed.name if failed else "",
        results=tuple(results),
        started=started,
    )


def _recorded(task: Task, checks: Mapping[str, str], tree: Oid) -> list[CheckResult]:
    """Return what the checks of a task's attempt said of its tip; empty if one of them is missing."""
    by_command = {result.command: result for result in task.results if result.tree == tree}
    results = [by_command.get(command) for command in checks.values()]
    return [result for result in results if result is not None] if None not in results else []


def union_checks(checks: Mapping[str, str], tasks: Sequence[Task]) -> dict[str, str]:
    """Return the checks of a repository and of tasks, each command once; a task's own ones carry its id."""
    union = dict(checks)
    for task in tasks:
        for name, command in task.spec.checks.items():
            label = f"{task.id}: {name}"
            while label in union:  # a name of the repository's own
                label += "'"
            if command not in union.values():
                union[label] = command
    return union
