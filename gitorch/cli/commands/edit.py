"""`edit`: change the request of a task."""

from __future__ import annotations

import sys
from typing import Any

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import QUEUED_TASK
from gitorch.cli.commands.request_options import request_options, requested_fields
from gitorch.cli.commands.text_editor import edit_text
from gitorch.cli.session import UNDO_HINT, Session, pass_session
from gitorch.errors import AnswerNeeded
from gitorch.model.task import Task


@click.command("edit")
@click.argument("name", required=False, type=QUEUED_TASK, metavar="[TASK]")
@click.option("-e", "--edit", "in_editor", is_flag=True, help="Write the prompt in your editor (the default).")
@click.option("-m", "--prompt", help="The new prompt (- is stdin).")
@click.option("--title", help="The new title.")
@request_options
@pass_session
def edit_command(session: Session, /, name: str | None, in_editor: bool, **options: Any) -> None:
    """Change a task before it runs: its prompt, or what the options name.

    An option replaces the old setting; empty text removes it, as in --after ''. If an agent has worked on the task
    already, the answer says what the change means for that work.

    \b
    orchestrate edit add-a-users-table
    orchestrate edit add-a-users-table --priority high --after add-a-database
    """
    task = session.find(name)
    fields = _fields(session, options)
    if in_editor or not fields:
        prompt = _written(session, task)
        if prompt != task.spec.prompt:
            fields["prompt"] = prompt
    if not fields:
        session.answer(f"{task.id}  unchanged", schema.queue.EditAnswer.of(task, ""))
        return
    edited = services.queue.edit(session.workspace, task, fields)
    session.refresh()
    session.answer(
        views.queue.queued([edited.task], session.workspace.config.agent),
        schema.queue.EditAnswer.of(edited.task, edited.meaning),
    )
    if edited.meaning:
        session.say(edited.meaning)
    session.say(UNDO_HINT)


def _fields(session: Session, options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `TaskSpec` that the options change."""
    fields = requested_fields(session, options)
    if "base" in fields:
        fields["base_ref"] = fields.pop("base")
    if fields.get("role") == "":
        fields["role"] = "auto"
    if fields.get("agent") == "auto":
        fields["agent"] = ""
    if options["title"] is not None:
        fields["title"] = options["title"]
    if options["prompt"] is not None:
        fields["prompt"] = _read(options["prompt"])
    return fields


def _read(prompt: str) -> str:
    # text that is not UTF-8 is refused with all other text that is not
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape") if prompt == "-" else prompt


def _written(session: Session, task: Task) -> str:
    """Return the prompt as a person leaves it in an editor."""
    if not session.interactive:
        raise AnswerNeeded(
            "no-change",
            f"say what should change in {task.id}",
            why="no terminal for an editor",
            fix=(f'orchestrate edit {task.id} -m "..."', "orchestrate edit -h"),
        )
    written = edit_text(session, task.spec.prompt)
    return task.spec.prompt if written is None else _as_ended(written, task.spec.prompt)


def _as_ended(text: str, before: str) -> str:
    """Return edited text that ends as it did before: editors add a line end."""
    return text if before.endswith("\n") else text.removesuffix("\n")
