"""The entry point of the command line: the list of commands, and the exit codes of errors."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from gitorch import __version__
from gitorch.cli import schema, views
from gitorch.cli.group import LazyGroup, Sections
from gitorch.cli.session import Session, print_help, with_common_options
from gitorch.errors import GitorchError, InvalidInput, NotFound, did_you_mean, system_error

COMMANDS: Sections = {
    "Start": {
        "demo": ("demo", "run the whole loop in a throw-away repository"),
        "init": ("init", "write a commented .orchestrate.toml"),
        "doctor": ("doctor", "show what works, what does not, and how to fix it"),
    },
    "Evening": {
        "submit": ("submit", "queue tasks"),
        "edit": ("edit", "change a task before it runs"),
        "move": ("move", "change the order of the queue"),
        "plan": ("plan.group", "break a goal into tasks"),
        "adopt": ("adopt", "import existing branches as finished tasks"),
        "run": ("run", "run the queued tasks"),
    },
    "Night": {
        "status": ("status", "show tasks and what needs your attention"),
        "watch": ("watch", "show the status live"),
        "agents": ("agents", "show running agents"),
        "task": ("task", "show one task"),
        "log": ("log", "show the output of an agent"),
        "attach": ("attach", "open the session of a task in its worktree"),
        "kill": ("kill", "stop tasks"),
        "resume": ("resume", "continue a task in the same session"),
        "retry": ("retry", "queue a fresh attempt"),
    },
    "Morning": {
        "review": ("review", "review finished tasks"),
        "diff": ("diff", "show the changes of a task"),
        "check": ("check", "run the checks of tasks again"),
        "comment": ("verdicts", "comment on a task, a file or a line"),
        "apply": ("apply", "apply the suggestions of your comments"),
        "approve": ("verdicts", "approve tasks for merging"),
        "revise": ("verdicts", "send a task back with comments"),
        "reject": ("verdicts", "reject a task"),
        "merge": ("merge", "rebase approved tasks onto the integration branch"),
        "preview": ("preview", "try out tasks together in a worktree of their own"),
        "report": ("report", "report the night as text, JSON, Markdown or a page"),
        "history": ("history", "show earlier runs, and tasks that cleanup has removed"),
        "undo": ("undo", "undo the last operation"),
        "redo": ("undo", "redo what undo took back"),
    },
    "Upkeep": {
        "rescue": ("rescue", "list, show and restore uncommitted work that was saved"),
        "context": ("context", "show and add notes that agents share"),
        "notes": ("notes", "exchange notes with a remote"),
        "cleanup": ("cleanup", "remove merged and rejected tasks"),
        "mcp": ("mcp", "serve a repository to a program over MCP"),
        "serve": ("worker", "start a Temporal server, and let other machines join"),
        "worker": ("worker", "run agents for another machine"),
        "uninstall": ("uninstall", "take gitorch out of a repository"),
        "config": ("config", "show and change the configuration; trust its commands"),
        "hooks": ("hooks", "install git hooks for yourself, and remove them"),
        "roles": ("roles", "show roles and their instructions"),
        "cd": ("cd", "go to the worktree of a task"),
        "completion": ("completion", "print a shell completion script"),
        "help": ("help", "explain states, exit codes, files and more"),
    },
}
"""The commands in the order of a day: the module that holds each, and one line about it."""

ALIASES = {
    "plan-list": ("plan.show", "list_command"),
    "plan-continue": ("plan.new", "continue_command"),
    "execute-plan": ("plan.approve", "execute_plan_command"),
}
"""Commands that are understood and not listed: the module and the function of each."""

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 and the number of its signal, as shells count."""

_READER_HAS_CLOSED = 141
"""The exit code when the reader of our output has closed it, as `head` does."""


