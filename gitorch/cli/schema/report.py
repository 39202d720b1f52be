"""The answer of `report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gitorch.cli.schema.answer import Absent, JsonAnswer, ObjectId, Timestamp, present, timestamp
from gitorch.cli.schema.forecast import CandidateJson, ConflictJson, candidate_json, conflicts_json
from gitorch.cli.schema.review import CardJson
from gitorch.cli.schema.task import MovedJson, TaskJson, moved_json, tasks_json

if TYPE_CHECKING:
    from gitorch.services.report import NightReport


class ReportAnswer(JsonAnswer, tag="gitorch/report/1", frozen=True, kw_only=True):
    """The night: every task on the board, and what needs a person."""

    created: Timestamp
    repository: str
    integration: str
    tip: ObjectId | None
    """The tip of the integration branch; null when nothing has been merged yet."""
    needs_person: list[str]
    """Tasks that wait for a verdict, an answer, or a decision."""
    tasks: list[TaskJson]
    """Those that need a verdict first, in review order."""
    cards: list[CardJson]
    """What a reviewer sees of each task that needs a verdict."""
    conflicts: list[ConflictJson]
    candidate: CandidateJson | None
    moved: list[MovedJson]
    base_moved: int
    """Commits of the user's branch that the integration branch does not have."""
    path: str | Absent = msgspec.UNSET
    """The HTML page that was written."""

    @classmethod
    def of(cls, report: NightReport, path: Path | None) -> ReportAnswer:
        """Return the answer for a report."""
        return cls(
            created=timestamp(report.created),
            repository=report.repository,
            integration=report.integration,
            tip=report.tip,
            needs_person=[task.id for task in report.waiting],
            tasks=tasks_json(entry.task for entry in report.entries),
            cards=[CardJson.of(entry.card) for entry in report.entries if entry.card],
            conflicts=conflicts_json(report.conflicts, report.integration),
            candidate=candidate_json(report.candidate),
            moved=moved_json(report.foreign),
            base_moved=report.base_moved,
            path=present(str(path or "")),
        )
