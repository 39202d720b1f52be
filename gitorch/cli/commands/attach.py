"""`attach`."""

from __future__ import annotations

import sys

import click

from gitorch import services
from gitorch.cli import views
from gitorch.cli.choices import ATTACHABLE_TASK
from gitorch.cli.session import Session, pass_session
from gitorch.model.task import State, Task
from gitorch.services.attach import Attached

_NEXT = {
    State.FINISHED: ("review",),
    State.APPROVED: ("approve",),
    State.CONFLICTED: ("check", "approve"),
    State.WAITING: ('resume {} -m "..."',),
    State.FAILED: ('resume {} -m "..."', "retry"),
    State.CANCELLED: ("resume", "retry"),
    State.REJECTED: ("retry",),
}


@click.command("attach")
@click.argument("name", required=False, type=ATTACHABLE_TASK, metavar="[TASK]")
@pass_session
def attach_command(session: Session, name: str | None) -> None:
    """Open the session of a task's last attempt in its worktree.

    For claude and codex, this is the agent's own session, in the same sandbox and environment as the attempt. For a
    command agent, it is the command in `agents.NAME.attach`, or a shell. gitorch first saves uncommitted files in a
    rescue point. When the session ends, what you and the agent did is on the branch, also files left uncommitted.
    """
    workspace = session.workspace
    task = session.find(name)
    has_terminal = sys.stdin.isatty() and sys.stdout.isatty() and not session.no_input and not session.json
    with services.attach.opened(workspace, task, has_terminal=has_terminal) as opened:
        for text in services.protection.warnings(services.protection.of_workspace(workspace)):
            session.screen.warn(text)
        if opened.rescued:
            session.say(f"uncommitted files are in a rescue point: orchestrate rescue show {task.id}")
        if opened.is_shell:
            session.say(f"{task.spec.agent or 'this agent'} keeps no session: this is a shell in its worktree")
        attached = services.attach.run(workspace, opened)
    session.refresh()
    _report(session, attached)
    sys.exit(attached.exit_code if attached.exit_code >= 0 else 128 - attached.exit_code)


def _report(session: Session, attached: Attached) -> None:
    task = attached.task
    if attached.problem:
        session.screen.warn(f"not collected: {attached.problem}; it is in the worktree {task.worktree}")
    added = f"{views.quantities.plural(attached.commits, 'commit')} added" if attached.commits else "no commit added"
    session.answer(f"{task.id}  {task.state}  {added}")
    for verb in _next_verbs(task, attached):
        session.say(f"next: orchestrate {verb}")


def _next_verbs(task: Task, attached: Attached) -> list[str]:
    verbs = _NEXT.get(task.state, ()) if attached.commits or task.state is State.WAITING else ()
    return [verb.format(task.id) if "{}" in verb else f"{verb} {task.id}" for verb in verbs]
