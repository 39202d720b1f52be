"""The saved forecast and merge candidate, which any process can read without git."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gitorch.model import forecast as model
from gitorch.model.forecast import Candidate, CheckStatus, Conflict, Forecast, ForecastSummary
from gitorch.services.run_lock import is_running
from gitorch.services.workspace import Workspace
from gitorch.storage.atomic import replace


def saved_conflicts(workspace: Workspace) -> tuple[Conflict, ...]:
    """Return the conflicts of the last forecast whose tasks are still in flight."""
    forecast = _read(_forecast_file(workspace), Forecast)
    return model.active_conflicts(forecast.conflicts, workspace.tasks) if forecast else ()


def saved_candidate(workspace: Workspace) -> Candidate | None:
    """Return the merge candidate as it was last built; None before the first."""
    candidate = _read(_candidate_file(workspace), Candidate)
    if candidate is None or candidate.status is not CheckStatus.CHECKING or is_running(workspace):
        return candidate
    candidate = _read(_candidate_file(workspace), Candidate)  # the run may have finished its check and ended meanwhile
    return unchecked(candidate) if candidate and candidate.status is CheckStatus.CHECKING else candidate


def saved_forecast(workspace: Workspace) -> ForecastSummary:
    """Return the saved conflicts and the saved candidate."""
    return saved_conflicts(workspace), saved_candidate(workspace)


def save_forecast(workspace: Workspace, forecast: Forecast) -> None:
    """Save a forecast for all processes."""
    workspace.folder.mkdir(parents=True, exist_ok=True)
    replace(_forecast_file(workspace), model.encoded(forecast))


def save_candidate(workspace: Workspace, candidate: Candidate) -> None:
    """Save the candidate for all processes."""
    workspace.folder.mkdir(parents=True, exist_ok=True)
    replace(_candidate_file(workspace), model.encoded(candidate))


def unchecked(candidate: Candidate) -> Candidate:
    """Return a candidate as unchecked: the next run checks it."""
    return msgspec.structs.replace(candidate, status=CheckStatus.UNCHECKED, reason="the next run checks it")


def _forecast_file(workspace: Workspace) -> Path:
    return workspace.folder / "forecast.json"


def _candidate_file(workspace: Workspace) -> Path:
    return workspace.folder / "candidate.json"


def _read(path: Path, kind: type[model.Record]) -> model.Record | None:
    try:
        return model.decoded(path.read_bytes(), kind)
    except FileNotFoundError:
        return None
