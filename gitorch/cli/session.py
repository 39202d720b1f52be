"""One call of the command line: the options of every command, the repository, and the output streams."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.errors import AnswerNeeded, GitorchError, Incomplete, InvalidInput

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem
    from rich.console import RenderableType

    from gitorch.cli.schema.answer import JsonAnswer
    from gitorch.cli.terminal.streams import Screen
    from gitorch.model.task import Task
    from gitorch.services.past.past_tasks import PastTask
    from gitorch.services.workspace import Workspace


_PLAIN = re.compile(r"[\w%+=:,./@-]+", re.ASCII)

UNDO_HINT = "to undo: orchestrate undo"


class Session:
    """The common options, the repository and the terminal of one call."""

    def __init__(self) -> None:
        self.start = _current_folder()
        self.assignments: list[str] = []
        self.quiet = False
        self.verbose = False
        self.json = False
        self.no_input = False
        self.in_plan_dialog = False  # its prompt replaces the hints about the next command

    @cached_property
    def workspace(self) -> Workspace:
        """The repository around the current folder, opened when it is first needed."""
        return services.open.open_workspace(self.start, self.assignments)

    @cached_property
    def screen(self) -> Screen:
        """The streams of this process, and what they can show."""
        # 15 ms (msgspec, rich.cells) that `orchestrate -h` does without
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
        task = services.lookup.task_of_folder(self.workspace, self.start.resolve())
        if task is None:
            why = "it may be left out inside a task's worktree only"
            raise InvalidInput("which-task", "no task given", why=why, fix=_with_a_task())
        return task

    def find_any(self, name: str | None) -> tuple[Task, PastTask | None]:
        """Return the task of a name as `find` does, or one that has left the board, as it was then."""
        return services.past.past_tasks.find_any(self.workspace, name) if name else (self.find(name), None)

    def find_all(self, names: Sequence[str]) -> list[Task]:
        """Return the tasks of these names; without any, the task whose worktree this is."""
        return [self.find(name) for name in names or (None,)]

    def answer(self, content: RenderableType | None, answer: JsonAnswer | None = None) -> None:
        """Print the answer to stdout: `content`, or with `--json` the object, if there is one."""
        if self.json:
            content = schema.answer.line(answer) if answer else None
        if content:
            self.screen.answer(content.removesuffix("\n") if isinstance(content, str) else content)
        self.print_notices()

    def say(self, content: RenderableType) -> None:
        """Print narration to stderr."""
        self.screen.say(content)

    def mark_shown(self, task: Task) -> None:
        """Record that a reviewer was shown a task up to its tip, and say what was rebased on it."""
        services.restack.show(self.workspace, task)
        self.print_notices()

    def refresh(self) -> None:
        """Start an update of the forecast and the candidate after a manual change; nobody waits for it.

        An active run updates them by itself.
        """
        if not services.run_lock.is_running(self.workspace):
            services.merging.pending_refresh.mark(self.workspace.folder)
            services.merging.refresh.start(self.workspace)

    def check_configuration(self) -> None:
        """Warn if the worktree in which the command was started has a configuration of its own that is not used."""
        if files := services.open.ignored_files(self.workspace, self.start):
            names = " and ".join(map(str, files))
            checkout = self.workspace.repository.checkout
            self.screen.warn(f"gitorch ignores {names}, and reads the configuration of {checkout}")

    def check_forecast(self) -> None:
        """Warn if the forecast and the candidate may be out of date; restart an update that was killed."""
        folder = self.workspace.folder
        if why := services.merging.pending_refresh.why_outdated(folder):
            self.workspace.store.say(why)
        if services.merging.pending_refresh.is_abandoned(folder):
            services.merging.refresh.start(self.workspace)

    def print_notices(self) -> None:
        """Warn about what was repaired while reading the state, and say what was done besides the command."""
        if "workspace" in self.__dict__:
            notices, news = self.workspace.store.notices, self.workspace.store.news
            while notices:
                self.screen.warn(notices.pop(0))
            while news:
                self.say(news.pop(0))

    def report_moved(self) -> int:
        """Say what others changed while the checks of this command ran, and return the exit code for it."""
        moved = self.workspace.store.moved if "workspace" in self.__dict__ else ()
        if moved:
            self.screen.alert(views.foreign_changes.while_checking(moved, self.screen.err))
        return Incomplete.exit if moved else 0

    def fail(self, error: GitorchError) -> None:
        """Print an error: to stderr as text, or with `--json` to stdout as an object."""
        if self.json:
            sys.stdout.write(schema.answer.line(schema.error.ErrorAnswer.of(error)) + "\n")
            return
        self.print_notices()
        self.screen.alert(views.error.error(error))

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask a person; without one, raise `AnswerNeeded` that names `--yes`."""
        if yes:
            return True
        if not self.interactive:
            raise AnswerNeeded("answer-needed", question, why="no terminal to ask on", fix=("pass --yes",))
        return click.confirm(question, default=False, err=True)

    def crash_folder(self) -> Path:
        """Return the folder for the traceback of an unexpected error."""
        if "workspace" in self.__dict__:
            return self.workspace.folder / "crashes"
        # 5 ms that only a crash outside of a repository has to wait for
        import tempfile

        return Path(tempfile.gettempdir()) / f"gitorch-{os.getuid()}"


