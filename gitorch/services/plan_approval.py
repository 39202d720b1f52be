"""Turn approved plans into queued tasks, all or none, once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from gitorch.errors import InvalidInput, Refused
from gitorch.flow.intake import TaskDraft
from gitorch.model.naming import TaskId, unused
from gitorch.model.plan import Approval, PlanEdit, PlanSession, TaskPlan
from gitorch.model.task import Task
from gitorch.services import people_only
from gitorch.services.recovery.operations import recover
from gitorch.services.submit import reserved_names, resolve_drafts, submit
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import REDO, SUBMIT, UNDO, Operation, PlanApproval, fingerprint
from gitorch.storage.plans import PlanMoved, PlanStore
from gitorch.storage.tasks import TaskMoved

_GOAL_SHOWN = 2_000
_DESCRIPTIONS = {
    SUBMIT: "approved: {tasks} queued",
    UNDO: "the approval was undone: {tasks} removed from the queue",
    REDO: "approved again: {tasks} queued",
}

Adjust = Callable[[list[TaskDraft]], list[TaskDraft]]
"""Changes the drafts of a plan's tasks before they are queued."""


def plan_store(workspace: Workspace) -> PlanStore:
    """Return the plans of a repository."""
    return PlanStore(workspace.folder / "plans", workspace.store.report_losses)


def find_plan(workspace: Workspace, name: str) -> PlanSession:
    """Return the plan with this id or unique prefix of an id. Raises `NotFound` otherwise."""
    return _with_concluded_approval(workspace, plan_store(workspace).find(name))


def all_plans(workspace: Workspace) -> list[PlanSession]:
    """Return all plans, the oldest first."""
    return [_with_concluded_approval(workspace, session) for session in plan_store(workspace).all()]


def approve_plan(workspace: Workspace, session: PlanSession, adjust: Adjust = list) -> tuple[PlanSession, list[Task]]:
    """Queue the tasks of a plan, all or none, and mark it approved.

    Raises `Refused` if the plan is already approved or has changed since `session` was read, and `InvalidInput` if it
    has no tasks.
    """
    people_only.require_person("approve a plan")
    with plan_store(workspace).lock():
        recover(workspace)
        current = conclude_plan(workspace, session.id)
        refuse_approved(current)
        if current.plan != session.plan:
            raise PlanMoved(
                "plan-moved", f"the plan {current.id} has changed since you saw it", fix=(show_command(current),)
            )
        if not current.plan.tasks:
            raise InvalidInput("empty-plan", f"the plan {current.id} has no tasks", fix=(discuss_command(current),))
        while True:
            approval = Approval(approved_at=datetime.now(UTC), tasks=())
            try:
                return _queue(workspace, current, approval, adjust)
            except TaskMoved:
                current = conclude_plan(workspace, session.id)  # another command took a name: choose again


def tasks_of(workspace: Workspace, plan: TaskPlan, created: datetime, adjust: Adjust = list) -> list[Task]:
    """Return a plan as tasks, under names that no other task has, with its dependencies."""
    reserved = reserved_names(workspace)
    return resolve_drafts(workspace, adjust(_drafts(plan, reserved)), reserved=reserved, created=created)


def mark_undecided(
    workspace: Workspace, session: PlanSession, time: datetime, tasks: tuple[TaskId, ...]
) -> PlanSession:
    """Mark a plan as being approved, or its approval as being undone; a reader then looks up the outcome.

    Call with the plans' lock held, before the tasks are touched.
    """
    undecided = msgspec.structs.replace(session, approval=Approval(approved_at=time, tasks=tasks), proposal=None)
    return plan_store(workspace).save(undecided)


def conclude_plan(workspace: Workspace, name: str) -> PlanSession:
    """Return a plan. If its approval was interrupted, look up the outcome and save it.

    Call with the plans' lock held, when no operation is open.
    """
    while True:
        session = plan_store(workspace).find(name)
        approval = session.approval
        if approval is None or approval.is_active:
            return session
        with contextlib.suppress(PlanMoved):  # other commands may save messages at any time
            return _with_outcome(workspace, session, approval)


