"""One call of the command line: the options that every command has, the repository, and where words go."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.errors import AnswerNeeded, GitorchError, InvalidInput

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem
    from rich.console import RenderableType

    from gitorch.cli.schema.answer import Answer
    from gitorch.cli.terminal.streams import Screen
    from gitorch.model.task import Task
    from gitorch.replay import Replayer
    from gitorch.services.workspace import Workspace


NO_SANDBOX = "no sandbox: agents are fenced by git hooks alone, which stop accidents and not malice"

UNDO_HINT = "to undo: orchestrate undo"
WAY_BACK = UNDO_HINT


class Session:
    """What the common options say, and the doors that follow from them."""

    def __init__(self) -> None:
        self.start = Path.cwd()
        self.assignments: list[str] = []
        self.quiet = False
        self.verbose = False
        self.json = False
        self.no_input = False
        self.talking = False  # in a planning session, whose prompt tells what can come next

    @cached_property
    def workspace(self) -> Workspace:
        """The repository around the current folder, opened when it is first needed."""
        return services.open.open_workspace(self.start, self.assignments)

    @cached_property
    def screen(self) -> Screen:
        """The streams of this process, and what they can show."""
        from gitorch.cli.terminal.streams import Screen

        return Screen.of_process(quiet=self.quiet, verbose=int(self.verbose))

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""
        return not self.no_input and not self.json and self.screen.interactive

    def find(self, name: str | None) -> Task:
        """Return the task of a name; without one, the task whose worktree this is."""
        if name:
            return services.lookup.find_task(self.workspace, name)
        here = services.lookup.task_of_folder(self.workspace, self.start.resolve())
        if here is None:
            raise click.UsageError("which task? (inside a task's worktree it may be left out)")
        return here

    def find_all(self, names: Sequence[str]) -> list[Task]:
        """Return the tasks of these names; raise `InvalidInput` without any."""
        if not names:
            raise InvalidInput("which-task", "no task given", fix=("name a task, or pass --all",))
        return [services.lookup.find_task(self.workspace, name) for name in names]

    def answer(self, content: RenderableType | None, answer: Answer | None = None) -> None:
        """Print the answer to stdout: `content`, or with `--json` the object, if there is one."""
        if self.json:
            content = schema.answer.line(answer) if answer else None
        if content:
            self.screen.answer(content.removesuffix("\n") if isinstance(content, str) else content)
        self.tell_notices()

    def say(self, content: RenderableType) -> None:
        """Print narration to stderr."""
        self.screen.say(content)

    def refresh(self, known: Replayer | None = None) -> None:
        """Bring what is foreseen up to date after a change by hand; a run that is going on does it by itself."""
        if not services.run_lock.is_running(self.workspace):
            for trouble in services.candidate.refresh(self.workspace, known):
                self.say(trouble)

    def tell_notices(self) -> None:
        """Say what was mended while reading the state."""
        if "workspace" in self.__dict__:
            notices = self.workspace.store.notices
            while notices:
                self.screen.warn(notices.pop(0))

    def fail(self, error: GitorchError) -> None:
        """Print an error: to stderr in words, or with `--json` to stdout as an object."""
        if self.json:
            sys.stdout.write(schema.answer.line(schema.error.ErrorAnswer.of(error)) + "\n")
            return
        from gitorch.cli.views import error as error_view

        self.tell_notices()
        self.screen.alert(error_view.error(error))

    def confirm(self, question: str, *, yes: bool, flag: str = "--yes") -> bool:
        """Ask a person; without one, raise `AnswerNeeded` that names the flag to pass."""
        if yes:
            return True
        if not self.interactive:
            raise AnswerNeeded("answer-needed", question, why="there is nobody to ask", fix=(f"pass {flag}",))
        return click.confirm(question, default=False, err=True)

    def crash_folder(self) -> Path:
        """Return where the traceback of an unexpected error goes."""
        if "workspace" in self.__dict__:
            return self.workspace.folder / "crashes"
        import tempfile

        return Path(tempfile.gettempdir()) / f"gitorch-{os.getuid()}"


def with_common_options(command: click.Command) -> click.Command:
    """Give a command the options that all have: they may stand before or after its name."""
    if not any(option.name == "start_path" for option in command.params):
        command.params.extend(_common_options())
        command.context_settings.setdefault("help_option_names", ["-h", "--help"])
        for below in getattr(command, "commands", {}).values():
            with_common_options(below)
    return command


def _common_options() -> Sequence[click.Option]:
    return (
        _option(("-C", "start_path"), _start, metavar="PATH", multiple=True, help="Work in PATH, as git -C does."),
        _option(("-c", "assignments"), _assign, metavar="KEY=VALUE", multiple=True, help="Set a configuration value."),
        _option(("-q", "--quiet"), _flag("quiet"), is_flag=True, help="Say less."),
        _option(("-v", "--verbose"), _flag("verbose"), is_flag=True, help="Say more."),
        _option(("--json", "as_json"), _flag("json"), is_flag=True, help="Answer as JSON."),
        _option(("--no-input",), _flag("no_input"), is_flag=True, help="Never ask."),
    )


def _option(names: Sequence[str], apply: Callable[[Session, Any], None], **settings: Any) -> click.Option:
    def callback(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        if value:
            apply(ctx.ensure_object(Session), value)

    return click.Option(list(names), expose_value=False, callback=callback, is_eager=True, **settings)


def _start(session: Session, paths: Sequence[str]) -> None:
    for path in paths:
        session.start = session.start / path


def _assign(session: Session, assignments: Sequence[str]) -> None:
    session.assignments.extend(assignments)


def _flag(name: str) -> Callable[[Session, Any], None]:
    return lambda session, value: setattr(session, name, bool(value))


pass_session = click.make_pass_decorator(Session)


def print_help(ctx: click.Context) -> None:
    """Print the help of a command group; raise `UsageError` with `--json`, which needs a command to answer."""
    if ctx.ensure_object(Session).json:
        raise click.UsageError("--json needs a command", ctx)
    click.echo(ctx.get_help())


class Name(click.ParamType[str]):
    """A name of something that the repository knows; completes what begins as it does."""

    def known(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the names that there are, each with a word about it."""
        raise NotImplementedError

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        try:
            known = [*self.known(ctx)]
        except GitorchError:
            return []
        return [CompletionItem(name, help=about or None) for name, about in known if name.startswith(incomplete)]


class TaskName(Name):
    """A task, by slug, unique prefix or number; completes the slugs."""

    name = "task"

    def known(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the tasks with their titles."""
        return ((task.id, task.title) for task in ctx.ensure_object(Session).workspace.tasks.values())


TASK = TaskName()
