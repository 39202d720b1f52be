"""Draw up plans, talk them over, and turn those that a person has agreed to into queued tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from gitorch.errors import InvalidInput, Refused, SetupNeeded
from gitorch.model.naming import slug
from gitorch.model.plan import Plan, Planner, PlanSession, Proposed, Said, Step, difference, read_plan, valid
from gitorch.services.plan_approval import Approving, discuss_command
from gitorch.services.workspace import unknown
from gitorch.storage import trust
from gitorch.storage.plans import PlanMoved

MODELS = ("api", "claude", "codex")
"""Kinds of agents that can draw up plans, in the order in which they are tried: the first costs the least start-up."""


class Chosen(msgspec.Struct, frozen=True):
    """Who draws up plans: an agent by name, or heuristics (""), and why no model does."""

    agent: str
    planner: Planner
    why: str = ""


class Planning(Approving):
    """The plans of a repository. Each change is durable when its function returns."""

    # ------------------------------------------------------------------------------------------- who draws it up

    def choose_planner(self, agent: str = "", *, heuristic: bool = False) -> Chosen:
        """Return who draws up a plan: the agent that is named, the configured one, the first able model, heuristics.

        Raises `InvalidInput` for a name that is no model's, `SetupNeeded` when the one that is named cannot work.
        """
        from gitorch.flow.planning.heuristics import Heuristics

        if heuristic:
            return Chosen("", Heuristics(self.roles), "asked for")
        trust.require_person("ask a model for a plan")
        self.require_trust()
        if agent and agent != "auto":
            return Chosen(agent, self._model(agent))
        problems = []
        for name in self._models():
            try:
                return Chosen(name, self._model(name))
            except SetupNeeded as problem:
                problems.append(f"{name}: {problem.what}")
        return Chosen("", Heuristics(self.roles), "; ".join(problems))

    def choose_model(self, agent: str = "") -> Chosen:
        """Return a model to talk with; raise `SetupNeeded` that says why there is none."""
        chosen = self.choose_planner(agent)
        if chosen.agent:
            return chosen
        raise SetupNeeded(
            "no-model",
            "there is no model to discuss the plan with",
            why=chosen.why,
            fix=("orchestrate doctor", "change it yourself: add, remove, modify, split, link, unlink, order, edit"),
        )

    def _models(self) -> list[str]:
        """Return the agents that a plan may be asked of, in the order in which they are tried."""
        agents = self.config.agents
        able = [name for kind in MODELS for name in agents if agents[name].kind == kind]
        own = self.config.agent
        return [own] if own in able else [name for name in able if name in MODELS]

    def _model(self, name: str) -> Planner:
        from gitorch.flow.planning.model import model_planner

        if name not in self.config.agents:
            raise unknown("agent", name, list(self.config.agents))
        kind = self.config.agents[name].kind
        if kind not in MODELS:
            raise InvalidInput(
                "no-planner",
                f"{name} cannot draw up plans",
                why=f"it is a {kind}, not a model",
                fix=("--heuristic needs no model",),
            )
        means = self.means()
        self.probe(means, name)
        return model_planner(means, name)

    # ------------------------------------------------------------------------------------------------ the session

    def begin_plan(self, goal: str, constraints: Sequence[str] = (), *, agent: str = "") -> PlanSession:
        """Save a new plan that has no tasks yet."""
        plan = valid(Plan(goal=goal))
        now = datetime.now(UTC)
        return self.plans.create(
            PlanSession(
                id=slug(" ".join(goal.split()[:8])),
                plan=plan,
                constraints=tuple(constraints),
                agent=agent,
                conversation=(Said(who="person", text=goal, at=now),),
                history=(Step(what="began", at=now),),
                created=now,
            )
        )

    def draw_up(self, session: PlanSession, chosen: Chosen) -> PlanSession:
        """Have the tasks of a plan that has none drawn up."""
        proposed = chosen.planner.plan(session.plan.goal, session.constraints)
        answered = _with_answer(session, proposed)
        return self._saved(answered, proposed.plan, f"drawn up: {proposed.plan.made_by}", agent=chosen.agent)

    def discuss(self, session: PlanSession, words: str, chosen: Chosen) -> PlanSession:
        """Tell the planner something about the plan; what it would change becomes the session's `proposal`.

        What was said is saved before it is answered. When somebody changes the plan meanwhile, the answer is kept
        and the proposal is not.
        """
        self._refuse_approved(session)
        if not words.strip():
            raise InvalidInput("empty-words", "there is nothing to discuss: say what should be different")
        said = Said(who="person", text=words, at=datetime.now(UTC))
        asked = msgspec.structs.replace(session, conversation=(*session.conversation, said), proposal=None)
        self.plans.save(asked)
        proposed = chosen.planner.discuss(session.plan, [*_held(session), *session.conversation], words)
        now = self.plans.find(session.id)
        fits = now.plan == session.plan and bool(difference(now.plan, proposed.plan))
        proposal = proposed.plan if fits else None
        return self.plans.save(
            msgspec.structs.replace(_with_answer(now, proposed), proposal=proposal, agent=chosen.agent)
        )

    def take(self, session: PlanSession) -> PlanSession:
        """Make the proposal the plan."""
        if session.proposal is None:
            raise Refused("no-proposal", f"nothing is proposed for {session.id}", fix=(discuss_command(session),))
        return self.change_plan(session, session.proposal, "took the planner's proposal")

    def leave(self, session: PlanSession) -> PlanSession:
        """Leave the plan as it is, and forget the proposal."""
        return self.plans.save(msgspec.structs.replace(session, proposal=None))

    def change_plan(self, session: PlanSession, plan: Plan, what: str) -> PlanSession:
        """Save a changed plan; `what` says in words what was done."""
        self._refuse_approved(session)
        self.refuse_foreign(plan)
        return self._saved(session, plan, what)

    def edit_plan(self, name: str, edit: Callable[[Plan], tuple[Plan, str]]) -> PlanSession:
        """Change a plan by a function that returns the new one and what it did, whoever else changes it meanwhile."""
        while True:
            session = self.find_plan(name)
            self._refuse_approved(session)
            try:
                return self.change_plan(session, *edit(session.plan))
            except PlanMoved:
                continue

    def refuse_foreign(self, plan: Plan) -> None:
        """Raise `InvalidInput` for an agent or a role that is not configured."""
        for task in plan.tasks:
            if task.agent and task.agent not in self.config.agents:
                raise unknown("agent", task.agent, list(self.config.agents))
            if task.role and task.role not in self.roles:
                raise unknown("role", task.role, list(self.roles))

    def read_edited(self, found: Any, session: PlanSession) -> Plan:
        """Return the plan that an edited document describes: its goal, and a table for each task."""
        if unknown_keys := [key for key in found if key not in ("goal", "task")]:
            raise InvalidInput("plan-invalid", f"unknown key {unknown_keys[0]}", why="the keys are goal and task")
        goal = found.get("goal", session.plan.goal)
        if not isinstance(goal, str):
            raise InvalidInput("plan-invalid", "goal is not text")
        tables, made_by = {"tasks": found.get("task", [])}, session.plan.made_by
        return read_plan(tables, goal=goal, made_by=made_by, roles=self.roles, agents=self.config.agents)

    def drop_plan(self, session: PlanSession) -> str:
        """Take a plan away; return where it is kept."""
        trust.require_person("drop a plan")
        with self.plans.turn():
            return str(self.plans.drop(session))


def _held(session: PlanSession) -> tuple[Said, ...]:
    """Return what the plan must keep to, as the person's words: a planner that is talked with was not told before."""
    held = "".join(f"\n- {constraint}" for constraint in session.constraints)
    return (Said(who="person", text=f"What must hold:{held}"),) if held else ()


def _with_answer(session: PlanSession, proposed: Proposed) -> PlanSession:
    said = Said(who="planner", text=proposed.reply, at=datetime.now(UTC), model=proposed.model, usage=proposed.usage)
    return msgspec.structs.replace(session, conversation=(*session.conversation, said))
