"""Run checks on a commit as it is: in a clean worktree, with what `[prepare]` makes and nothing that an agent left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from gitorch.model.naming import Oid, slug
from gitorch.model.task import CheckResult
from gitorch.rooms.checks import CheckRun, Execute, finished_check, run_checks
from gitorch.rooms.context import RunContext
from gitorch.rooms.environment_variables import check_environment
from gitorch.rooms.ports import variables
from gitorch.rooms.prepare import prepare
from gitorch.rooms.protocol import RoomError, Site
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
        for name, prefix in _prefixes(checks, f"{key}/{step}"):
            on_check(name)
            runs += run_checks(context, site, {name: checks[name]}, tree, prefix=prefix, execute=execute)
        return tuple(runs)


def finished_checks(
    context: RunContext, checks: Mapping[str, str], tree: Oid, *, key: str, step: str = "check"
) -> tuple[CheckRun, ...] | None:
    """Return what came of the checks that a process which was killed started by `check_commit`, with the same `key`.

    Waits for one that runs. None unless all of them were started and ended by themselves: a further check may need what
    earlier ones have built, and their worktree may hold another tree by now.
    """
    runs: list[CheckRun] = []
    for name, prefix in _prefixes(checks, f"{key}/{step}"):
        run = finished_check(context, name, checks[name], tree, prefix=prefix)
        if run is None:
            return None
        runs.append(run)
    return tuple(runs)


def _prefixes(names: Iterable[str], start: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each check, with what the key of its execution starts with."""
    slugs: set[str] = set()
    for number, name in enumerate(names, start=1):
        # executions are known by the slug of the name, which two names may share
        yield name, f"{start}-{number}" if slug(name) in slugs else start
        slugs.add(slug(name))


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
        result = CheckResult(name=_UNPREPARED, command=command, tree=tree, output=str(output), failure=failure.reason)
        return CheckRun(result, context.executor.id_of(key), failure.reason)
    return None
