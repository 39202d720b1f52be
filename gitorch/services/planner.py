"""Choose the planner that creates a plan: a model, or heuristics."""

from __future__ import annotations

import msgspec

from gitorch.errors import InvalidInput, SetupNeeded
from gitorch.flow.planning.heuristics import Heuristics
from gitorch.flow.planning.model import model_planner
from gitorch.model.plan import Planner
from gitorch.services import people_only
from gitorch.services.agents import probe, run_context
from gitorch.services.configured_checks import require_trust
from gitorch.services.lookup import unknown_name
from gitorch.services.workspace import Workspace

MODELS = ("api", "claude", "codex")
"""Kinds of agents that can draw up plans, in the order in which they are tried: the first costs the least start-up."""


class PlannerChoice(msgspec.Struct, frozen=True):
    """A planner: the name of its agent ("" for heuristics), and the reason why no model is used."""

    agent: str
    planner: Planner
    reason: str = ""


def choose_planner(workspace: Workspace, agent: str = "", *, heuristic: bool = False) -> PlannerChoice:
    """Return the planner to use: the named agent, the configured one, the first ready model, or heuristics.

    Raises `InvalidInput` if the named agent has no model, and `SetupNeeded` if it cannot work.
    """
    if heuristic:
        return PlannerChoice("", Heuristics(workspace.roles), "asked for")
    people_only.require_person("ask a model for a plan")
    require_trust(workspace)
    if agent and agent != "auto":
        return PlannerChoice(agent, _model(workspace, agent))
    problems = []
    for name in _models(workspace):
        try:
            return PlannerChoice(name, _model(workspace, name))
        except SetupNeeded as problem:
            problems.append(f"{name}: {problem.what}")
    return PlannerChoice("", Heuristics(workspace.roles), "; ".join(problems))


def choose_model(workspace: Workspace, agent: str = "") -> PlannerChoice:
    """Return a model to discuss a plan with. Raises `SetupNeeded`, with the reason, if none is ready."""
    choice = choose_planner(workspace, agent)
    if choice.agent:
        return choice
    raise SetupNeeded(
        "no-model",
        "there is no model to discuss the plan with",
        why=choice.reason,
        fix=("orchestrate doctor", "change it yourself: add, remove, modify, split, link, unlink, order, edit"),
    )


def _models(workspace: Workspace) -> list[str]:
    """Return the agents that can draw up a plan, in the order in which they are tried."""
    agents, configured = workspace.config.agents, workspace.config.agent
    able = [name for kind in MODELS for name in agents if agents[name].kind == kind]
    return [configured] if configured in able else [name for name in able if name in MODELS]


def _model(workspace: Workspace, name: str) -> Planner:
    agents = workspace.config.agents
    if name not in agents:
        raise unknown_name("agent", name, list(agents))
    kind = agents[name].kind
    if kind not in MODELS:
        raise InvalidInput(
            "no-planner",
            f"{name} cannot draw up plans",
            why=f"it is a {kind}, not a model",
            fix=("--heuristic needs no model",),
        )
    context = run_context(workspace)
    probe(context, name)
    return model_planner(context, name)
