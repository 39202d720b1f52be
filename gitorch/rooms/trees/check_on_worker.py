"""Run the checks of a commit on a worker: one execution for all of them, in one worktree there."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gitorch import typed
from gitorch.executors.protocol import Errand, ExecutionId, Spec
from gitorch.model.naming import Oid
from gitorch.model.outcome import Exit
from gitorch.model.task import CheckResult
from gitorch.rooms.checks import TRIES, CheckRun, Execute, key_not_lost
from gitorch.rooms.context import RunContext, WorkerChecks
from gitorch.rooms.errands import CHECKS_FILE, WorkerCheck, errand_settings
from gitorch.rooms.protocol import RoomError


def check_on_worker(
    context: RunContext, place: WorkerChecks, checks: Mapping[str, str], commit: Oid, *, key: str, execute: Execute
) -> tuple[CheckRun, ...]:
    """Return the results of all checks; when the worker is lost, another one begins again.

    A tree that cannot be prepared there has one failing result, as at home.
    """
    tree = context.repository.tree(commit)
    try:
        errand = _errand(context, place, checks, commit)
    except RoomError as error:  # a file to copy is missing
        return _not_run(checks, tree, context.executor.id_of(key), error.reason)
    end = Exit(cause="lost")
    name = key
    for _ in range(TRIES):
        name = key_not_lost(context.executor, key)
        end = execute(Spec(key=name, argv=("checks",), env={}, errand=errand))
        if end.cause != "lost":
            break
    execution = context.executor.id_of(name)
    content = place.files(execution).get(CHECKS_FILE) if end.cause == "exited" else None
    if content is None:
        failure = end.message or f"the worker ended with: {end.cause}"
        return _not_run(checks, tree, execution, failure)
    output = context.executor.output_location(execution, "stdout")
    return tuple(
        CheckRun(
            CheckResult(
                name=check.name,
                command=check.command,
                tree=tree,
                exit_code=check.exit_code,
                seconds=check.seconds,
                output=output,
                failure=check.interruption,
            ),
            execution,
            check.failure,
            check.tail,
        )
        for check in typed.from_json(content, tuple[WorkerCheck, ...])
    )


def _not_run(checks: Mapping[str, str], tree: Oid, execution: ExecutionId, failure: str) -> tuple[CheckRun, ...]:
    return tuple(
        CheckRun(CheckResult(name=check, command=line, tree=tree, failure=failure), execution, failure)
        for check, line in checks.items()
    )


def _errand(context: RunContext, place: WorkerChecks, checks: Mapping[str, str], commit: Oid) -> Errand:
    return Errand(
        task="",
        attempt=0,
        agent="",
        branch="",
        base=commit,
        start=commit,
        conflict="",
        settings=msgspec.json.encode(errand_settings(context.repository, context.config)),
        directory="",
        state="",
        python="",
        label=place.label,
        checks=dict(checks),
    )
