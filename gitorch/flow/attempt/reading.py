"""The end of an attempt whose agent may only read."""

from __future__ import annotations

from gitorch.flow.attempt.finish import end_answered, end_failed, end_incomplete, end_stopped, end_unchanged
from gitorch.flow.attempt.opened_attempt import OpenedAttempt
from gitorch.flow.attempt.records import stop_reason
from gitorch.model import questions
from gitorch.model.naming import Oid
from gitorch.model.outcome import AttemptOutcome, ExitReason, Outcome
from gitorch.model.task import Task, base_of, current_attempt
from gitorch.model.visible import readable, readable_list, visible
from gitorch.rooms.context import RunContext
from gitorch.rooms.protocol import CollectResult, NoChanges, Rejected


def end_reading(
    context: RunContext, task: Task, opened: OpenedAttempt, outcome: Outcome, collected: CollectResult
) -> Task:
    """Return the ended task: its agent's last message is the result, unless it changed something anyway.

    What it changed is on the branch like any other work, so that nothing is lost, but the attempt has failed.
    """
    if isinstance(collected, Rejected):
        return end_failed(context, task, AttemptOutcome.REFUSED, f"{_MAY_ONLY_READ}: {collected.reason}")
    start = current_attempt(task).start or base_of(task)
    if not isinstance(collected, NoChanges) and collected.tip != start:
        return end_failed(context, task, AttemptOutcome.REFUSED, _violation(context, task, start, collected.tip))
    if stop := stop_reason(opened.folder):
        return end_stopped(context, task, stop)
    if outcome.ending is not ExitReason.COMPLETED:
        return end_incomplete(context, task, outcome)
    if outcome.question or questions.at_end_of(outcome.summary):
        return end_unchanged(context, task, outcome)
    return end_answered(context, task, outcome)


_MAY_ONLY_READ = "its agent may only read"


def _violation(context: RunContext, task: Task, start: Oid, tip: Oid) -> str:
    answer = context.repository.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", start, tip)
    files = readable_list([visible(readable(name)) for name in answer.fields()])
    return f"{_MAY_ONLY_READ}, but it changed {files or 'the branch'} (see: orchestrate diff {task.id})"
