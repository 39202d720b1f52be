"""`agents`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.session import Session, pass_session

if TYPE_CHECKING:
    from gitorch.executors.base import Submitted


@click.command("agents")
@pass_session
def agents_command(session: Session) -> None:
    """Show running agents."""
    rows = [
        {
            "task": task.id,
            "agent": task.spec.agent,
            "attempt": task.attempts,
            "doing": execution.step,
            "pid": status.pid,
            "started": schema.answer.timestamp(datetime.fromtimestamp(status.started, UTC)),
            **_usage(session, execution),
        }
        for task, execution, status in services.watch.running(session.workspace)
    ]
    agents = [schema.progress.AgentJson(**row) for row in rows]
    session.answer(views.run.agents(rows), schema.progress.AgentsAnswer(agents=agents))


def _usage(session: Session, execution: Submitted) -> dict[str, Any]:
    usage = services.watch.usage(session.workspace, execution)
    return {"memory": usage.memory, "cpu_seconds": usage.cpu_seconds}
