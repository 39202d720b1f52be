"""One attempt, from its base to its checked tip.

`attempt` is a generator: it yields the task each time that it changed, and goes on when the change is durable. Every
step can be done again: when the orchestrator was killed, the same call on the stored task goes on where it stopped,
adopting what still runs.
"""

from gitorch.flow.attempt.course import attempt, begin, brief_of
from gitorch.flow.attempt.environment import attempt_folder, attempt_key, task_of_key
from gitorch.flow.attempt.execution import INTERRUPTED, ask_to_stop, brief_file
from gitorch.flow.attempt.finish import failed_by, in_conflict_again

__all__ = [
    "INTERRUPTED",
    "ask_to_stop",
    "attempt",
    "attempt_folder",
    "attempt_key",
    "begin",
    "brief_file",
    "brief_of",
    "failed_by",
    "in_conflict_again",
    "task_of_key",
]
