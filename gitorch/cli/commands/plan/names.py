"""The names of plans and of their tasks as arguments."""

from __future__ import annotations

from collections.abc import Iterable

import click

from gitorch import services
from gitorch.cli.session import Name, Session


class PlanName(Name):
    """A plan, by id or unique prefix; the shell completes the ids."""

    name = "plan"

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the plans."""
        plans = services.plan_approval.plan_store(ctx.ensure_object(Session).workspace)
        return ((name, "") for name in plans.names())


class PlannedName(Name):
    """A task of the plan that is named before it, by id, unique prefix or position; the shell completes the ids."""

    name = "task"

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the plan's tasks with their titles."""
        workspace = ctx.ensure_object(Session).workspace
        plan = services.plan_approval.find_plan(workspace, ctx.params.get("plan") or "").plan
        return ((task.id, task.title) for task in plan.tasks)


PLAN = PlanName()
PLANNED = PlannedName()
