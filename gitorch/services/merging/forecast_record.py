"""The saved forecast and merge candidate, which any process can read without git."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from gitorch import regular_files
from gitorch.model.forecasts import conflict_forecast as model
from gitorch.model.forecasts.conflict_forecast import (
    Candidate,
    CheckStatus,
    Conflict,
    Forecast,
    ForecastSummary,
    RemovedName,
)
from gitorch.model.naming import TaskId
from gitorch.model.resolution import Resolution
from gitorch.model.task import Task
from gitorch.services.run_lock import is_locked
from gitorch.services.workspace import Workspace
from gitorch.storage.atomic import replace

_FORECAST = "forecast.json"
_CANDIDATE = "candidate.json"


def saved_conflicts(workspace: Workspace) -> tuple[Conflict, ...]:
    """Return the conflicts of the last forecast whose tasks are still in flight."""
    return _conflicts(workspace.folder, workspace.tasks)


def saved_names(workspace: Workspace) -> tuple[RemovedName, ...]:
    """Return the names that do not fit together, by the last forecast, whose tasks are still in flight."""
    forecast = last_forecast(workspace)
    return model.active_names(forecast.removed_names, workspace.tasks) if forecast else ()


def last_forecast(workspace: Workspace) -> Forecast | None:
    """Return the last forecast as it was saved; None before the first."""
    return _read(workspace.folder / _FORECAST, Forecast)


def saved_candidate(workspace: Workspace) -> Candidate | None:
    """Return the merge candidate as it was last built; None before the first."""
    return _candidate(workspace.folder)


def saved_resolutions(workspace: Workspace, name: TaskId) -> tuple[Resolution, ...]:
    """Return the resolution of a task's conflict in the saved candidate, if the task is still as it was then."""
    return tuple(entry for entry in current_resolutions(workspace) if entry.task == name)


def current_resolutions(workspace: Workspace) -> tuple[Resolution, ...]:
    """Return the resolutions in the saved candidate whose tasks are still as they were then."""
    candidate, tasks = saved_candidate(workspace), workspace.tasks
    entries = candidate.resolutions if candidate else ()
    return tuple(entry for entry in entries if entry.task in tasks and tasks[entry.task].tip == entry.task_tip)


def saved_forecast(workspace: Workspace) -> ForecastSummary:
    """Return the saved conflicts and the saved candidate."""
    return read_forecast(workspace.folder, workspace.tasks)


def read_forecast(folder: Path, tasks: Mapping[TaskId, Task]) -> ForecastSummary:
    """Return both from a state folder, for a snapshot of the tasks; any thread may call it."""
    return _conflicts(folder, tasks), _candidate(folder)


def _conflicts(folder: Path, tasks: Mapping[TaskId, Task]) -> tuple[Conflict, ...]:
    forecast = _read(folder / _FORECAST, Forecast)
    return model.active_conflicts(forecast.conflicts, tasks) if forecast else ()


def _candidate(folder: Path) -> Candidate | None:
    candidate = _read(folder / _CANDIDATE, Candidate)
    if candidate is None or candidate.status is not CheckStatus.CHECKING or is_locked(folder):
        return candidate
    candidate = _read(folder / _CANDIDATE, Candidate)  # the run may have finished its check, and ended meanwhile
    return unchecked(candidate) if candidate and candidate.status is CheckStatus.CHECKING else candidate


def save_forecast(workspace: Workspace, forecast: Forecast) -> None:
    """Save a forecast for all processes."""
    workspace.folder.mkdir(parents=True, exist_ok=True)
    replace(workspace.folder / _FORECAST, model.encoded(forecast))


def save_candidate(workspace: Workspace, candidate: Candidate) -> None:
    """Save the candidate for all processes."""
    workspace.folder.mkdir(parents=True, exist_ok=True)
    replace(workspace.folder / _CANDIDATE, model.encoded(candidate))


def unchecked(candidate: Candidate) -> Candidate:
    """Return a candidate as unchecked: the next run checks it."""
    return msgspec.structs.replace(candidate, status=CheckStatus.UNCHECKED, reason="the next run checks it")


def _read(path: Path, kind: type[model.Record]) -> model.Record | None:
    try:
        return model.decoded(regular_files.read(path), kind)
    except OSError:
        return None  # whatever stands in its way, the next refresh reports it
