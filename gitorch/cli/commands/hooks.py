"""`hooks`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.session import Session, pass_session, print_help
from gitorch.errors import NotFound, did_you_mean
from gitorch.executors.foreground import become
from gitorch.git.user_hooks import HookState, HookStatus


@click.group("hooks", invoke_without_command=True)
@click.pass_context
def hooks_command(ctx: click.Context) -> None:
    """Install git hooks for yourself, and remove them. No other command installs hooks for you.

    \b
    pre-push      refuses to push the branches of tasks, and rescue points
    post-rewrite  carries gitorch's notes over when you amend or rebase
    """
    if ctx.invoked_subcommand is None:
        print_help(ctx)


@hooks_command.command("install")
@pass_session
def install_hooks(session: Session) -> None:
    """Install the hooks, or bring them up to date.

    A hook that is in the way, such as one by pre-commit, is kept and runs after gitorch's. `hooks remove` puts it back.
    """
    _answer(session, services.hooks.install(session.workspace))
    session.say("to remove them: orchestrate hooks remove")


@hooks_command.command("remove")
@pass_session
def remove_hooks(session: Session) -> None:
    """Remove the hooks, and put back those that were in their place, byte for byte."""
    removed = services.hooks.remove(session.workspace)
    names = [hook.name for hook in removed if hook.state is not HookState.ABSENT]
    text = f"removed {', '.join(names)}" if names else "no hooks of gitorch are installed"
    session.answer(text, _json(removed, ""))


@hooks_command.command("status")
@pass_session
def show_hooks(session: Session) -> None:
    """Show which hooks are installed, and what else is in their place."""
    folder, hooks = services.hooks.status(session.workspace)
    _answer(session, hooks, folder.problem)


@hooks_command.command("run", hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@pass_session
def run_hook(session: Session, name: str, arguments: Sequence[str]) -> None:
    """Do what the hook NAME does: for a line in a hook that you keep in your repository."""
    names = [hook.name for hook in services.hooks.status(session.workspace)[1]]
    if name not in names:
        raise NotFound("no-such-hook", f"gitorch has no hook {name}{did_you_mean(name, names, lead='; ')}")
    # no other hook can be next to this name; sh is found as git finds it
    script = services.hooks.script(session.workspace, name)
    become("sh", ["-c", script, f"/dev/null/{name}", *arguments])


def _answer(session: Session, hooks: Sequence[HookStatus], problem: str = "") -> None:
    session.answer(None if session.json else views.setup.hooks(hooks), _json(hooks, problem))
    if problem:
        session.say(f"cannot be installed here: {problem}")


def _json(hooks: Sequence[HookStatus], problem: str) -> schema.maintenance.HooksAnswer:
    rows = [
        schema.maintenance.HookJson(
            name=hook.name, state=str(hook.state), path=str(hook.path), other=hook.other or None
        )
        for hook in hooks
    ]
    return schema.maintenance.HooksAnswer(hooks=rows, problem=problem or None)
