"""Plans as JSON: the fields of `gitorch/plan/1`."""

from __future__ import annotations

from typing import Any

import msgspec

from gitorch.cli.schema import answers
from gitorch.model.plan import Difference, PlannedTask, PlanSession, Said, critical_path, difference, phases

Json = dict[str, Any]


def plan(session: PlanSession) -> Json:
    """Return a plan with its conversation and its history; `proposal` is absent where nothing is proposed."""
    last = next((said for said in reversed(session.conversation) if said.model), None)
    found: Json = {
        "id": session.id,
        "goal": session.plan.goal,
        "state": "approved" if session.is_approved else "draft",
        "made_by": session.plan.made_by or None,
        "model": last.model if last else None,
        "agent": session.agent or None,
        "cost": answers.cost(session.spent),
        "constraints": list(session.constraints),
        "tasks": [planned(task) for task in session.plan.tasks],
        "phases": [[task.id for task in group] for group in phases(session.plan)],
        "critical_path": [task.id for task in critical_path(session.plan)],
        "conversation": [said(one) for one in session.conversation],
        "history": [{"what": step.what, "at": answers.at(step.at)} for step in session.history],
        "created": answers.at(session.created),
        "revision": session.revision,
    }
    if session.proposal is not None:
        found["proposal"] = changes(difference(session.plan, session.proposal))
    if session.approval is not None and session.approval.done:
        found["approved"] = {"at": answers.at(session.approval.at), "tasks": list(session.approval.tasks)}
    return found


def summary(session: PlanSession) -> Json:
    """Return a plan as a line of `plan list`."""
    whole = plan(session)
    kept = ("id", "goal", "state", "made_by", "model", "cost", "created", "revision")
    return {**{name: whole[name] for name in kept}, "tasks": len(session.plan.tasks)}


def planned(task: PlannedTask) -> Json:
    """Return one task of a plan."""
    return {
        "id": task.id,
        "title": task.title,
        "prompt": task.prompt,
        "role": task.role or None,
        "agent": task.agent or None,
        "priority": str(task.priority),
        "after": list(task.after),
        "paths": list(task.paths),
        "acceptance": list(task.acceptance),
        "size": str(task.size),
    }


def said(one: Said) -> Json:
    """Return one contribution to the conversation."""
    model = {"model": one.model, "cost": answers.cost(one.usage)} if one.model else {}
    return {"who": one.who, "text": one.text, "at": answers.at(one.at), **model}


def changes(found: Difference) -> Json:
    """Return what distinguishes two plans."""
    return {
        "added": [planned(task) for task in found.added],
        "removed": [task.id for task in found.removed],
        "changed": [
            {"task": one.task, "field": one.field, "before": _plain(one.before), "after": _plain(one.after)}
            for one in found.changed
        ],
        "reordered": found.reordered,
    }


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)
