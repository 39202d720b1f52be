"""Prove resolutions with a limited number of check runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitorch.flow.merge.resolution.judge import Judge, Verdict
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import Task


class Prover:
    """Asks a judge, and starts checks on at most `max_runs` trees."""

    def __init__(self, judge: Judge, max_runs: int) -> None:
        self._judge = judge
        self._max_runs = max_runs
        self._runs_left = max_runs
        self._alone: dict[TaskId, Verdict] = {}

    def judge_parties(self, parties: Iterable[Task]) -> Verdict:
        """Judge whether a resolution between these tasks can be proven: each has checks, and is green alone."""
        for task in parties:
            if not task.spec.checks:
                return Verdict(reason=f"{task.id} has no check of its own")
            verdict = self._judge_alone(task)
            if not verdict.is_green:
                return Verdict(reason=f"{task.id} alone: {verdict.reason}", is_known=verdict.is_known)
        return Verdict()

    def _judge_alone(self, task: Task) -> Verdict:
        if task.id not in self._alone:
            self._alone[task.id] = self._judge.alone(task, may_run=self._max_runs > 0)
        return self._alone[task.id]

    def prove(self, commit: Oid, tasks: Sequence[Task]) -> Verdict:
        """Judge a commit that holds these tasks."""
        verdict = self._judge.together(commit, tasks, may_run=self._runs_left > 0)
        if verdict.started:
            self._runs_left -= 1
        if not verdict.is_known and self._max_runs > 0:
            reason = f"the limit of {self._max_runs} checked trees was reached (merge.max_checks)"
            return Verdict(reason=reason)
        return verdict


class AlwaysGreen:
    """A judge that proves everything: to see how far an order could go, without running a check."""

    def alone(self, task: Task, *, may_run: bool) -> Verdict:  # noqa: ARG002
        """Judge without looking."""
        return Verdict()

    def together(self, commit: Oid, tasks: Sequence[Task], *, may_run: bool) -> Verdict:  # noqa: ARG002
        """Judge without looking."""
        return Verdict()
