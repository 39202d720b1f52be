"""The answers of `run`, and the events that `run` and `watch` print, one per line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, Timestamp, now
from gitorch.cli.schema.forecast import CandidateJson, ConflictJson, candidate_json, conflicts_json
from gitorch.cli.schema.task import TaskJson
from gitorch.model.forecasts.conflict_forecast import Candidate, Conflict
from gitorch.model.forecasts.run_forecast import RunForecast, Span
from gitorch.model.preflight import Level, Preflight
from gitorch.model.task import State, Task

if TYPE_CHECKING:
    from gitorch.services.run import RunSummary


class TaskEvent(JsonAnswer, tag="gitorch/event/1", frozen=True, kw_only=True):
    """A task that changed."""

    time: Timestamp = msgspec.field(name="at")
    task: TaskJson

    @classmethod
    def of(cls, task: Task) -> TaskEvent:
        """Return the event of a task that changed now."""
        return cls(time=now(), task=TaskJson.of(task))


class ForecastEvent(JsonAnswer, tag="gitorch/event/1", frozen=True, kw_only=True):
    """Predicted conflicts, or a merge candidate, that changed."""

    time: Timestamp = msgspec.field(name="at")
    conflicts: list[ConflictJson]
    candidate: CandidateJson | None

    @classmethod
    def of(cls, conflicts: Iterable[Conflict], candidate: Candidate | None, integration: str) -> ForecastEvent:
        """Return the event of a forecast that changed now; `integration` is the integration branch."""
        return cls(time=now(), conflicts=conflicts_json(conflicts, integration), candidate=candidate_json(candidate))


class PreflightLineJson(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at before the run."""

    level: Level
    what: str
    fix: list[str]


class SpanJson(msgspec.Struct, frozen=True, kw_only=True):
    """The range in which a value lies in eight of ten cases."""

    low: float
    high: float


class RunForecastJson(msgspec.Struct, frozen=True, kw_only=True):
    """What the run was expected to take."""

    seconds: SpanJson
    usd: SpanJson | None
    """Null when prices are unknown."""
    tokens: SpanJson
    samples: int
    """How many earlier tasks it relies on."""
    nights: int
    """How many runs these are from: fewer than 4 say little about how much nights differ."""


class PreflightJson(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at before the run started."""

    lines: list[PreflightLineJson]
    forecast: RunForecastJson | None
    """Null when there are too few earlier tasks."""

    @classmethod
    def of(cls, preflight: Preflight) -> PreflightJson:
        """Return a preflight."""
        return cls(
            lines=[PreflightLineJson(level=line.level, what=line.text, fix=list(line.fix)) for line in preflight.lines],
            forecast=_forecast_json(preflight.forecast) if preflight.forecast else None,
        )


def _forecast_json(forecast: RunForecast) -> RunForecastJson:
    return RunForecastJson(
        seconds=_span_json(forecast.seconds),
        usd=_span_json(forecast.usd) if forecast.usd else None,
        tokens=_span_json(forecast.tokens),
        samples=forecast.samples,
        nights=forecast.nights,
    )


def _span_json(span: Span) -> SpanJson:
    return SpanJson(low=round(span.low, 3), high=round(span.high, 3))


class RunAnswer(JsonAnswer, tag="gitorch/run/1", frozen=True, kw_only=True):
    """What a run came to: the last line that `run` prints."""

    stopped: str | None
    """Why tasks were left in the queue; null when none were."""
    interrupted: bool
    seconds: float
    usd: float
    """What all attempts of this run cost, as far as their prices are known."""
    tokens: int
    """What they read and wrote, whether or not their prices are known."""
    foreign_changes: list[str] = msgspec.field(name="moved")
    """What changed meanwhile outside of the tasks' own worktrees and branches, and not by gitorch."""
    tasks: dict[str, int]
    """How many of the tasks that changed are in each state."""
    conflicts: list[ConflictJson]
    """Conflicts predicted among the branches in flight."""
    candidate: CandidateJson | None
    """Null when there is no candidate yet."""
    troubles: list[str]
    """What kept gitorch from predicting conflicts, building the candidate, or watching all files."""
    preflight: PreflightJson | Absent = msgspec.UNSET
    """Absent when nothing was queued, or the run went on in the background."""

    @classmethod
    def of(
        cls, summary: RunSummary, changed: Sequence[Task], integration: str, preflight: Preflight | None
    ) -> RunAnswer:
        """Return the answer for a run that changed these tasks; `integration` is the integration branch."""
        counts = {state.value: sum(task.state is state for task in changed) for state in State}
        return cls(
            stopped=summary.stopped.reason if summary.stopped else None,
            interrupted=summary.interrupted,
            seconds=round(summary.seconds, 3),
            usd=round(summary.usage.usd or 0.0, 9),
            tokens=summary.usage.input_tokens + summary.usage.output_tokens,
            foreign_changes=list(dict.fromkeys(change.what for change in summary.foreign_changes)),
            tasks={state: count for state, count in counts.items() if count},
            conflicts=conflicts_json(summary.conflicts, integration),
            candidate=candidate_json(summary.candidate),
            troubles=list(summary.troubles),
            preflight=PreflightJson.of(preflight) if preflight else msgspec.UNSET,
        )


class RunOrderAnswer(JsonAnswer, tag="gitorch/run/1", frozen=True, kw_only=True):
    """The answer of `run --dry-run`."""

    order: list[TaskJson]
    """The tasks in the order in which they would start."""
    starts: dict[str, str]
    """The commits that tasks would start on, by task id; without the tasks that start on others' work."""


class RunDetachedAnswer(JsonAnswer, tag="gitorch/run/1", frozen=True, kw_only=True):
    """The answer of `run --detach`: the run continues in the background."""

    pid: int
    log: str
    """The file that it writes to."""
