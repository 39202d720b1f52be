"""The planning session on a terminal: each line is a `plan` command without the plan's name, and saved when it ends."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence

import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gitorch import services
from gitorch.cli.session import Session
from gitorch.cli.views import plan as plan_view
from gitorch.errors import GitorchError, InvalidInput
from gitorch.model.plan import PlanSession

_VERBS: dict[str, tuple[str, str, str]] = {
    "discuss": ("d", "TEXT", "tell the model something; see what it would change"),
    "add": ("a", "TEXT [--after TASK]", "add a task"),
    "remove": ("r", "TASK...", "take tasks out"),
    "modify": ("m", "TASK --title TEXT ...", "change fields of a task (modify -h names them)"),
    "split": ("s", "TASK PART; PART...", "put several tasks in the place of one (--chain: one after the other)"),
    "link": ("l", "TASK AFTER...", "have TASK wait for AFTER"),
    "unlink": ("u", "TASK AFTER...", "have it no longer wait"),
    "order": ("o", "TASK...", "which tasks take their turn first"),
    "view": ("v", "[TASK]", "the plan, or all of one task"),
    "edit": ("e", "", "the plan as TOML in your editor"),
    "take": ("t", "", "take what the model proposed"),
    "leave": ("", "", "leave what it proposed"),
    "approve": ("p", "[--run]", "agree: queue the tasks"),
    "save": ("w", "", "say where it is saved (it is, after every step)"),
    "quit": ("q", "", "leave; `plan continue` goes on"),
    "help": ("h", "", "this list"),
}
_ALIASES = {"?": "help", "show": "view", "exit": "quit", "proceed": "approve"}


def talk(session: Session, group: click.Group, found: PlanSession) -> None:
    """Carry out what a person types until they approve the plan or leave; everything is saved after each line."""
    session.talking = True
    name = found.id
    session.answer(plan_view.tree(found))
    session.say("help lists the verbs; every step is saved")
    with _line_editing(session, name):
        while True:
            try:
                line = input("plan> ")
            except EOFError:
                session.say("")
                break
            except KeyboardInterrupt:
                session.say(f"\n{_saved(name)}")
                raise
            if line.strip() and not _carry_out(session, group, name, line):
                return
    session.say(_saved(name))


def _saved(name: str) -> str:
    return f"the plan is saved; next: orchestrate plan continue {name}"


def _carry_out(session: Session, group: click.Group, name: str, line: str) -> bool:
    """Carry out one line; return whether the session goes on. What goes wrong is told, and changes nothing."""
    try:
        verb, words = _understood(line)
        if verb == "quit":
            session.say(_saved(name))
            return False
        _do(session, group, name, verb, words)
    except GitorchError as error:
        session.fail(error)
    except click.ClickException as error:
        session.fail(InvalidInput("usage", error.format_message(), fix=("help",)))
    except (KeyboardInterrupt, click.Abort):
        session.say("\ninterrupted; the plan is as it was")
    return not services.plan_approval.find_plan(session.workspace, name).is_approved


def _do(session: Session, group: click.Group, name: str, verb: str, words: Sequence[str]) -> None:
    if verb == "help":
        session.answer(_help())
    elif verb == "save":
        session.answer(f"saved in {services.plan_approval.plan_store(session.workspace).folder / name}")
    else:
        command = group.commands["show" if verb == "view" else verb]
        command.main([name, *words], prog_name=verb, obj=session, standalone_mode=False)


def _understood(line: str) -> tuple[str, list[str]]:
    """Return the verb that a line begins with, by name, letter or unique beginning, and the words that follow."""
    first, _, rest = line.strip().partition(" ")
    verb = _verb(first.lower())
    if verb == "discuss":
        return verb, ["--", rest] if rest.strip() else []
    if verb == "split" and ";" in rest and '"' not in rest:
        task, _, parts = rest.strip().partition(" ")
        return verb, [task, *(part.strip() for part in parts.split(";") if part.strip())]
    return verb, list(_words(rest))


def _verb(word: str) -> str:
    if word in _VERBS:
        return word
    if word in _ALIASES:
        return _ALIASES[word]
    found = [verb for verb, (letter, _, _) in _VERBS.items() if word == letter]
    found = found or [verb for verb in _VERBS if verb.startswith(word)]
    if len(found) == 1:
        return found[0]
    raise InvalidInput("no-such-verb", f"{word} is not understood", fix=("help", "discuss TEXT   to talk to the model"))


def _words(text: str) -> Iterator[str]:
    """Split a line at spaces; double quotes keep words together, an apostrophe is one."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.quotes, lexer.escape = True, "", '"', ""
    try:
        yield from lexer
    except ValueError:
        raise InvalidInput("quotes", "a quotation mark is not closed") from None


def _help() -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    for verb, (letter, arguments, purpose) in _VERBS.items():
        grid.add_row(Text(f"  {verb} {arguments}"), Text(letter), Text(purpose))
    return grid


@contextlib.contextmanager
def _line_editing(session: Session, name: str) -> Iterator[None]:
    """Edit lines with the arrow keys, and complete verbs and names of tasks with the tabulator."""
    try:
        import readline
    except ImportError:  # a Python without it reads lines all the same
        yield
        return
    before = readline.get_completer()

    def complete(text: str, state: int) -> str | None:
        plan = services.plan_approval.find_plan(session.workspace, name).plan
        at_start = readline.get_begidx() == 0
        names = list(_VERBS) if at_start else [task.id for task in plan.tasks]
        found = [f"{one} " for one in names if one.startswith(text)]
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" ")
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        readline.set_completer(before)
