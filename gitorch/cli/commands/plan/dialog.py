"""The dialog about a plan: each line is a `plan` command without the plan's name; every step is saved."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator, Sequence

import click

from gitorch import services
from gitorch.cli import views
from gitorch.cli.session import Session
from gitorch.errors import GitorchError, InvalidInput
from gitorch.model.plan import PlanSession

_VERBS: dict[str, tuple[str, str, str]] = {
    "discuss": ("d", "TEXT", "discuss the plan with the model; see what it would change"),
    "add": ("a", "TEXT [--after TASK]", "add a task"),
    "remove": ("r", "TASK...", "remove tasks"),
    "modify": ("m", 'TASK --title "TEXT" ...', "change fields of a task (modify -h lists them)"),
    "split": ("s", "TASK PART; PART... [--chain]", "replace a task with several; one after another with --chain"),
    "link": ("l", "TASK AFTER...", "make TASK wait for AFTER"),
    "unlink": ("u", "TASK AFTER...", "remove the dependency of TASK on each AFTER"),
    "order": ("o", "TASK...", "move tasks to the front"),
    "view": ("v", "[TASK]", "show the plan, or one task"),
    "edit": ("e", "", "edit the plan as TOML in your editor"),
    "take": ("t", "", "accept the last proposal"),
    "leave": ("", "", "discard the last proposal"),
    "approve": ("p", "[--run]", "approve the plan and queue its tasks"),
    "save": ("w", "", "show where the plan is saved (after every step)"),
    "quit": ("q", "", "quit; `plan continue` resumes"),
    "help": ("h", "", "show this list"),
}
_CHAIN = re.compile(r"(?<!\S)--chain(?!\S)")
_ALIASES = {"?": "help", "show": "view", "exit": "quit", "proceed": "approve"}


def run_dialog(session: Session, group: click.Group, plan: PlanSession) -> None:
    """Carry out each line that a person types until they approve the plan or quit; everything is saved after a line."""
    session.in_plan_dialog = True
    name = plan.id
    session.answer(views.planning.plan.tree(plan))
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
    """Carry out one line; return whether the dialog continues. An error is printed, and changes nothing."""
    try:
        verb, words = _parse(line)
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
        rows = [(f"{verb} {arguments}", letter, purpose) for verb, (letter, arguments, purpose) in _VERBS.items()]
        session.answer(views.planning.plan_dialog.verbs(rows))
    elif verb == "save":
        session.answer(f"saved in {services.plan_approval.plan_store(session.workspace).folder / name}")
    else:
        command = group.get_command(click.Context(group), "show" if verb == "view" else verb)
        assert command is not None, verb
        command.main([name, *words], prog_name=verb, obj=session, standalone_mode=False)


def _parse(line: str) -> tuple[str, list[str]]:
    """Return the verb of a line, given by name, letter or unique prefix, and the words after it."""
    first, _, text = line.strip().partition(" ")
    verb = _verb(first.lower())
    if verb == "discuss":
        return verb, ["--", text] if text.strip() else []
    if verb == "split" and ";" in text and '"' not in text:
        options = _CHAIN.findall(text)
        task, _, parts = _CHAIN.sub(" ", text).strip().partition(" ")
        return verb, [task, *(part.strip() for part in parts.split(";") if part.strip()), *options[:1]]
    return verb, list(_words(text))


def _verb(word: str) -> str:
    if word in _VERBS:
        return word
    if word in _ALIASES:
        return _ALIASES[word]
    matches = [verb for verb, (letter, _, _) in _VERBS.items() if word == letter]
    matches = matches or [verb for verb in _VERBS if verb.startswith(word)]
    if len(matches) == 1:
        return matches[0]
    raise InvalidInput("no-such-verb", f"unknown verb {word}", fix=("help", "discuss TEXT   to talk to the model"))


def _words(text: str) -> Iterator[str]:
    """Split a line at spaces; double quotes keep words together, an apostrophe is one."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.quotes, lexer.escape = True, "", '"', ""
    try:
        yield from lexer
    except ValueError:
        raise InvalidInput("quotes", "a quotation mark is not closed") from None


@contextlib.contextmanager
def _line_editing(session: Session, name: str) -> Iterator[None]:
    """Edit lines with the arrow keys, and complete verbs and names of tasks with the tab key."""
    try:
        # 1 ms, and it changes how input() reads lines in the whole process
        import readline
    except ImportError:  # some Pythons have no readline; input() works without it
        yield
        return
    before = readline.get_completer()

    def complete(text: str, state: int) -> str | None:
        plan = services.plan_approval.find_plan(session.workspace, name).plan
        at_start = readline.get_begidx() == 0
        names = list(_VERBS) if at_start else [task.id for task in plan.tasks]
        matches = [f"{name} " for name in names if name.startswith(text)]
        return matches[state] if state < len(matches) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" ")
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        readline.set_completer(before)