class Commands(LazyGroup):
    """The commands in the order of a day."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.functions:
            hint = did_you_mean(args[0], self.list_commands(ctx), lead="; ")
            raise InvalidInput("no-such-command", f"there is no command {args[0]}{hint}", fix=("orchestrate -h",))
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    sections=COMMANDS,
    aliases=ALIASES,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Run `orchestrate COMMAND --help` for details.",
)
@click.option("-V", "--version", is_flag=True, help="Show the version and exit.")
@click.pass_context
def orchestrate(ctx: click.Context, version: bool) -> None:
    """Queue work for coding agents tonight, review their branches tomorrow."""
    if version:
        _print_version(ctx.ensure_object(Session))
        ctx.exit()
    if ctx.invoked_subcommand is None and not _show_tasks(ctx):
        print_help(ctx)


def _print_version(session: Session) -> None:
    if session.json:
        python = ".".join(map(str, sys.version_info[:3]))
        session.answer(None, schema.start.VersionAnswer(version=__version__, python=python))
    else:
        click.echo(f"gitorch {__version__}")


def _show_tasks(ctx: click.Context) -> bool:
    """Show the status, if the current repository has tasks; return whether it has."""
    session = ctx.ensure_object(Session)
    try:
        has_tasks = bool(session.workspace.tasks)
    except NotFound:  # not in a repository
        return False
    command = orchestrate.get_command(ctx, "status") if has_tasks else None
    if command is not None:
        ctx.invoke(command, show_all=False, acknowledge=False, exit_code=False)
    return command is not None


def main() -> NoReturn:
    """Run the command line and exit.

    At once: taking the interpreter apart costs 10 ms, and thousands of tasks as much again; the threads of a run that
    broke off would be waited for, though the next run adopts their agents.
    """
    _open_missing_streams()
    session = Session()  # it holds the tasks until the process is gone
    try:
        code = _exit_code(session, sys.argv[1:])
    except KeyboardInterrupt:  # a second Ctrl-C, while the first one was answered
        code = INTERRUPTED
    os._exit(code)


def _open_missing_streams() -> None:
    """Open streams that the caller has closed, as git does: no file that is opened later may take their place."""
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def run(words: Sequence[str]) -> int:
    """Run the command line and return its exit code."""
    return _exit_code(Session(), words)


def _exit_code(session: Session, words: Sequence[str]) -> int:
    """Run the command line: the one place where errors become exit codes."""
    try:
        code = _run(session, words)
        moved = session.report_moved()
        sys.stdout.flush()
    except BrokenPipeError:
        return _READER_HAS_CLOSED
    except OSError as error:  # stdout cannot be written, neither the answer nor an error as JSON
        session.json = False
        return _fail(session, system_error(error) or error)
    with contextlib.suppress(OSError):  # it is narration
        sys.stderr.flush()
    return code or moved


def _run(session: Session, words: Sequence[str]) -> int:
    stdout = sys.stdout
    try:
        return _invoke(session, words) or 0
    except GitorchError as error:
        return _fail(session, error, words)
    except click.ClickException as error:
        return _fail(session, InvalidInput("usage", _usage_message(error), fix=(_help_for(error),)), words)
    except (click.Abort, KeyboardInterrupt):
        session.say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except SystemExit as leaving:  # a command's own exit code
        if sys.stdout is not stdout:  # click replaces the stream whose reader has closed it
            return _READER_HAS_CLOSED
        return leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code))
    except OSError as error:
        return _fail(session, system_error(error) or error, words)
    except Exception as error:
        return _fail(session, error, words)


def _invoke(session: Session, words: Sequence[str]) -> Any:
    return with_common_options(orchestrate).main(
        args=[*words],
        prog_name=_program(),
        complete_var="_ORCHESTRATE_COMPLETE",
        standalone_mode=False,
        obj=session,
    )


def _program() -> str:
    name = Path(sys.argv[0]).name
    return "git orchestrate" if name == "git-orchestrate" else name if name == "gitorch" else "orchestrate"


_CLICKS_WORDS = {"a valid integer range": "a whole number", "a valid float range": "a number"}


def _usage_message(error: click.ClickException) -> str:
    """Return what is wrong with an option, as gitorch's own errors say it, with the near miss among fixed choices."""
    if isinstance(error, click.NoSuchOption):
        return f"there is no option {error.option_name}" + _alternatives(error.possibilities)
    message = error.format_message().removesuffix(".")
    unknown = re.match(r"No such command '([^']*)'", message)
    if unknown and isinstance(error, click.UsageError) and error.ctx and isinstance(error.ctx.command, click.Group):
        hint = did_you_mean(unknown[1], error.ctx.command.list_commands(error.ctx), lead="; ")
        return f"{error.ctx.info_name} has no command {unknown[1]}{hint}"
    for words, plain in _CLICKS_WORDS.items():
        message = message.replace(words, plain)
    choice = error.param.type if isinstance(error, click.BadParameter) and error.param else None
    value = re.search(r"'([^']*)' is not one of", message)
    if isinstance(choice, click.Choice) and value:
        return message + did_you_mean(value[1], map(str, choice.choices), lead="; ")
    return message


def _alternatives(names: Sequence[str] | None) -> str:
    return f"; did you mean {' or '.join(names)}?" if names else ""


def _help_for(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'orchestrate'} -h"


def _fail(session: Session, error: Exception, words: Sequence[str] = ()) -> int:
    """Print an error and return its exit code; save the traceback of one that is a bug."""
    # the option that could not be parsed may have come before --json
    session.json = session.json or "--json" in words
    known = error if isinstance(error, GitorchError) else _crash(session, error)
    session.fail(known)
    return known.exit


def _crash(session: Session, error: Exception) -> GitorchError:
    text = views.error.redacted_traceback(error)
    last = f"{type(error).__name__}: {error}"
    try:
        folder = session.crash_folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"crash-{datetime.now():%Y%m%dT%H%M%S}-{os.getpid()}.txt"
        path.write_text(text, "utf-8")
        why = f"the traceback is in {path}"
    except OSError as failure:  # a disk that is full, or cannot be written
        why = f"its traceback could not be saved: {failure.strerror}"
    return GitorchError("unexpected", f"unexpected error: {last}", why=why)


__all__ = ["main", "orchestrate", "run"]
