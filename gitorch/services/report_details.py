"""What a page of the night shows of one task beyond the board: its steps, transcript, check output and last review."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

import msgspec

from gitorch.flow.review.second_look import SecondLook
from gitorch.model.credentials.redaction import redacted
from gitorch.model.outcome import Event
from gitorch.model.task import Task
from gitorch.services.executor import executor_of
from gitorch.services.past.attempt_steps import AttemptStep, recorded_step
from gitorch.services.reviewing.second_look import find_since_review
from gitorch.services.transcripts import executions, read_transcript
from gitorch.services.workspace import Workspace

_MAX_EVENTS = 120
"""Events of one transcript that a page holds: its last ones."""

_MAX_EVENT = 1_500
"""Characters of one event that a page holds."""

_MAX_OUTPUT = 6_000
"""Bytes of a failed check's output that a page holds: its last ones."""


class Transcript(msgspec.Struct, frozen=True):
    """The last events of an attempt's agent, and how many earlier ones are left out."""

    events: tuple[Event, ...] = ()
    omitted: int = 0


class TaskDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The details of one task. `outputs` maps failed checks to the end of what they printed.

    `look` is None for a task without a verdict.
    """

    steps: tuple[AttemptStep, ...] = ()
    transcript: Transcript = Transcript()
    outputs: dict[str, str] = {}
    look: SecondLook | None = None


def task_details(workspace: Workspace, task: Task) -> TaskDetails:
    """Return the details of a task; what has been cleaned up is missing."""
    return TaskDetails(
        steps=_steps(workspace, task),
        transcript=_last_events(workspace, task),
        outputs={
            result.name: _tail(Path(result.output)) for result in task.results if not result.passed and result.output
        },
        look=find_since_review(workspace, task),
    )


def _steps(workspace: Workspace, task: Task) -> tuple[AttemptStep, ...]:
    executor = executor_of(workspace)
    return tuple(
        recorded_step(executor, number, execution)
        for number in range(1, task.attempts + 1)
        for execution in executions(workspace, task, number)
    )


def _last_events(workspace: Workspace, task: Task) -> Transcript:
    events: deque[Event] = deque(maxlen=_MAX_EVENTS)
    total = 0
    for execution in executions(workspace, task) if task.attempts else ():
        if execution.step.startswith("agent-"):
            for event in read_transcript(workspace, task, execution):
                total += 1
                events.append(_shortened(event))
    return Transcript(tuple(events), total - len(events))


def _shortened(event: Event) -> Event:
    if len(event.text) <= _MAX_EVENT:
        return event
    return msgspec.structs.replace(event, text=f"{event.text[:_MAX_EVENT]} [cut]")


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _MAX_OUTPUT))
            return redacted(file.read().decode("utf-8", "replace"))
    except OSError:  # it was cleaned up
        return ""
