"""The command line: words in, words out. Here errors become exit codes; each command is loaded when it is called."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import click

from gitorch import __version__
from gitorch.cli.session import Session, print_help, with_common_options
from gitorch.errors import GitorchError, InvalidInput, did_you_mean

COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "Start": {
        "demo": ("demo", "run the whole loop in a throw-away repository"),
        "init": ("init", "write a commented .orchestrate.toml"),
        "doctor": ("init", "show what works, what does not, and how to fix it"),
    },
    "Evening": {
        "submit": ("submit", "queue tasks"),
        "plan": ("plan", "break a goal into tasks"),
        "adopt": ("adopt", "import existing branches as finished tasks"),
        "run": ("run", "run the queued tasks"),
    },
    "Night": {
        "status": ("status", "show tasks and what needs your attention"),
        "watch": ("status", "show the status live"),
        "agents": ("status", "show running agents"),
        "task": ("status", "show one task"),
        "log": ("status", "show the output of an agent"),
        "kill": ("status", "stop tasks"),
        "retry": ("status", "queue a fresh attempt"),
    },
    "Morning": {
        "review": ("review", "review finished tasks"),
        "diff": ("review", "show the changes of a task"),
        "comment": ("verdicts", "comment on a task, a file or a line"),
        "approve": ("verdicts", "approve tasks for merging"),
        "revise": ("verdicts", "send a task back with comments"),
        "reject": ("verdicts", "reject a task"),
        "merge": ("merge", "rebase approved tasks onto the integration branch"),
        "undo": ("undo", "undo the last operation"),
        "redo": ("undo", "redo what undo took back"),
    },
    "Upkeep": {
        "context": ("context", "show and add notes that agents share"),
        "cleanup": ("cleanup", "remove merged and rejected tasks"),
        "config": ("config", "show the configuration; trust its commands"),
        "completion": ("completion", "print a shell completion script"),
    },
}
"""The commands in the order of a day: the module that holds each, and one line about it."""

OTHER_SPELLINGS = {"plan-list": "plan", "plan-continue": "plan", "execute-plan": "plan"}
"""Commands that are understood and not listed."""


class Commands(click.Group):
    """The commands in the order of a day, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [name for group in COMMANDS.values() for name in group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        listed = {name: module for group in COMMANDS.values() for name, (module, _) in group.items()}
        found = (listed | OTHER_SPELLINGS).get(cmd_name)
        if found is None:
            return None
        module = importlib.import_module(f"gitorch.cli.commands.{found}")
        return with_common_options(getattr(module, f"{cmd_name.replace('-', '_')}_command"))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = {*self.list_commands(ctx), *OTHER_SPELLINGS}
        if args and not args[0].startswith("-") and args[0] not in known:
            hint = did_you_mean(args[0], self.list_commands(ctx), lead="; ")
            raise InvalidInput("no-such-command", f"there is no command {args[0]}{hint}", fix=("orchestrate -h",))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, group in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name, about) for name, (_, about) in group.items()], col_spacing=3)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Run `orchestrate COMMAND --help` for details.",
)
@click.version_option(__version__, "-V", "--version", message="gitorch %(version)s")
@click.pass_context
def orchestrate(ctx: click.Context) -> None:
    """Queue work for coding agents tonight, review their branches tomorrow."""
    if ctx.invoked_subcommand is None:
        print_help(ctx)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: the one place where errors become exit codes."""
    session = Session()
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = with_common_options(orchestrate).main(
            args=words,
            prog_name=_program(),
            standalone_mode=False,
            obj=session,
        )
        _leave(code or 0)
    except GitorchError as error:
        _fail(session, error, words)
    except click.ClickException as error:
        _fail(session, InvalidInput("usage", error.format_message(), fix=(_help_for(error),)), words)
    except (click.Abort, KeyboardInterrupt):
        session.say("interrupted")
        _leave(130)
    except BrokenPipeError:
        # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _leave(141)
    except SystemExit as leaving:  # a command's own exit code; click's, when our output could not be written
        _leave(leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code)))
    except Exception as error:  # the last line of defence: saved whole, told short
        _crash(session, error)


def _program() -> str:
    name = Path(sys.argv[0]).name
    return "git orchestrate" if name == "git-orchestrate" else name if name == "gitorch" else "orchestrate"


def _help_for(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'orchestrate'} -h"


def _fail(session: Session, error: GitorchError, words: Sequence[str]) -> None:
    # what could not be read may have stood before --json
    session.json = session.json or "--json" in words
    session.fail(error)
    _leave(error.exit)


def _crash(session: Session, error: Exception) -> None:
    import traceback

    from gitorch.model.redact import redacted

    text = redacted("".join(traceback.format_exception(error)))
    folder = session.crash_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"crash-{datetime.now():%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    path.write_text(text, "utf-8")
    last = f"{type(error).__name__}: {error}"
    session.fail(GitorchError("unexpected", f"unexpected error: {last}", why=f"the traceback is in {path}"))
    _leave(1)


def _leave(code: int) -> NoReturn:
    """Exit without waiting for the threads of a run that broke off: the next run adopts the agents they wait for."""
    if threading.active_count() == 1:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


__all__ = ["main", "orchestrate"]
