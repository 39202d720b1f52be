"""A night in which every text that an agent or a repository can write would steer a terminal, and how it is noticed."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import click

from gitorch.cli.main import orchestrate
from tests.support import forkserver
from tests.support.cli import OBEDIENT, SECONDS, Cli, does, settle
from tests.support.git import commit, git

PRINTABLE: Final = "[red]MARK[/red][link=http://planted.example]y[/link]<img src=//planted.example/i onerror=alert(1)>"
"""Shown as it is: a reader of rich's markup would take the brackets away."""

_INVISIBLE: Final = "\u202e\u2066\u200b\u2060\ufeff\ufe00\U000e0041\U000e0100\u2028\ue000"
_STYLE: Final = "\x1b[58;5;77m"
_CONTROLS: Final = (
    "\x1b]52;c;UFdORUQ=\x07\x1b]0;TITLE\x07\x1b]8;;http:planted.example\x1b\\y\x1b]8;;\x1b\\\x1b[2J"
    f"{_STYLE}\x1bP$q\x1b\\\x1bc\u009b31m\u0090\rOVER\x08\x08\x7f"
)
EVIL: Final = f"{_INVISIBLE}{PRINTABLE}{_CONTROLS}"
_RAW: Final = EVIL.encode() + b"\x9b31m\xff"
"""With bytes that are not UTF-8: a CSI of one byte, and one that is never valid."""

_OF_A_TERMINAL: Final = re.compile(r"\x1b\[(?:[0-9;]*m|\?(?:25|7|1049|2004|2026)[hl]|\d*[ABCDGJK]|\d*;?\d*H)")
"""What gitorch and its libraries send to a terminal: styles, and moves of what is redrawn."""
_HARMFUL: Final = re.compile(
    ".{0,60}[\0-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f\ufe00\ufeff\ue000\U000e0000-\U000e0fff]"
)


def commands() -> set[str]:
    """Return the words of every command that can be called, also of groups that do something themselves."""
    return set(_commands(orchestrate, "", click.Context(orchestrate)))


def _commands(command: click.Command, words: str, context: click.Context) -> Iterator[str]:
    if words and (not isinstance(command, click.Group) or command.invoke_without_command):
        yield words
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _commands(below, f"{words} {name}".strip(), context)


def harm(output: bytes, *, terminal: bool = False) -> list[str]:
    """Return what in an output would harm its reader."""
    try:
        text = output.decode()
    except UnicodeDecodeError as error:
        return [f"not UTF-8: {output[max(error.start - 60, 0) : error.end + 20]!r}"]
    found = [sequence for sequence in (_STYLE, "\rOVER") if sequence in text]
    if terminal:
        text = _OF_A_TERMINAL.sub("", text).replace("\r", "")
    found += _HARMFUL.findall(text)
    marks = re.findall(r".{0,6}MARK", text, re.DOTALL)
    found += [mark for mark in marks if not mark.replace("\\", "").endswith("[red]MARK")]
    return list(map(ascii, found))


def on_terminal(cli: Cli, *words: str) -> tuple[int, bytes]:
    """Run a command on a terminal of its own; return its exit code, and all that it sent there. A board is left."""
    ours, theirs = pty.openpty()
    variables = {**cli.environment, "TERM": "xterm-256color", "PAGER": "cat", "COLUMNS": "300"}
    process = forkserver.server().start(
        words, cwd=cli.folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    output, is_left = b"", False
    with contextlib.suppress(OSError):  # the other end is closed
        while select.select([ours], [], [], SECONDS)[0] and (part := os.read(ours, 65_536)):
            output += part
            if words[0] == "watch" and not is_left:
                process.send_signal(signal.SIGINT)
                is_left = True
    code = process.wait(SECONDS)
    os.close(ours)
    settle(cli.folder)
    return code, output


class Page(HTMLParser):
    """The tags of a page and the values of their attributes, as a browser finds them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def _printed(content: bytes) -> str:
    """Return the command of a shell that prints these bytes."""
    return "printf '" + "".join(f"\\{byte:03o}" for byte in content) + "'"


_PRINT = _printed(EVIL.encode())
_PRINT_RAW = _printed(_RAW)
_WORDS = f"evil=$({_PRINT}); file=$({_printed(_RAW.replace(b'/', b'|'))})"
_COMMIT = (
    f'git add -A; GIT_AUTHOR_NAME="$({_PRINT})" GIT_AUTHOR_EMAIL="$({_PRINT})" '
    'git commit -qm "subject $evil" -m "body $evil"'
)
_HOOK = f"#!/bin/sh\ngit diff --cached --name-only | grep -q refuse-me || exit 0\n{_PRINT_RAW} >&2\nexit 1\n"
_SUBMODULE = 'printf "[submodule \\"$evil\\"]\\n\\tpath = a\\n\\turl = $evil\\n" > .gitmodules'
_FILES = (
    'printf %s "$evil" > "$file"; mkdir -p "d-$file"; echo x > "d-$file/x"; ln -s "$evil" pointer; '
    f"{_PRINT_RAW} > bytes.py"
)
_SETTINGS = f"""\
[checks]
test = "sh check.sh"
[roles.evil]
prompt = "{PRINTABLE}\\u202e\\u001b[2J\\r"
"""


def _hostile(id: str, *script: str) -> dict[str, Any]:
    return does(f"{id.title()} \u202e\u2066{PRINTABLE}", _WORDS, *script, id=id)


def queue_hostile_night(folder: Path) -> Cli:
    """Queue tasks in a repository, each of which is hostile in its own way; return the command line."""
    check = f"{_PRINT_RAW}; {_PRINT_RAW} >&2; test ! -e bad.txt\n"
    commit(folder, f"Add {PRINTABLE}\u202e\x1b[2J\n", {".orchestrate.toml": _SETTINGS, "check.sh": check})
    hook = folder / ".git" / "hooks" / "commit-msg"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_HOOK)
    hook.chmod(0o755)
    git("branch", "side/\u202e\u200b", cwd=folder)
    cli = Cli(folder, OBEDIENT + "[run]\nretries = 0\n")
    cli("config", "trust", "--yes")
    cli.queue(
        _hostile("one", _FILES, _COMMIT, f"{_PRINT_RAW}; echo; {_PRINT_RAW} >&2"),
        _hostile("red", "touch bad.txt", _COMMIT, _PRINT_RAW),
        _hostile("fails", f"touch x; {_PRINT_RAW}; {_PRINT_RAW} >&2; exit 3"),
        _hostile("refused", _FILES, "touch refuse-me"),
        _hostile("asks", f"{_PRINT}; echo; echo 'Which one should I use, A or B?'"),
        _hostile("notes", f"{_PRINT} | orchestrate context add; echo 1 > n", _COMMIT),
        _hostile("first", 'echo 1 > "$file"', _COMMIT),
        _hostile("second", 'echo 2 > "$file"', _COMMIT),
        _hostile("sub", _SUBMODULE, _COMMIT),
        _hostile(
            "moves",
            f"env -u GIT_CONFIG_COUNT git -C '{folder}' branch x$(printf '\\342\\200\\256')",
            f"echo x > '{folder}/'\"$file\"",
            "echo y > y; git add -A; git commit -qm y",
        ),
    )
    return cli
