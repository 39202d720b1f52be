"""`merge --pr`: draft pull requests, stacked in dependency order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import Session
from gitorch.cli.terminal.sanitize import safe

if TYPE_CHECKING:
    from gitorch.services.github.pull_requests import OpenedRequest, PlannedRequest


def open_pull_requests(session: Session, names: Sequence[str], remote: str, *, dry_run: bool, yes: bool) -> None:
    """Open the pull requests of approved tasks after a yes, and print them."""
    workspace = session.workspace
    services.people_only.require_person("open pull requests")
    task_ids = [services.lookup.find_task(workspace, name).id for name in names] or None
    base = services.github.pull_requests.default_base(workspace, remote)
    requests = services.github.pull_requests.plan_requests(workspace, task_ids, base)
    if dry_run or not requests:
        rows = [_json(planned, None, created=False) for planned in requests]
        text = "\n".join(map(_line, requests)) or "no task is approved"
        session.answer(text, schema.merge.PullRequestsAnswer(pull_requests=rows, dry_run=dry_run))
        return
    session.say("\n".join(map(_line, requests)))
    branches = "1 branch" if len(requests) == 1 else f"{len(requests)} branches"
    if not session.confirm(f"Push {branches} to {remote} and open draft pull requests?", yes=yes):
        session.answer("nothing was pushed", schema.merge.PullRequestsAnswer(pull_requests=[], dry_run=False))
        return
    opened = [
        _said(session, request) for request in services.github.pull_requests.open_requests(workspace, requests, remote)
    ]
    rows = [_json(request.planned, request.url, created=request.created) for request in opened]
    text = "\n".join(f"{request.planned.task}  {safe(request.url)}" for request in opened)
    session.answer(text, schema.merge.PullRequestsAnswer(pull_requests=rows, dry_run=False))


def _said(session: Session, request: OpenedRequest) -> OpenedRequest:
    session.say(f"{request.planned.task}: {'opened' if request.created else 'pushed'}")
    return request


def _line(planned: PlannedRequest) -> str:
    return f"{planned.task}  {safe(planned.branch)} onto {safe(planned.base)}"


def _json(planned: PlannedRequest, url: str | None, *, created: bool) -> schema.merge.PullRequestJson:
    return schema.merge.PullRequestJson(
        id=planned.task, branch=planned.branch, base=planned.base, tip=planned.tip, url=url, created=created
    )
