"""`resume`."""

from __future__ import annotations

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.choices import RESUMABLE_TASK
from gitorch.cli.commands.verdicts import read_message
from gitorch.cli.session import UNDO_HINT, Session, pass_session
from gitorch.model.visible import visible


@click.command("resume")
@click.argument("name", required=False, type=RESUMABLE_TASK, metavar="[TASK]")
@click.option("-m", "--message", default="", help="What to tell the agent, such as the answer to its question.")
@pass_session
def resume_command(session: Session, name: str | None, message: str) -> None:
    """Queue a task to continue in the session of its last attempt.

    Use it to answer a question of the agent, or to continue an attempt that was stopped, timed out, or waits for a
    limit.
    """
    task, workspace = session.find(name), session.workspace
    text = message or (
        read_message(session, f"Answer the question of {task.id}:\n{visible(task.question)}")
        if session.interactive and task.question
        else ""
    )
    queued = services.resume.resume(workspace, task, text)
    session.refresh()
    answer = schema.queue.ResumeAnswer(task=schema.task.TaskJson.of(queued))
    session.answer(f"{queued.id}  {queued.state}", answer)
    if services.resume.starts_afresh(workspace, queued):
        session.say("its session is on a worker: the agent starts a fresh one, with all that it was told before")
    session.say(UNDO_HINT)
    session.say("next: orchestrate run")
