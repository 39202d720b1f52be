"""The group of the `plan` commands."""

from __future__ import annotations

import click

from gitorch.cli.group import LazyGroup, Sections
from gitorch.cli.session import Session, print_help

COMMANDS: Sections = {
    "Commands": {
        "new": ("plan.new", "Create a plan, like `plan GOAL`."),
        "list": ("plan.show", "List all plans."),
        "show": ("plan.show", "Show a plan, or one TASK of it."),
        "continue": ("plan.new", "Continue a saved plan and its conversation."),
        "approve": ("plan.approve", "Approve a plan and queue its tasks with their dependencies."),
        "drop": ("plan.approve", "Drop a plan."),
        "discuss": ("plan.discuss", "Discuss a plan with the model, and accept or discard what it proposes."),
        "take": ("plan.discuss", "Accept the last proposal."),
        "leave": ("plan.discuss", "Discard the last proposal."),
        "edit": ("plan.edit", "Edit a plan as TOML in your editor."),
        "add": ("plan.tasks", "Add a task."),
        "remove": ("plan.tasks", "Remove tasks."),
        "modify": ("plan.tasks", "Change fields of a task."),
        "split": ("plan.tasks", "Replace a task with several."),
        "link": ("plan.tasks", "Make TASK wait for each AFTER."),
        "unlink": ("plan.tasks", "Remove the dependency of TASK on each AFTER."),
        "order": ("plan.tasks", "Move these tasks to the front, in this order (dependencies still apply)."),
    }
}
"""The commands of a plan: the module that holds each, and the first sentence of its help."""


class PlanGroup(LazyGroup):
    """A group whose first word may also be a goal: any word that is no command, and any word after `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["new", *args] if self._is_goal(ctx, args) else args)

    def _is_goal(self, ctx: click.Context, args: list[str]) -> bool:
        try:
            _, words, _ = self.make_parser(ctx).parse_args(list(args))
        except click.UsageError:
            return True  # an option of `plan new`
        if not words:
            return False
        return words[0] not in self.functions or "--" in args[: len(args) - len(words)]


@click.group(
    "plan",
    cls=PlanGroup,
    sections=COMMANDS,
    invoke_without_command=True,
    subcommand_metavar="GOAL | COMMAND [ARGS]...",
)
@click.pass_context
def plan_command(ctx: click.Context) -> None:
    """Break a goal into tasks, discuss the plan, and queue it.

    \b
    orchestrate plan "Build a REST API with authentication"
    orchestrate plan approve build-a-rest --run

    On a terminal, a goal opens a dialog in which you discuss and change the plan. Every step is saved. Quote a goal
    that starts with the name of a command, or put -- before it.
    """
    if ctx.invoked_subcommand is None:
        new = plan_command.get_command(ctx, "new")
        if ctx.ensure_object(Session).interactive and new:
            ctx.invoke(new)
        else:
            print_help(ctx)
