"""Run one attempt, from its base to its checked tip.

`run` is a generator: it yields the task each time that it changed, and continues once the change is durable. Every step
can be repeated: after a crash of the orchestrator, the same call on the stored task continues where it stopped, and
adopts running executions.
"""

from gitorch.flow.attempt.attempt_executions import request_stop
from gitorch.flow.attempt.briefing import compose_brief, sent_brief
from gitorch.flow.attempt.event_log import read_events
from gitorch.flow.attempt.events import error_output, execution_events, followed_events, line_events, timed_events
from gitorch.flow.attempt.finish import fail, return_to_conflict
from gitorch.flow.attempt.lifecycle import run
from gitorch.flow.attempt.records import INTERRUPTED, attempt_key
from gitorch.flow.attempt.start import start, was_cut_off

__all__ = [
    "INTERRUPTED",
    "attempt_key",
    "compose_brief",
    "error_output",
    "execution_events",
    "fail",
    "followed_events",
    "line_events",
    "read_events",
    "request_stop",
    "return_to_conflict",
    "run",
    "sent_brief",
    "start",
    "timed_events",
    "was_cut_off",
]
