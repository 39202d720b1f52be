"""`completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from gitorch.cli import schema
from gitorch.cli.session import Session, pass_session


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
@pass_session
def completion_command(session: Session, context: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    orchestrate completion bash >> ~/.bashrc
    """
    completion_class = get_completion_class(shell)
    assert completion_class is not None
    program = context.find_root().command
    script = completion_class(program, {}, "orchestrate", "_ORCHESTRATE_COMPLETE").source()
    session.answer(script, schema.maintenance.CompletionAnswer(shell=shell, script=script))
