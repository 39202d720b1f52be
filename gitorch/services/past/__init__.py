"""Runs and tasks that are over, and what they say of the next run. The operation log is in `storage.operations`."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.services.past import (
        attempt_steps as attempt_steps,
        past_runs as past_runs,
        past_tasks as past_tasks,
        run_forecast as run_forecast,
        task_history as task_history,
    )
else:
    __getattr__ = lazy.submodules(__name__)