_MAX_SUGGESTED = 3


def _with_a_task() -> tuple[str, ...]:
    """Return the command that is running with the name of a task that it takes, for the first few, or with `--all`."""
    ctx = click.get_current_context()
    kind = next((parameter.type for parameter in ctx.command.params if isinstance(parameter.type, TaskName)), None)
    names = [name for name, _ in kind.choices(ctx)][:_MAX_SUGGESTED] if kind else ()
    words = ctx.command_path.split()[1:]
    if names and any("--all" in parameter.opts for parameter in ctx.command.params):
        names.append("--all")
    return tuple(" ".join(["orchestrate", *words, name]) for name in names) or ("orchestrate status",)


def with_common_options(command: click.Command) -> click.Command:
    """Add the common options to a command and its subcommands; they may come before or after its name."""
    if not any(option.name == "start_path" for option in command.params):
        command.params.extend(_common_options())
        command.context_settings.setdefault("help_option_names", ["-h", "--help"])
        for subcommand in getattr(command, "commands", {}).values():
            with_common_options(subcommand)
    return command


def _common_options() -> Sequence[click.Option]:
    return (
        _option(("-C", "start_path"), _start, type=FOLDER, multiple=True, help="Work in PATH, as git -C does."),
        _option(("-c", "assignments"), _assign, type=_Assignment(), multiple=True, help="Set a configuration value."),
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


def _current_folder() -> Path:
    """Return the folder of this process; of one that was removed its name, and then work in the root folder.

    A shell stays in the worktree of a task that `cleanup` has removed.
    """
    try:
        return Path.cwd()
    except FileNotFoundError:
        os.chdir("/")
        return Path(os.environ.get("PWD") or "/")


pass_session = click.make_pass_decorator(Session)


def print_help(ctx: click.Context) -> None:
    """Print the help of a command group."""
    session = ctx.ensure_object(Session)
    if session.json:
        session.answer(None, schema.start.HelpAnswer(topic=ctx.info_name or "", text=ctx.get_help()))
        return
    click.echo(ctx.get_help())


def _completion(value: str, *, type: str = "plain", help: str | None = None) -> CompletionItem:
    # 4 ms; click loads it only to complete words
    from click.shell_completion import CompletionItem

    return CompletionItem(value, type, help)


class Name(click.ParamType[str]):
    """A name that the repository knows; the shell completes it."""

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return all names, each with a short description."""
        raise NotImplementedError

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        try:
            choices = [*self.choices(ctx)]
        except GitorchError:
            return []
        return [
            _completion(name, help="".join(filter(str.isprintable, summary)) or None)
            for name, summary in choices
            # a shell inserts it as it is: a branch may be called $(rm -r x)
            if name.startswith(incomplete) and _PLAIN.fullmatch(name)
        ]


class _Assignment(Name):
    """A setting and its value; completes the settings."""

    name = "key=value"

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return all settings with their values."""
        config = ctx.ensure_object(Session).workspace.config
        return ((f"{name}=", str(value)) for name, value in services.settings.flat(config).items())


class PathName(click.ParamType[str]):
    """The path of a file or of a folder, which the shell completes by itself; taken as it is."""

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Tell the shell what to complete."""
        return [_completion(incomplete, type=self.kind)]


FILE_NAME = PathName("file", "file")
FOLDER = PathName("path", "dir")


class TaskName(Name):
    """A task, by slug, unique prefix or number; completes the slugs."""

    name = "task"

    def choices(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Return the tasks with their titles."""
        return ((task.id, task.title) for task in ctx.ensure_object(Session).workspace.tasks.values())


TASK = TaskName()
