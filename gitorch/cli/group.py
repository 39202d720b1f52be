"""A command group that imports the module of a command when the command is used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from gitorch.cli.session import with_common_options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Sections = Mapping[str, Mapping[str, tuple[str, str]]]
"""By title: the commands of a section of the help, each with its module and one line about it."""


class LazyGroup(click.Group):
    """A group of commands that are listed, and imported when they are used.

    The command `NAME` is `NAME_command` in its module. Modules are below `gitorch.cli.commands`. `aliases` are commands
    that are understood and not listed, each with its module and the name of its function.
    """

    def __init__(
        self,
        *args: Any,
        sections: Sections,
        aliases: Mapping[str, tuple[str, str]] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.sections = sections
        self.functions = {
            name: (module, f"{name.replace('-', '_')}_command")
            for section in sections.values()
            for name, (module, _) in section.items()
        } | dict(aliases or {})

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [name for section in self.sections.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self.functions:
            return None
        module, function = self.functions[cmd_name]
        return with_common_options(getattr(importlib.import_module(f"gitorch.cli.commands.{module}"), function))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of commands and options; click would import each command for its help."""
        summaries = {name: summary for section in self.sections.values() for name, (_, summary) in section.items()}
        commands = [click.Command(name, short_help=summary) for name, summary in summaries.items()]
        names = click.Group(commands=commands, add_help_option=False)
        found = names.shell_complete(click.Context(names), incomplete)
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, section in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, summary) for name, (_, summary) in section.items()], col_spacing=3)
