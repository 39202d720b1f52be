"""`diff`."""

from __future__ import annotations

import os
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
from gitorch.errors import Refused
from gitorch.executors.foreground import paged, pager_input
from gitorch.git.repository import Repository
from gitorch.model.branch_state import describe
from gitorch.model.redact import Redactor
from gitorch.model.task import Task, commit_range

_PATHS = "gitorch.diff.paths"


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

    Uses your pager, your diff settings, and the attributes of your checkout. OPTIONS are passed to git diff, and
    what follows `--` are paths from the top of the repository. Credentials are redacted, and on a terminal control
    characters are shown as escapes: `git diff` between the same commits shows the exact text.
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
        services.past_tasks.require_commits(session.workspace, task)
    if since_review:
        if stat or options or ctx.meta[_PATHS]:
            raise click.UsageError("--since-review takes no other options and no paths")
        if not session.json:
            show_second_look(session, task)
            return
    if session.json:
        card = services.review.review_card(session.workspace, task)
        hunks = services.second_look.branch_hunks(session.workspace, card.task)
        comparison = services.second_look.since_review(session.workspace, task) if since_review else None
        session.answer("", schema.review.DiffAnswer.of_branch(card, hunks, comparison))
        session.mark_shown(card.task)
        return
    sys.exit(show_diff(session, task, ("--stat", *options) if stat else options, ctx.meta[_PATHS]))


def _answer_resolution(session: Session, task: Task) -> None:
    if not session.json:
        show_resolution(session, task)
        return
    resolutions = services.resolution_diff.shown_resolutions(session.workspace, task)
    card = services.review.review_card(session.workspace, task)
    session.answer("", schema.review.DiffAnswer.of_resolutions(card, resolutions))


def show_resolution(session: Session, task: Task) -> None:
    """Show what the resolution of a task's conflicts changed, in the user's pager."""
    resolutions = services.resolution_diff.shown_resolutions(session.workspace, task)
    show_text(session, views.resolution_diff.resolution_diff(resolutions, session.screen.out))


def show_second_look(session: Session, task: Task) -> None:
    """Show what changed since the last verdict on a task, in the user's pager."""
    comparison = services.second_look.since_review(session.workspace, task)
    show_text(session, views.second_look.second_look(comparison, session.screen.out, hunk_colours(session)))
    session.mark_shown(services.branch_tips.branch_state(session.workspace, task).task)


def hunk_colours(session: Session) -> dict[str, str] | None:
    """Return the user's colours of a diff as escape sequences, if they want colours here."""
    repository = session.workspace.repository
    if not session.screen.out.colour and sys.stdout.isatty():  # NO_COLOR, or a dumb terminal
        return None
    return _colour_slots(repository) if _wants_colour(repository, (), is_tty=sys.stdout.isatty()) else None


def show_text(session: Session, text: str) -> None:
    """Print text that is harmless already; on a terminal in the user's pager for diffs."""
    sys.stdout.flush()
    pager = _pager(session.workspace.repository) if sys.stdout.isatty() else ""
    with pager_input(pager) as output:
        output.write(text.encode(session.screen.out.charset, "backslashreplace"))


def show_diff(session: Session, task: Task, options: Sequence[str], paths: Sequence[str] = ()) -> int:
    """Run `git diff` with the user's configuration (pager, colours, external diff), made harmless for a terminal."""
    if task.tip is None:
        raise Refused("no-commits", f"{task.id} has no commits yet", why=task.full_reason)
    branch = services.branch_tips.branch_state(session.workspace, task)
    base, tip = commit_range(branch.task)
    if by_hand := describe(branch):
        session.say(f"{task.id}: {session.screen.err.clean(by_hand)}")
    repository = session.workspace.repository
    is_tty = sys.stdout.isatty()
    colours = Colours(_colour_slots(repository)) if _wants_colour(repository, options, is_tty=is_tty) else None
    settings = [*colours.options, "-c", "color.diff=always"] if colours else ["-c", "color.diff=never"]
    others = [option for option in options if option.partition("=")[0] not in ("--color", "--no-color")]
    # --text: an agent's .gitattributes must not be able to hide a change as binary
    # in the user's checkout, for its attributes and for settings that are relative to it (diff.orderFile)
    top = repository.work_tree
    places = [f"--git-dir={repository.common_dir}", *([f"--work-tree={top}"] if top else [])]
    command = ["git", *places, *settings, "diff", "--text", *others, base, tip, "--", *paths]
    sys.stdout.flush()
    pager = _pager(repository) if is_tty else ""
    redactor = Redactor()
    with paged(command, pager, cwd=top or repository.common_dir) as run:
        for block in shown(whole_lines(run.chunks), colours, redactor.feed, escape=is_tty):
            run.output.write(block)
    if redactor.kinds:
        exact = f"git diff {base[:12]} {tip[:12]}"
        session.screen.warn(f"{len(redactor.kinds)} credentials in this diff are redacted; for the exact text: {exact}")
    if run.exit_code == 0 and not paths and all(option.startswith("-") for option in options):  # the whole diff
        session.mark_shown(branch.task)
    return run.exit_code


def _wants_colour(repository: Repository, options: Sequence[str], *, is_tty: bool) -> bool:
    """Return whether git would colour its output: by an option, or by the user's configuration."""
    for option in reversed(options):
        if option in ("--no-color", "--color=never"):
            return False
        if option in ("--color", "--color=always"):
            return True
    terminal = "true" if is_tty else "false"
    return repository.git("config", "--get-colorbool", "color.diff", terminal, ok=(0, 1)).text == "true"


def _colour_slots(repository: Repository) -> dict[str, str]:
    """Return git's colours, changed by those that the user has configured, as escape sequences."""
    names = repository.git("config", "--name-only", "--get-regexp", r"^color\.diff\..", ok=(0, 1)).text.split()
    slots = {slot.lower(): slot for slot in DEFAULTS}
    slots |= {"context": "context", "func": "func"}
    chosen = dict(DEFAULTS)
    for name in names:
        slot = slots.get(name.rpartition(".")[2].lower())
        if slot:
            chosen[slot] = repository.git("config", "--get-color", name).text
    return chosen


def _pager(repository: Repository) -> str:
    """Return the user's pager for `git diff` as a shell command, as git chooses it; empty for none."""
    configured = repository.git("config", "--get", "pager.diff", ok=(0, 1)).text
    if configured.lower() in ("false", "0", "no", "off"):
        return ""
    if configured.lower() in ("", "true", "1", "yes", "on"):
        choices = (
            os.environ.get("GIT_PAGER"),
            repository.git("config", "--get", "core.pager", ok=(0, 1)).text or None,
            os.environ.get("PAGER"),
        )
        configured = next((choice for choice in choices if choice is not None), "less")
    return "" if configured == "cat" else configured
