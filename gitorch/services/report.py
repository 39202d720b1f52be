"""The night in one value: what needs a person, what went well and wrong, and everything about each task."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gitorch.flow.review import ReviewCard
from gitorch.git.diff.patch_lines import Patch, read_patch
from gitorch.git.repository import GitFailed
from gitorch.model.forecasts.conflict_forecast import Candidate, Conflict
from gitorch.model.naming import Oid
from gitorch.model.task import State, Task, commit_range
from gitorch.services.branches.branch_tips import branch_states
from gitorch.services.branches.own_branches import integration_tip
from gitorch.services.change_watch import acknowledgement
from gitorch.services.merging.forecast_record import saved_candidate, saved_conflicts
from gitorch.services.report_details import TaskDetails, task_details
from gitorch.services.reviewing.review import cards_in_order
from gitorch.services.workspace import Workspace
from gitorch.storage import atomic
from gitorch.storage.foreign_changes import ForeignChange

MAX_LINES = 2_000
"""Lines of one task's diff that a report holds."""

_FOLDER = "reports"


class ReportEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One task: its branch as it is, its review card if it needs a verdict, its diff, and its details."""

    task: Task
    card: ReviewCard | None = None
    patch: Patch = Patch()
    details: TaskDetails = TaskDetails()


class NightReport(msgspec.Struct, frozen=True, kw_only=True):
    """The board at one moment. `entries` are in review order where a task needs a verdict, then by number.

    `base_moved` counts the commits of the user's branch that the integration branch does not have.
    """

    created: datetime
    repository: str
    integration: str
    tip: Oid | None
    entries: tuple[ReportEntry, ...]
    conflicts: tuple[Conflict, ...] = ()
    candidate: Candidate | None = None
    foreign: tuple[ForeignChange, ...] = ()
    base_moved: int = 0

    @property
    def waiting(self) -> list[Task]:
        """The tasks that wait for a person: for a verdict, an answer, or a decision after a failure."""
        return [entry.task for entry in self.entries if _needs_person(entry)]


def make_report(workspace: Workspace, *, for_page: bool) -> NightReport:
    """Return the report of all tasks on the board; `for_page` reads diffs, transcripts and other details as well."""
    states = branch_states(workspace, workspace.tasks.values())
    cards = {card.task.id: card for card in cards_in_order(workspace, states.values())}
    other_tasks = sorted((states[name].task for name in states if name not in cards), key=lambda task: task.number)
    tasks = [*(card.task for card in cards.values()), *other_tasks]
    top = workspace.repository.work_tree or workspace.repository.common_dir
    tip = integration_tip(workspace)
    return NightReport(
        created=datetime.now(UTC).replace(microsecond=0),
        repository=top.name,
        integration=workspace.config.integration,
        tip=tip,
        entries=tuple(_entry(workspace, task, cards.get(task.id), for_page=for_page) for task in tasks),
        conflicts=saved_conflicts(workspace),
        candidate=saved_candidate(workspace),
        foreign=tuple(acknowledgement.unacknowledged(workspace)),
        base_moved=_base_moved(workspace, tip),
    )


def save_report(workspace: Workspace, report: NightReport, page: str) -> Path:
    """Write a page to the folder of reports; return its path."""
    folder = workspace.folder / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.created:%Y-%m-%dT%H%M%SZ}.html"
    atomic.replace(path, page.encode("utf-8", "backslashreplace"), durable=False, concurrent=True)
    return path


def _entry(workspace: Workspace, task: Task, card: ReviewCard | None, *, for_page: bool) -> ReportEntry:
    if not for_page:
        return ReportEntry(task=task, card=card)
    return ReportEntry(task=task, card=card, patch=_patch(workspace, task), details=task_details(workspace, task))


def _needs_person(entry: ReportEntry) -> bool:
    task = entry.task
    is_question = task.state is State.WAITING and task.wake is None
    return entry.card is not None or is_question or task.state in (State.CONFLICTED, State.FAILED)


def _patch(workspace: Workspace, task: Task) -> Patch:
    if task.base is None or task.tip is None:
        return Patch()
    try:
        return read_patch(workspace.repository, *commit_range(task), MAX_LINES)
    except GitFailed:  # its commits are gone
        return Patch()


def _base_moved(workspace: Workspace, tip: Oid | None) -> int:
    _, head = workspace.repository.head()
    if tip is None or head is None:
        return 0
    return int(workspace.repository.git("rev-list", "--count", f"{tip}..{head}").text)
