"""`agents`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.session import Session, pass_session

if TYPE_CHECKING:
    from gitorch.executors.protocol import Submitted


@click.group("agents", invoke_without_command=True)
@click.pass_context
def agents_command(ctx: click.Context) -> None:
    """Show running agents, or with `list` those that tasks can use."""
    if ctx.invoked_subcommand is None:
        _show_running(ctx.ensure_object(Session))


@agents_command.command("list")
@pass_session
def list_agents(session: Session) -> None:
    """List the agents of the configuration, and whether each is installed and logged in."""
    configured = session.workspace.config.agents
    statuses = services.doctor.setup.detect_agents(session.workspace)
    rows = [
        schema.progress.AgentSetupJson(
            name=status.name,
            kind=configured[status.name].kind,
            model=configured[status.name].model or None,
            ready=status.is_ready,
            detail=status.detail,
            permissions=status.permissions,
            permission_flags=list(status.flags),
        )
        for status in statuses
    ]
    answer = schema.progress.AgentListAnswer(configured=rows)
    session.answer(None if session.json else views.setup.agents(statuses, configured), answer)


def _show_running(session: Session) -> None:
    activity = services.watch.live_reader(session.workspace).activity(session.workspace.tasks)
    rows = [
        {
            "task": task.id,
            "agent": task.spec.agent,
            "attempt": task.attempts,
            "doing": execution.step,
            "pid": status.pid,
            "machine": status.host or None,
            "started": schema.answer.timestamp(datetime.fromtimestamp(status.started, UTC)),
            "activity": activity.get(task.id, ""),
            **_usage(session, execution),
        }
        for task, execution, status in services.watch.running(session.workspace)
    ]
    agents = [schema.progress.AgentJson(**row) for row in rows]
    session.answer(views.running.run.agents(rows), schema.progress.AgentsAnswer(agents=agents))


def _usage(session: Session, execution: Submitted) -> dict[str, Any]:
    usage = services.watch.usage(session.workspace, execution)
    last = datetime.fromtimestamp(usage.last_output, UTC) if usage.last_output else None
    return {
        "memory": usage.memory,
        "cpu_seconds": usage.cpu_seconds,
        "last_output": schema.answer.timestamp(last) if last else None,
    }
