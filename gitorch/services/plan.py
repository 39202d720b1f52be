"""Create, discuss and change plans until a person approves one. A change is durable when its function returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from gitorch.errors import InvalidInput, Refused
from gitorch.model.naming import slug
from gitorch.model.plan import PlanEdit, PlanMessage, PlanProposal, PlanSession, TaskPlan, difference, read_plan, valid
from gitorch.services import people_only
from gitorch.services.lookup import unknown_name
from gitorch.services.plan_approval import discuss_command, find_plan, plan_store, refuse_approved
from gitorch.services.planner import PlannerChoice
from gitorch.services.workspace import Workspace
from gitorch.storage.plans import PlanMoved


def create_plan(workspace: Workspace, goal: str, constraints: Sequence[str] = (), *, agent: str = "") -> PlanSession:
    """Return a saved plan that has no tasks yet: a new one, or what is left of one for which no tasks were made."""
    people_only.require_person("make a plan")
    plan = valid(TaskPlan(goal=goal))
    plans = plan_store(workspace)
    for session in plans.all():  # otherwise a command that was killed and repeated would leave an empty plan behind
        if session.plan == plan and session.constraints == tuple(constraints) and session.agent == agent:
            return session
    now = datetime.now(UTC)
    return plans.create(
        PlanSession(
            id=slug(" ".join(goal.split()[:8])),
            plan=plan,
            constraints=tuple(constraints),
            agent=agent,
            conversation=(PlanMessage(author="person", text=goal, time=now),),
            history=(PlanEdit(description="began", time=now),),
            created=now,
        )
    )


def draw_up(workspace: Workspace, session: PlanSession, choice: PlannerChoice) -> PlanSession:
    """Let the planner create the tasks of a plan that has none."""
    proposed = choice.planner.plan(session.plan.goal, session.constraints)
    answered = _with_answer(session, proposed)
    return _save(workspace, answered, proposed.plan, f"drawn up: {proposed.plan.made_by}", agent=choice.agent)


def discuss(workspace: Workspace, session: PlanSession, text: str, choice: PlannerChoice) -> PlanSession:
    """Send the planner a message about the plan; the plan that it answers with becomes the session's `proposal`.

    The message is saved before it is sent. If another command changes the plan meanwhile, the answer is kept and the
    proposal is dropped.
    """
    people_only.require_person("discuss a plan")
    refuse_approved(session)
    if not text.strip():
        raise InvalidInput("empty-words", "the message is empty: say what should change")
    plans = plan_store(workspace)
    message = PlanMessage(author="person", text=text, time=datetime.now(UTC))
    conversation = (*session.conversation, message)
    plans.save(msgspec.structs.replace(session, conversation=conversation, proposal=None))
    proposed = choice.planner.discuss(session.plan, [*_constraints(session), *session.conversation], text)
    current = plans.find(session.id)
    fits = current.plan == session.plan and bool(difference(current.plan, proposed.plan))
    proposal = proposed.plan if fits else None
    answered = _with_answer(current, proposed)
    return plans.save(msgspec.structs.replace(answered, proposal=proposal, agent=choice.agent))


def accept_proposal(workspace: Workspace, session: PlanSession) -> PlanSession:
    """Make the proposal the plan."""
    if session.proposal is None:
        raise Refused("no-proposal", f"there is no proposal for {session.id}", fix=(discuss_command(session),))
    return change_plan(workspace, session, session.proposal, "took the planner's proposal")


def drop_proposal(workspace: Workspace, session: PlanSession) -> PlanSession:
    """Discard the proposal; the plan does not change."""
    people_only.require_person("change a plan")
    return plan_store(workspace).save(msgspec.structs.replace(session, proposal=None))


def change_plan(workspace: Workspace, session: PlanSession, plan: TaskPlan, description: str) -> PlanSession:
    """Save a changed plan; `description` goes into its history."""
    refuse_approved(session)
    _require_known_names(workspace, plan)
    return _save(workspace, session, plan, description)


def edit_plan(workspace: Workspace, name: str, edit: Callable[[TaskPlan], tuple[TaskPlan, str]]) -> PlanSession:
    """Change a plan with a function that returns the new plan and a description of the change.

    The function is called again if another command has changed the plan first.
    """
    while True:
        session = find_plan(workspace, name)
        refuse_approved(session)
        try:
            return change_plan(workspace, session, *edit(session.plan))
        except PlanMoved:
            continue


def read_edited(workspace: Workspace, document: Any, session: PlanSession) -> TaskPlan:
    """Return the plan that an edited document describes: its goal, and a table for each task."""
    if unknown_keys := [key for key in document if key not in ("goal", "task")]:
        raise InvalidInput("plan-invalid", f"unknown key {unknown_keys[0]}", why="the keys are goal and task")
    goal = document.get("goal", session.plan.goal)
    if not isinstance(goal, str):
        raise InvalidInput("plan-invalid", "goal is not text")
    tables, made_by = {"tasks": document.get("task", [])}, session.plan.made_by
    agents = workspace.config.agents
    return read_plan(tables, goal=goal, made_by=made_by, roles=workspace.roles, agents=agents)


def drop_plan(workspace: Workspace, session: PlanSession) -> str:
    """Remove a plan; return the path where it is kept."""
    people_only.require_person("drop a plan")
    plans = plan_store(workspace)
    with plans.lock():
        return str(plans.drop(session))


def _require_known_names(workspace: Workspace, plan: TaskPlan) -> None:
    """Raise `InvalidInput` for an agent or a role that is not configured."""
    roles, agents = workspace.roles, workspace.config.agents
    for task in plan.tasks:
        if task.agent and task.agent not in agents:
            raise unknown_name("agent", task.agent, list(agents))
        if task.role and task.role not in roles:
            raise unknown_name("role", task.role, list(roles))


def _save(workspace: Workspace, session: PlanSession, plan: TaskPlan, description: str, **fields: Any) -> PlanSession:
    """Save the next revision, with the change in its history."""
    people_only.require_person("change a plan")
    history = (*session.history, PlanEdit(description=description, time=datetime.now(UTC)))
    changed = msgspec.structs.replace(session, plan=plan, proposal=None, history=history, **fields)
    return plan_store(workspace).save(changed)


def _constraints(session: PlanSession) -> tuple[PlanMessage, ...]:
    """Return the constraints of a plan as a message: a planner that discusses it has not seen them before."""
    text = "".join(f"\n- {constraint}" for constraint in session.constraints)
    return (PlanMessage(author="person", text=f"What must hold:{text}"),) if text else ()


def _with_answer(session: PlanSession, proposed: PlanProposal) -> PlanSession:
    answer = PlanMessage(
        author="planner", text=proposed.reply, time=datetime.now(UTC), model=proposed.model, usage=proposed.usage
    )
    return msgspec.structs.replace(session, conversation=(*session.conversation, answer))
