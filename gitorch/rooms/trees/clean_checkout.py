"""Run checks on a commit as it is: in a clean worktree, with what `[prepare]` makes and nothing that an agent left."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitorch.model.naming import Oid, slug
from gitorch.model.task import CheckResult
from gitorch.rooms.base import RoomError, Site
from gitorch.rooms.checks import CheckRun, Execute, run_checks
from gitorch.rooms.context import RunContext
from gitorch.rooms.environment import check_environment
from gitorch.rooms.ports import variables
from gitorch.rooms.prepare import prepare
from gitorch.rooms.trees.check_cache import UNPREPARED_FOLDER
from gitorch.rooms.trees.check_on_worker import check_on_worker
from gitorch.rooms.trees.worktree_pool import WorktreePool

_UNPREPARED = "prepare"
"""The name of the failing check of a tree that could not be prepared."""


def check_commit(
    context: RunContext,
    pool: WorktreePool,
    checks: Mapping[str, str],
    commit: Oid,
    *,
    key: str,
    execute: Execute,
    step: str = "check",
    task: str = "",
    on_check: Callable[[str], None] = lambda _: None,
) -> tuple[CheckRun, ...]:
    """Run checks on a commit in a worktree of the pool, one after the other; calls `on_check` as each starts.

    `key` starts the keys of the executions, `step` the last part of a check's. `{task}` and `{port}` in `prepare.env`
    are those of `task`, or else the worktree's. If the tree cannot be prepared, the only result is a failing one,
    because the tree may be the reason. With `worker_checks`, a worker does all of that, and no worktree is used.
    """
    if context.worker_checks is not None:
        on_check(", ".join(checks))
        return check_on_worker(context, context.worker_checks, checks, commit, key=f"{key}/{step}", execute=execute)
    tree = context.repository.tree(commit)
    with pool.acquire() as worktree:
        worktree.record_key(key)
        checkout = worktree.checkout(commit)
        env = check_environment(context.environment)
        env |= variables(context.config, context.folder, task or worktree.name)
        site = context.rooms.check_site(checkout, commit, env, worktree.name)
        if failed := _prepare(context, site, tree, key, on_check):
            return (failed,)
        runs: list[CheckRun] = []
        slugs: set[str] = set()
        for number, (name, command) in enumerate(checks.items(), start=1):
            on_check(name)
            # executions are known by the slug of the name, which two names may share
            prefix = f"{key}/{step}-{number}" if slug(name) in slugs else f"{key}/{step}"
            slugs.add(slug(name))
            runs += run_checks(context, site, {name: command}, tree, prefix=prefix, execute=execute)
        return tuple(runs)


def _prepare(context: RunContext, site: Site, tree: Oid, key: str, on_check: Callable[[str], None]) -> CheckRun | None:
    """Prepare a worktree; return a failing result if that fails."""
    if not (context.config.prepare.copy or context.config.prepare.run):
        return None
    on_check(_UNPREPARED)
    try:
        prepare(context, site, key)
    except RoomError as failure:
        output = context.folder / UNPREPARED_FOLDER / f"{key.replace('/', '-')}.txt"
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(failure.reason, "utf-8", "surrogateescape")
        command = "; ".join(context.config.prepare.run)
        result = CheckResult(name=_UNPREPARED, command=command, tree=tree, exit_code=None, output=str(output))
        return CheckRun(result, context.executor.id_of(key), failure.reason)
    return None
