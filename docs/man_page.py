"""The man page, in the roff of man(7), from the commands and the topics of `help`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping

import click

DATE = "2026-11-29"
"""When its text last changed in a way that readers notice; a build date would change every build."""


def page(
    root: click.Context, sections: Mapping[str, list[click.Context]], topics: Mapping[str, str], version: str
) -> str:
    """Return the page: the program, its commands by section, and topics."""
    lines = [
        f'.TH ORCHESTRATE 1 "{DATE}" "gitorch {version}" "gitorch"',
        ".SH NAME",
        rf"orchestrate, gitorch, git\-orchestrate \- {escaped(summary(root.command))}",
        ".SH SYNOPSIS",
        ".B orchestrate",
        escaped("[OPTIONS] COMMAND [ARGS]..."),
        ".PP",
        ".B git orchestrate",
        escaped("[OPTIONS] COMMAND [ARGS]..."),
        ".SH DESCRIPTION",
        *paragraphs(root.command.help or ""),
        ".PP",
        "Every command takes these options, before or after its name:",
        *options(root),
    ]
    for title, contexts in sections.items():
        lines.append(f".SH {escaped(title.upper())}")
        for context in contexts:
            lines += command(context)
    for title, text in topics.items():
        lines += [f".SH {escaped(title.upper())}", *markdown(text)]
    see = "git-worktree git-notes git-rebase".split()
    lines += [".SH SEE ALSO", " ,\n".join(f".BR {escaped(name)} (1)" for name in see)]
    pairs = zip(["", *lines], lines, strict=False)
    return "".join(f"{line}\n" for before, line in pairs if line != ".PP" or not before.startswith(".SH"))


def command(context: click.Context) -> Iterator[str]:
    """Yield the description of one command."""
    usage = " ".join(context.command.collect_usage_pieces(context))
    yield f".SS {escaped(context.command_path)}"
    yield f".B {escaped(context.command_path)}"
    yield escaped(usage)
    yield from paragraphs(context.command.help or "")
    yield from options(context)


def options(context: click.Context) -> Iterator[str]:
    """Yield the options of a command as a list of terms."""
    for option in context.command.get_params(context):
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record is not None:
            yield ".TP"
            yield rf"\fB{escaped(record[0])}\fR"
            yield escaped(record[1])


def paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; one that starts with click's mark keeps its lines."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        lines = paragraph.strip("\n").split("\n")
        yield ".PP"
        if lines[0].strip() == "\b":
            yield from (".nf", *map(escaped, lines[1:]), ".fi")
        else:
            yield from map(escaped, lines)


def markdown(text: str) -> Iterator[str]:
    """Yield a topic of `help`: paragraphs, lists and code spans of Markdown, without its title."""
    for block in text.split("\n\n")[1:]:
        for item in re.split(r"\n(?=- )", block.strip("\n")):
            if item.startswith("- "):
                term, _, rest = item[2:].partition(": ")
                yield from (".TP", *([code(term), *map(code, rest.split("\n"))] if rest else [code(term)]))
            elif item.startswith("    "):
                yield from (".PP", ".nf", *(escaped(line[4:]) for line in item.split("\n")), ".fi")
            else:
                yield from (".PP", *map(code, item.split("\n")))


def code(line: str) -> str:
    """Return a line of Markdown with its code spans in bold."""
    return re.sub(r"`([^`]*)`", r"\\fB\1\\fR", escaped(line.strip()))


def summary(command: click.Command) -> str:
    """Return the first sentence of a command's help, as a phrase."""
    text = (command.help or "").partition("\n")[0].rstrip(".")
    return text[:1].lower() + text[1:]


def escaped(text: str) -> str:
    """Return text that roff prints as it is: no escape, no hyphen that breaks, no request at the start of a line."""
    text = text.strip().replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text
