"""Run one attempt, from its base to its checked tip.

`run` is a generator: it yields the task each time that it changed, and continues once the change is durable. Every step
can be repeated: after a crash of the orchestrator, the same call on the stored task continues where it stopped, and
adopts running executions.
"""

from gitorch.flow.attempt.execution import request_stop
from gitorch.flow.attempt.finish import fail, return_to_conflict
from gitorch.flow.attempt.lifecycle import run
from gitorch.flow.attempt.records import INTERRUPTED, attempt_key
from gitorch.flow.attempt.start import compose_brief, sent_brief, start, was_cut_off

__all__ = [
    "INTERRUPTED",
    "attempt_key",
    "compose_brief",
    "fail",
    "request_stop",
    "return_to_conflict",
    "run",
    "sent_brief",
    "start",
    "was_cut_off",
]
