"""Run a task's checks on what it committed, and not in the agent's room, where ignored files could make them pass."""

from __future__ import annotations

from collections.abc import Mapping

from gitorch.flow.attempt.environment import AttemptEnv
from gitorch.flow.attempt.execution import execute
from gitorch.model.task import Task, commit_range, current_attempt
from gitorch.rooms.checks import CheckRun
from gitorch.rooms.context import RunContext
from gitorch.rooms.steps import numbered
from gitorch.rooms.trees import CheckCache, TreeResults, WorktreePool, check_commit, environment_digest

WORKTREE = "check"
"""The worktrees for tasks' checks are `check_1`, `check_2`, ...: one for each agent of a run, made as needed."""


def check_tip(context: RunContext, task: Task, env: AttemptEnv, checks: Mapping[str, str]) -> tuple[CheckRun, ...]:
    """Run the checks on a clean checkout of a task's tip; the results count for a merge of the same tree, too."""
    _, tip = commit_range(task)
    round_number = current_attempt(task).round
    pool = WorktreePool(context, [f"{WORKTREE}_{number}" for number in range(1, context.config.run.max_agents + 1)])
    runs = check_commit(
        context,
        pool,
        checks,
        tip,
        key=_fresh_key(context, f"{env.key}/clean-{round_number}"),
        step=f"check-{round_number}",
        task=task.id,
        execute=lambda spec: execute(context, env, spec),
    )
    checked = TreeResults(tuple(run.result for run in runs))
    CheckCache(context.folder, context.executor).remember(
        context.repository.tree(tip), checked, environment_digest(context, checks)
    )
    return runs


def _fresh_key(context: RunContext, key: str) -> str:
    """Return the first of `key`, `key-2`, ... that no run used; end what a killed one left running.

    Checks that it finished run again: their worktree may have been used for another tree since.
    """
    for name in numbered(key):
        if not context.executor.executions(name):
            return name
        for execution in context.executor.adopt(name):
            context.executor.cancel(execution, "checked again", now=True)
            context.executor.wait(execution)
    raise AssertionError
