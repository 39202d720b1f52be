"""Run a task's checks on what it committed, and not in the agent's room, where ignored files could make them pass."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from gitorch.flow.attempt.attempt_executions import execute
from gitorch.flow.attempt.opened_attempt import OpenedAttempt
from gitorch.model.naming import Oid
from gitorch.model.task import Task, commit_range, current_attempt
from gitorch.rooms.checks import CheckRun
from gitorch.rooms.context import RunContext
from gitorch.rooms.steps import numbered
from gitorch.rooms.trees import CheckCache, TreeResults, WorktreePool, check_commit, environment_digest, finished_checks

WORKTREE = "check"
"""The worktrees for tasks' checks are `check_1`, `check_2`, ...: one for each agent of a run, made as needed."""


def check_tip(
    context: RunContext, task: Task, opened: OpenedAttempt, checks: Mapping[str, str]
) -> tuple[CheckRun, ...]:
    """Run the checks on a clean checkout of a task's tip; the results count for a merge of the same tree, too.

    Checks of the same tree that outlived a run which was killed count, and do not run again.
    """
    _, tip = commit_range(task)
    tree, environment = context.repository.tree(tip), environment_digest(context, checks)
    round_number = current_attempt(task).round
    step = f"check-{round_number}"
    # what decides about the results is in the key: the same key means the same checks of the same tree
    digest = hashlib.sha256(f"{tree} {environment}".encode()).hexdigest()[:12]
    key, runs = _earlier_runs(context, checks, tree, f"{opened.key}/clean-{round_number}-{digest}", step)
    if runs is None:
        names = [f"{WORKTREE}_{number}" for number in range(1, context.config.run.max_agents + 1)]
        runs = check_commit(
            context,
            WorktreePool(context, names),
            checks,
            tip,
            key=key,
            step=step,
            task=task.id,
            execute=lambda spec: execute(context, opened, spec),
        )
    checked = TreeResults(tuple(run.result for run in runs))
    CheckCache(context.folder, context.executor).remember(tree, checked, environment)
    return runs


def _earlier_runs(
    context: RunContext, checks: Mapping[str, str], tree: Oid, key: str, step: str
) -> tuple[str, tuple[CheckRun, ...] | None]:
    """Return the first of `key`, `key-2`, ... with finished checks; or one that was not used, and None.

    What is left running of checks that do not count is ended.
    """
    for name in numbered(key):
        if not context.executor.executions(name):
            return name, None
        if runs := finished_checks(context, checks, tree, key=name, step=step):
            return name, runs
        for execution in context.executor.adopt(name):
            context.executor.cancel(execution, "checked again", now=True)
            context.executor.wait(execution)
    raise AssertionError
