"""The user's editor, for a text and for a folder."""

from __future__ import annotations

import os
import shlex

import click

from gitorch.cli.session import Session
from gitorch.errors import AnswerNeeded, InvalidInput
from gitorch.git.repository import Repository


def user_editor(repository: Repository) -> str:
    """Return the user's editor as a shell command, as git chooses it; empty if none is configured."""
    choices = (
        os.environ.get("GIT_EDITOR"),
        repository.git("config", "--get", "core.editor", ok=(0, 1)).text,
        os.environ.get("VISUAL"),
        os.environ.get("EDITOR"),
    )
    return next(filter(None, choices), "")


def require_editor(session: Session, what: str, *fixes: str) -> None:
    """Raise `AnswerNeeded` where nobody can write `what`: there is no terminal, and no editor was chosen."""
    if not session.interactive and not user_editor(Repository.discover(session.start)):
        raise AnswerNeeded("answer-needed", f"no terminal to {what} on", fix=fixes)


def edit_text(session: Session, text: str, *, extension: str = ".txt", require_save: bool = False) -> str | None:
    """Let the user edit a text; None if it was not saved. Raises `InvalidInput` if the editor fails."""
    editor = user_editor(Repository.discover(session.start))
    # git gives it to a shell: it may have arguments, `~`, variables
    words = ("/bin/sh", "-c", f'{editor} "$@"', editor)
    try:
        return click.edit(
            text, editor=shlex.join(words) if editor else None, extension=extension, require_save=require_save
        )
    except click.ClickException as error:
        raise InvalidInput(
            "editor-failed",
            "the editor failed, and nothing was changed",
            why=f"{editor}: Editing failed" if editor else error.message,
            fix=("export GIT_EDITOR=nano",),
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "not-utf8", "the text is not UTF-8", why="nothing was changed", fix=("set your editor to UTF-8",)
        ) from error
