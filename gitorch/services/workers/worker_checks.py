"""Checks that a worker runs for a repository of another machine: prepared and run there as at home."""

from __future__ import annotations

import time
import zlib

import msgspec

from gitorch.config import size
from gitorch.executors.protocol import Errand, Executor, Spec, tail_text
from gitorch.executors.starting import wait_for_end
from gitorch.executors.temporal.messages import OUTPUT_BYTES, Delivery, Result
from gitorch.model.naming import Oid
from gitorch.model.outcome import Exit
from gitorch.rooms.checks import CheckRun
from gitorch.rooms.context import RunContext
from gitorch.rooms.errands import CHECKS_FILE, WorkerCheck
from gitorch.rooms.trees import NAME, WorktreePool, check_commit

_TAIL_BYTES = 20_000
_STOPPED = Exit(cause="stopped")


def run_ordered_checks(context: RunContext, errand: Errand, key: str) -> Result:
    """Return the results of an errand's checks as a file, and their outputs one after the other as its output.

    `key` is that of the order: once it is cancelled, no further check begins.
    """
    started = time.time()
    output = min(size(context.config.run.max_output), OUTPUT_BYTES // len(errand.checks))
    run = msgspec.structs.replace(context.config.run, max_output=str(output))
    context = msgspec.structs.replace(context, config=msgspec.structs.replace(context.config, run=run))
    runs = check_commit(
        context,
        WorktreePool(context, [NAME]),
        errand.checks,
        Oid(errand.start),
        key="checks",
        execute=lambda spec: _execute(context.executor, spec, key),
    )
    if isinstance(stopped := context.executor.poll(context.executor.id_of(key)), Exit):
        return Result(exit=stopped)
    checks = [_described(context, run) for run in runs]
    outputs = "".join(f"== {check.name} ==\n{_whole(context, run)}\n" for check, run in zip(checks, runs, strict=True))
    return Result(
        exit=Exit(cause="exited", exit_code=0, started=started, seconds=time.time() - started),
        output={"stdout": zlib.compress(outputs.encode("utf-8", "surrogateescape"))},
        delivery=Delivery(files={CHECKS_FILE: msgspec.json.encode(checks)}),
    )


def _execute(executor: Executor, spec: Spec, key: str) -> Exit:
    def is_cancelled() -> bool:
        return isinstance(executor.poll(executor.id_of(key)), Exit)

    if is_cancelled():
        return _STOPPED
    execution = executor.submit(spec)
    if is_cancelled():  # before it could be found
        executor.cancel(execution, "its result is no longer needed", now=True)
    return wait_for_end(executor, spec)


def _described(context: RunContext, run: CheckRun) -> WorkerCheck:
    result = run.result
    return WorkerCheck(
        name=result.name,
        command=result.command,
        exit_code=result.exit_code,
        seconds=result.seconds,
        tail=run.failure or tail_text(context.executor, run.execution, "stdout", _TAIL_BYTES),
        failure=run.failure,
        interruption=result.failure,
    )


def _whole(context: RunContext, run: CheckRun) -> str:
    if run.failure:
        return run.failure
    with context.executor.open_output(run.execution, "stdout") as file:
        return file.read().decode("utf-8", "replace")
