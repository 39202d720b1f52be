"""A task's hunks one by one: view, mark, comment."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import msgspec

from gitorch import services
from gitorch.cli import views
from gitorch.cli.commands.diff import hunk_colours
from gitorch.cli.commands.text_editor import edit_text
from gitorch.cli.session import Session
from gitorch.cli.terminal.hunk_text import patch_text
from gitorch.cli.terminal.keys import INTERRUPTS, read_key
from gitorch.git.diff.hunk_ids import HunkPatch
from gitorch.model.task import Task

HUNK_PROMPT = "[v]iewed [u]nview [c]omment [n]ext [p]rev [H] {hide} [q]uit [?]"
HUNK_HELP = """\
v  mark as viewed, show the next         n, p  next, previous hunk
u  remove the mark                       c  comment on it, or on a line of it
H  show or hide viewed hunks             q  back to the task
F  change the order: git's, or what others use first and generated files last"""


def walk_hunks(session: Session, task: Task, *, flat: bool = False) -> None:
    """Show one hunk after the other, and carry out the reviewer's keys; viewed ones are hidden at first."""
    is_hidden, position = True, 0
    shown: HunkPatch | None = None
    while True:
        branch = services.reviewing.second_look.branch_hunks(session.workspace, task, flat=flat)
        hunks = branch.unviewed if is_hidden else branch.hunks
        if not hunks and shown is None and branch.hunks:
            click.echo("all hunks are viewed, and shown again", err=True)
            is_hidden, hunks = False, branch.hunks
        if not hunks:
            click.echo("all hunks are viewed" if branch.hunks else "no changes", err=True)
            return
        position = max(0, min(position, len(hunks) - 1))
        hunk = hunks[position]
        if hunk != shown:  # help and messages stay above the keys
            _show(session, hunk, branch.commits.get(hunk.file.path, ()))
            shown = hunk
        mark = "" if hunk in branch.unviewed else "viewed "
        hide = "show" if is_hidden else "hide"
        click.echo(f"{mark}{position + 1}/{len(hunks)} {HUNK_PROMPT.format(hide=hide)} ", nl=False, err=True)
        key = read_key()
        click.echo(key if key.isprintable() else "", err=True)
        if key in ("q", *INTERRUPTS):
            return
        if key == "H":
            is_hidden = not is_hidden
        elif key == "F":
            flat, position = not flat, 0
        elif key in ("v", "u"):
            position += _mark(session, task, hunk, viewed=key == "v", is_hidden=is_hidden)
        elif key in ("n", "p"):
            step = 1 if key == "n" else -1
            if position + step >= len(hunks):
                return
            position += step
        elif key == "c":
            _comment(session, task, hunk)
        else:
            click.echo(HUNK_HELP, err=True)


def _show(session: Session, hunk: HunkPatch, commits: Sequence[str]) -> None:
    """Show a hunk below the messages of the commits that change its file."""
    lines = [f"commit {session.screen.out.clean(commit)}" for commit in commits]
    sys.stdout.write(patch_text([hunk], hunk_colours(session), lambda _: lines))
    sys.stdout.flush()


def _mark(session: Session, task: Task, hunk: HunkPatch, *, viewed: bool, is_hidden: bool) -> int:
    """Mark a hunk; return how far to go on: a hunk that is hidden now leaves its place to the next."""
    reviewer = services.reviewing.comments.current_reviewer(session.workspace)
    services.reviewing.second_look.mark_viewed(session.workspace, task, [hunk], reviewer, viewed=viewed)
    return 0 if is_hidden or not viewed else 1


def _comment(session: Session, task: Task, hunk: HunkPatch) -> None:
    """Let the reviewer write about the hunk, or between its lines."""
    quoted = views.reviewing.review_file.quoted_lines([hunk])
    text = edit_text(session, views.reviewing.review_file.render_hunk(hunk.place, quoted), extension=".diff") or ""
    reviewer = services.reviewing.comments.current_reviewer(session.workspace)
    comments = [
        msgspec.structs.replace(
            comment if comment.file else msgspec.structs.replace(comment, file=hunk.file.path, line=hunk.line),
            author=reviewer,
            attempt=task.attempts,
        )
        for comment in views.reviewing.review_file.parse(text, quoted).comments
    ]
    if not comments:
        session.say("no comment was written")
        return
    services.reviewing.comments.add_comments(session.workspace, session.find(task.id), comments)
    session.say(f"commented on {', '.join(comment.place for comment in comments)}")
