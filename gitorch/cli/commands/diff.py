"""`diff`."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.choices import STARTED_TASK
from gitorch.cli.commands.review_file import leave_comments
from gitorch.cli.commands.viewer import open_viewer
from gitorch.cli.session import Session, pass_session
from gitorch.cli.terminal.patch import DEFAULTS, Colours, shown, whole_lines
from gitorch.errors import Refused, SetupNeeded
from gitorch.executors.foreground import paged, pager_input
from gitorch.git.diff import user_diff
from gitorch.git.repository import Repository
from gitorch.git.typed_paths import from_top
from gitorch.model.branch_state import describe
from gitorch.model.credentials.redaction import Redactor
from gitorch.model.naming import Oid
from gitorch.model.task import Task, commit_range

_PATHS = "gitorch.diff.paths"
_GIT_DIED = 128
_GIT_USAGE = 129
_OTHER_LINES = 6
"""Lines of a screen beside what changed since a verdict: the end of the card, and the keys."""


class DiffCommand(click.Command):
    """A command whose words after `--` are paths, as git's are; click would drop the `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        ctx.meta[_PATHS] = args[end + 1 :]
        return super().parse_args(ctx, args[:end])


@click.command("diff", cls=DiffCommand, context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False, type=STARTED_TASK, metavar="[TASK]")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("--stat", is_flag=True, help="Show file names and line counts only.")
@click.option("--since-review", is_flag=True, help="Show what changed since the last verdict, with its comments.")
@click.option("--resolution", is_flag=True, help="Show only what the resolution of its conflicts changed.")
@click.option("--viewer", is_flag=True, help="Open it in review.viewer, and keep the comments written there.")
@pass_session
@click.pass_context
def diff_command(
    ctx: click.Context,
    session: Session,
    name: str | None,
    options: tuple[str, ...],
    stat: bool,
    since_review: bool,
    resolution: bool,
    viewer: bool,
) -> None:
    """Show the changes of a task's branch.

    Uses your pager, your diff settings, and the attributes of your checkout; colours are for a terminal only. OPTIONS
    are passed to git diff, and what follows `--` are paths from the top of the repository, or from the folder you are
    in. Credentials are redacted, and on a terminal control characters are shown as escapes: `git diff` between the
    same commits shows the exact text.
    """
    if viewer:
        if stat or since_review or resolution or options or ctx.meta[_PATHS] or session.json:
            raise click.UsageError("--viewer takes no other options and no paths")
        leave_comments(session, [open_viewer(session, session.find(name))])
        return
    task, past = session.find_any(name)
    if resolution:
        if stat or since_review or options or ctx.meta[_PATHS]:
            raise click.UsageError("--resolution takes no other options and no paths")
        _answer_resolution(session, task)
        return
    if past:
        services.past.past_tasks.require_commits(session.workspace, task)
    if since_review:
        if stat or options or ctx.meta[_PATHS]:
            raise click.UsageError("--since-review takes no other options and no paths")
        if not session.json:
            show_second_look(session, task)
            return
    if session.json:
        card = services.reviewing.review.review_card(session.workspace, task)
        hunks = services.reviewing.second_look.branch_hunks(session.workspace, card.task)
        comparison = services.reviewing.second_look.since_review(session.workspace, task) if since_review else None
        session.answer("", schema.review.DiffAnswer.of_branch(card, hunks, comparison))
        session.mark_shown(card.task)
        return
    exit_code = show_diff(session, task, ("--stat", *options) if stat else options, ctx.meta[_PATHS])
    _raise_failure(task, exit_code, options)
    sys.exit(exit_code)


def _is_changed(repository: Repository, base: Oid, tip: Oid, path: str) -> bool:
    command = ("diff", "--quiet", "--no-ext-diff", "--no-textconv", base, tip, "--", path)
    return repository.git(*command, ok=(0, 1, 128)).code == 1


def _raise_failure(task: Task, exit_code: int, options: Sequence[str]) -> None:
    """Raise for the exit codes by which git says that it has failed; its own message is on stderr already."""
    if exit_code == _GIT_USAGE:
        raise click.UsageError(f"git diff does not accept: {shlex.join(options)}")
    if exit_code == _GIT_DIED:
        raise SetupNeeded(
            "diff-failed",
            "git diff failed",
            why="its message is above; an external diff or a text conversion of yours may be the cause",
            fix=(f"orchestrate diff {task.id} --no-ext-diff --no-textconv",),
        )