def plan_of_operation(workspace: Workspace, operation: Operation) -> PlanSession | None:
    """Return the plan that an operation approved, or whose approval it undid; None if there is none or it was dropped.

    Call with the plans' lock held, when no operation is open.
    """
    approved = operation.plan
    if approved is None or plan_store(workspace).last(approved.plan) is None:
        return None
    session = conclude_plan(workspace, approved.plan)
    # another plan may have the id of a dropped one
    is_same = session.approval is not None and session.approval.approved_at == approved.approved_at
    return session if is_same or operation.kind == UNDO else None


def refuse_approved(session: PlanSession) -> None:
    """Raise `Refused` for an approved plan, which cannot change."""
    if session.is_approved:
        raise Refused(
            "plan-approved",
            f"the plan {session.id} is approved and its tasks are queued, so it cannot change",
            fix=("orchestrate status",),
        )


def discuss_command(session: PlanSession) -> str:
    """Return the command that discusses a plan."""
    return f'orchestrate plan discuss {session.id} "..."'


def show_command(session: PlanSession) -> str:
    """Return the command that shows a plan."""
    return f"orchestrate plan show {session.id}"


def _queue(
    workspace: Workspace, session: PlanSession, approval: Approval, adjust: Adjust
) -> tuple[PlanSession, list[Task]]:
    tasks = tasks_of(workspace, session.plan, approval.approved_at, adjust)
    undecided = mark_undecided(workspace, session, approval.approved_at, tuple(task.id for task in tasks))
    try:
        approved = PlanApproval(undecided.id, approval.approved_at, fingerprint(undecided.plan))
        queued = submit(workspace, tasks, plan=approved)
    finally:
        concluded = conclude_plan(workspace, undecided.id)
    return concluded, queued


def _with_concluded_approval(workspace: Workspace, session: PlanSession) -> PlanSession:
    """Return a plan, after waiting for another process that is approving it or undoing the approval."""
    if session.approval is None or session.approval.is_active:
        return session
    with plan_store(workspace).lock():
        recover(workspace)
        return conclude_plan(workspace, session.id)


def _with_outcome(workspace: Workspace, session: PlanSession, approval: Approval) -> PlanSession:
    """Save the outcome of an approval: its last logged operation, or that there was none."""
    last = workspace.operations.last_of_plan(session.id, approval.approved_at)
    tasks, plans = workspace.tasks, plan_store(workspace)
    are_queued = any(name in tasks and tasks[name].spec.created == approval.approved_at for name in approval.tasks)
    kind = last.kind if last else SUBMIT if are_queued else ""
    if not kind:
        return plans.save(msgspec.structs.replace(session, approval=None))
    description = _DESCRIPTIONS[kind].format(
        tasks="1 task" if len(approval.tasks) == 1 else f"{len(approval.tasks)} tasks"
    )
    # an interrupted undo has changed nothing
    is_recorded = session.history[-1:] and session.history[-1].description == description
    history = (
        session.history
        if is_recorded
        else (*session.history, PlanEdit(description=description, time=datetime.now(UTC)))
    )
    concluded = None if kind == UNDO else msgspec.structs.replace(approval, is_active=True)
    return plans.save(msgspec.structs.replace(session, approval=concluded, proposal=None, history=history))


def _drafts(plan: TaskPlan, reserved: set[str]) -> list[TaskDraft]:
    """Return the tasks of a plan as drafts, under names that are not in `reserved`."""
    names = _free_names(plan, reserved)
    return [
        TaskDraft(
            id=names[task.id],
            title=task.title,
            prompt=task.prompt,
            goal="" if plan.goal.strip() == task.prompt.strip() else plan.goal[:_GOAL_SHOWN],
            acceptance=task.acceptance,
            role=task.role,
            agent=task.agent,
            priority=task.priority,
            after=tuple(names[name] for name in task.after),
            paths=task.paths,
        )
        for task in plan.tasks
    ]


def _free_names(plan: TaskPlan, reserved: set[str]) -> dict[TaskId, TaskId]:
    names: dict[TaskId, TaskId] = {}
    for task in plan.tasks:
        other_ids = {other.id for other in plan.tasks if other.id != task.id}
        names[task.id] = unused(task.id, {*reserved, *other_ids, *names.values()})
    return names
