"""Run the commands that judge a tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from gitorch.config import seconds, size
from gitorch.executors.protocol import ExecutionId, Executor, NotStarted, Spec
from gitorch.model.credentials.secret_values import secret_values
from gitorch.model.naming import Oid, slug
from gitorch.model.outcome import Exit
from gitorch.model.task import CheckResult
from gitorch.rooms.context import RunContext
from gitorch.rooms.protocol import Command, Site
from gitorch.rooms.steps import numbered, shell

TRIES = 3
"""How often a check runs whose end is not known, because its supervisor was killed or its record was forged."""

Execute = Callable[[Spec], Exit]
"""Runs one program to its end, or returns why it did not start."""


class CheckRun(msgspec.Struct, frozen=True):
    """A check's result, and the execution that holds its output.

    `failure` says why it has no exit code: its tree could not be prepared, or it used too much. `tail` is the end of
    the output, where the execution holds more than that of one check.
    """

    result: CheckResult
    execution: ExecutionId
    failure: str = ""
    tail: str = ""


def run_checks(
    context: RunContext, site: Site, checks: Mapping[str, str], tree: Oid, *, prefix: str, execute: Execute
) -> tuple[CheckRun, ...]:
    """Run every check on a site that holds a tree, one after the other.

    `prefix` starts the key of each check's execution. An interrupted check runs again.
    """
    return tuple(
        _run_check(context, site, name, command, tree, f"{prefix}-{slug(name)}", execute)
        for name, command in checks.items()
    )


def _run_check(
    context: RunContext, site: Site, name: str, command_line: str, tree: Oid, key: str, execute: Execute
) -> CheckRun:
    command = site.check_command(shell(command_line))
    spec, status = _executed(context, command, key, execute)
    return _check_run(context, name, command_line, tree, spec.key, status)


def finished_check(context: RunContext, name: str, command_line: str, tree: Oid, *, prefix: str) -> CheckRun | None:
    """Return what came of a check that another process started on a tree, once it ends; `prefix` as for `run_checks`.

    None if it never began, or did not end by itself.
    """
    key = key_not_lost(context.executor, f"{prefix}-{slug(name)}")
    execution = context.executor.id_of(key)
    if isinstance(context.executor.poll(execution), NotStarted):
        return None
    status = context.executor.wait(execution)
    if not isinstance(status, Exit) or status.cause != "exited":
        return None
    return _check_run(context, name, command_line, tree, key, status)


def _check_run(context: RunContext, name: str, command_line: str, tree: Oid, key: str, status: Exit) -> CheckRun:
    execution = context.executor.id_of(key)
    result = CheckResult(
        name=name,
        command=command_line,
        tree=tree,
        exit_code=status.exit_code if status.cause == "exited" else None,
        seconds=status.seconds,
        output=context.executor.output_location(execution, "stdout"),
        failure=status.interruption,
    )
    failure = f"the check {status.message}, and was ended" if status.cause == "limit" else ""
    return CheckRun(result, execution, failure)


def _executed(
    context: RunContext, command: Command, key: str, execute: Execute, tries: int = TRIES
) -> tuple[Spec, Exit]:
    spec = Spec(
        key=key_not_lost(context.executor, key),
        argv=command.argv,
        cwd=command.cwd,
        env=command.env,
        timeout=seconds(context.config.run.task_timeout),
        max_output=size(context.config.run.max_output),
        secrets=secret_values(context.environment, command.env),
        resources=context.resource_limits,
    )
    status = execute(spec)
    if status.cause == "lost" and tries > 1:
        return _executed(context, command, key, execute, tries - 1)
    return spec, status


def key_not_lost(executor: Executor, key: str) -> str:
    """Return the first of `key`, `key-2`, `key-3`, ... whose execution was not cut short."""
    return next(name for name in numbered(key) if not _is_lost(executor, name))


def _is_lost(executor: Executor, key: str) -> bool:
    status = executor.poll(executor.id_of(key))
    return isinstance(status, Exit) and status.cause == "lost"
