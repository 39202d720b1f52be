"""Turn plans that a person has agreed to into queued tasks, all or none, once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from gitorch.errors import InvalidInput, Refused
from gitorch.model.naming import TaskId, unused
from gitorch.model.plan import Approval, Plan, PlanSession, Step
from gitorch.model.task import Task
from gitorch.services.run import Night
from gitorch.storage import trust
from gitorch.storage.operations import REDO, SUBMIT, UNDO, Agreed, Operation, fingerprint
from gitorch.storage.plans import PlanMoved, PlanStore
from gitorch.storage.tasks import TaskMoved

if TYPE_CHECKING:
    from gitorch.flow.intake import Draft

_GOAL_SHOWN = 2_000
_WHAT = {
    SUBMIT: "approved: {tasks} queued",
    UNDO: "the approval was taken back: {tasks} queued no more",
    REDO: "approved again: {tasks} queued",
}


class Approving(Night):
    """The plans of a repository, and their approval."""

    @cached_property
    def plans(self) -> PlanStore:
        return PlanStore(self.folder / "plans")

    def find_plan(self, name: str) -> PlanSession:
        """Return the plan that an id or a unique beginning of one names; raise `NotFound` otherwise."""
        return self._settled(self.plans.find(name))

    def all_plans(self) -> list[PlanSession]:
        """Return all plans, the oldest first."""
        return [self._settled(session) for session in self.plans.all()]

    def approve_plan(
        self, session: PlanSession, adjusted: Callable[[list[Draft]], list[Draft]] = list
    ) -> tuple[PlanSession, list[Task]]:
        """Queue the tasks of a plan, all or none, and mark it approved.

        `adjusted` may change the drafts of the tasks before they are queued. Raises `Refused` for a plan that is
        approved already, and when it is no longer the one of `session`; `InvalidInput` for one without tasks.
        """
        trust.require_person("approve a plan")
        with self.plans.turn():
            self.recover()
            now = self._concluded(session.id)
            self._refuse_approved(now)
            if now.plan != session.plan:
                raise PlanMoved("plan-moved", f"the plan {now.id} is no longer what you saw", fix=(show_command(now),))
            if not now.plan.tasks:
                raise InvalidInput("empty-plan", f"the plan {now.id} has no tasks", fix=(discuss_command(now),))
            while True:
                approval = Approval(at=datetime.now(UTC), tasks=())
                try:
                    return self._queue(now, approval, adjusted)
                except TaskMoved:
                    now = self._concluded(session.id)  # another command took a name: choose again

    def _queue(
        self, session: PlanSession, approval: Approval, adjusted: Callable[[list[Draft]], list[Draft]]
    ) -> tuple[PlanSession, list[Task]]:
        tasks = self.tasks_of(session.plan, approval.at, adjusted)
        begun = self._begin(session, approval.at, tuple(task.id for task in tasks))
        try:
            queued = self.submit(tasks, plan=Agreed(begun.id, approval.at, fingerprint(begun.plan)))
        finally:
            concluded = self._concluded(begun.id)
        return concluded, queued

    def _begin(self, session: PlanSession, at: datetime, tasks: tuple[TaskId, ...]) -> PlanSession:
        """Mark a plan as one whose approval is being made or taken back: whoever looks at it finds out what came of it.

        Call within the plans' turn, before the tasks are touched.
        """
        return self.plans.save(msgspec.structs.replace(session, approval=Approval(at=at, tasks=tasks), proposal=None))

    def _settled(self, session: PlanSession) -> PlanSession:
        """Return a plan as it stands when nobody is just approving it, or taking that back."""
        if session.approval is None or session.approval.done:
            return session
        with self.plans.turn():
            self.recover()
            return self._concluded(session.id)

    def _concluded(self, name: str) -> PlanSession:
        """Return a plan; where its approval was on the way, find out what came of it, and say so in the plan.

        Call within the plans' turn, when no operation is open.
        """
        while True:
            session = self.plans.find(name)
            approval = session.approval
            if approval is None or approval.done:
                return session
            with contextlib.suppress(PlanMoved):  # words about it may be saved at any time
                return self._told(session, approval)

    def _told(self, session: PlanSession, approval: Approval) -> PlanSession:
        """Save what came of an approval: what was done about it last, or that nothing was."""
        last = self.operations.last_about(session.id, approval.at)
        tasks = self.tasks
        there = any(name in tasks and tasks[name].spec.created == approval.at for name in approval.tasks)
        kind = last.kind if last else SUBMIT if there else ""
        if not kind:
            return self.plans.save(msgspec.structs.replace(session, approval=None))
        what = _WHAT[kind].format(tasks="1 task" if len(approval.tasks) == 1 else f"{len(approval.tasks)} tasks")
        told = session.history[-1:] and session.history[-1].what == what  # an undo that was cut short took nothing back
        history = session.history if told else (*session.history, Step(what=what, at=datetime.now(UTC)))
        done = None if kind == UNDO else msgspec.structs.replace(approval, done=True)
        return self.plans.save(msgspec.structs.replace(session, approval=done, proposal=None, history=history))

    def _plan_of(self, operation: Operation) -> PlanSession | None:
        """Return the plan whose approval an operation made or took back; None when there is none, or it was dropped.

        Call within the plans' turn, when no operation is open.
        """
        agreed = operation.plan
        if agreed is None or self.plans.last(agreed.plan) is None:
            return None
        session = self._concluded(agreed.plan)
        # the id of a plan that was dropped may be another's by now
        of_it = session.approval is not None and session.approval.at == agreed.at
        return session if of_it or operation.kind == UNDO else None

    def tasks_of(
        self, plan: Plan, created: datetime, adjusted: Callable[[list[Draft]], list[Draft]] = list
    ) -> list[Task]:
        """Return a plan as tasks: each name unique beside the tasks that there are, what it waits for kept."""
        from gitorch.flow import intake
        from gitorch.model.graph import refuse_broken
        from gitorch.model.task import by_id

        existing, taken = self.tasks, self.taken()
        drafts = adjusted(drafts_of(plan, taken))
        number = max((task.number for task in existing.values()), default=0) + 1
        tasks = [self.routed(one) for one in intake.resolve(drafts, existing, number, taken=taken, created=created)]
        self.refuse_bare_names(tasks)
        refuse_broken(by_id(tasks), existing)
        return tasks

    def _saved(self, session: PlanSession, plan: Plan, what: str, **fields: Any) -> PlanSession:
        """Save the next revision, with what was done in its history."""
        history = (*session.history, Step(what=what, at=datetime.now(UTC)))
        return self.plans.save(msgspec.structs.replace(session, plan=plan, proposal=None, history=history, **fields))

    def _refuse_approved(self, session: PlanSession) -> None:
        if session.is_approved:
            raise Refused(
                "plan-approved",
                f"the plan {session.id} is approved: its tasks are queued, and it stays as it is",
                fix=("orchestrate status",),
            )


def drafts_of(plan: Plan, taken: set[str]) -> list[Draft]:
    """Return the tasks of a plan as drafts, under names that are not in `taken`."""
    from gitorch.flow.intake import Draft

    names = _free_names(plan, taken)
    return [
        Draft(
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


def _free_names(plan: Plan, taken: set[str]) -> dict[TaskId, TaskId]:
    names: dict[TaskId, TaskId] = {}
    for task in plan.tasks:
        others = {one.id for one in plan.tasks if one.id != task.id}
        names[task.id] = unused(task.id, {*taken, *others, *names.values()})
    return names


def discuss_command(session: PlanSession) -> str:
    """Return the command that talks about a plan."""
    return f'orchestrate plan discuss {session.id} "..."'


def show_command(session: PlanSession) -> str:
    """Return the command that shows a plan."""
    return f"orchestrate plan show {session.id}"