def _answer_resolution(session: Session, task: Task) -> None:
    if not session.json:
        show_resolution(session, task)
        return
    resolutions = services.merging.resolution_diff.shown_resolutions(session.workspace, task)
    card = services.reviewing.review.review_card(session.workspace, task)
    session.answer("", schema.review.DiffAnswer.of_resolutions(card, resolutions))


def show_resolution(session: Session, task: Task) -> None:
    """Show what the resolution of a task's conflicts changed, in the user's pager."""
    resolutions = services.merging.resolution_diff.shown_resolutions(session.workspace, task)
    show_text(session, views.merging.resolution_diff.resolution_diff(resolutions, session.screen.out))


def show_second_look(session: Session, task: Task) -> None:
    """Show what changed since the last verdict on a task, in the user's pager."""
    comparison = services.reviewing.second_look.since_review(session.workspace, task)
    show_text(session, views.reviewing.second_look.second_look(comparison, session.screen.out, hunk_colours(session)))
    session.mark_shown(services.branches.branch_tips.branch_state(session.workspace, task).task)


def show_new_changes(session: Session, task: Task) -> bool:
    """Show the first lines of what changed since the last verdict on a task; return whether there was a verdict."""
    current = services.branches.branch_tips.branch_state(session.workspace, task).task
    comparison = services.reviewing.second_look.find_since_review(session.workspace, current)
    if comparison is None:
        return False
    text = views.reviewing.second_look.second_look(comparison, session.screen.out, hunk_colours(session))
    lines = text.rstrip("\n").split("\n")
    count = max(shutil.get_terminal_size().lines - _OTHER_LINES, _OTHER_LINES)
    if len(lines) > count:
        lines[count:] = [f"({len(lines) - count} more lines: orchestrate diff {task.id} --since-review)"]
    _write_text(session, "\n".join(["", *lines, ""]), "")
    return True


def hunk_colours(session: Session) -> dict[str, str] | None:
    """Return the user's colours of a diff as escape sequences, if they want colours here."""
    repository = session.workspace.repository
    is_coloured = user_diff.wants_colour(repository, (), default=session.screen.out.colour)
    return _colour_slots(repository) if is_coloured else None


def _colour_slots(repository: Repository) -> dict[str, str]:
    return user_diff.colour_slots(repository, DEFAULTS, ("context", "func"))


def show_text(session: Session, text: str) -> None:
    """Print text that is harmless already; on a terminal in the user's pager for diffs."""
    _write_text(session, text, user_diff.pager(session.workspace.repository) if sys.stdout.isatty() else "")


def _write_text(session: Session, text: str, pager: str) -> None:
    sys.stdout.flush()
    with pager_input(pager) as output:
        output.write(text.encode(session.screen.out.charset, "backslashreplace"))


def show_diff(session: Session, task: Task, options: Sequence[str], paths: Sequence[str] = ()) -> int:
    """Run `git diff` with the user's configuration (pager, colours, external diff), made harmless for a terminal."""
    if task.tip is None:
        raise Refused("no-commits", f"{task.id} has no commits yet", why=task.full_reason)
    branch = services.branches.branch_tips.branch_state(session.workspace, task)
    base, tip = commit_range(branch.task)
    if by_hand := describe(branch):
        session.say(f"{task.id}: {session.screen.err.clean(by_hand)}")
    repository = session.workspace.repository
    is_tty = sys.stdout.isatty()
    is_coloured = user_diff.wants_colour(repository, options, default=session.screen.out.colour)
    colours = Colours(_colour_slots(repository)) if is_coloured else None
    secret_colours = colours.options if colours else ()
    paths = [from_top(path, session.start, lambda typed: _is_changed(repository, base, tip, typed)) for path in paths]
    command = user_diff.command(repository, base, tip, colours=secret_colours, options=options, paths=paths)
    sys.stdout.flush()
    pager = user_diff.pager(repository) if is_tty else ""
    redactor = Redactor()
    with paged(command, pager, cwd=repository.work_tree or repository.common_dir) as run:
        for block in shown(whole_lines(run.chunks), colours, redactor.feed, escape=is_tty):
            run.output.write(block)
    if redactor.kinds:
        exact = f"git diff {base[:12]} {tip[:12]}"
        session.screen.warn(f"{len(redactor.kinds)} credentials in this diff are redacted; for the exact text: {exact}")
    if run.exit_code == 0 and not paths and all(option.startswith("-") for option in options):  # the whole diff
        session.mark_shown(branch.task)
    return run.exit_code
