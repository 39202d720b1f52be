"""The commands and options of the contract: every one that is promised exists, apart from those listed as open."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gitorch import data
from gitorch.cli.main import orchestrate
from gitorch.cli.session import with_common_options
from gitorch.errors import GitorchError

ROOT = Path(__file__).parents[2]
COMMON = "-C -c -q -v --json --no-input"

CONTRACT = {
    "demo": "--keep",
    "init": "",
    "doctor": "",
    "submit": "-d --decompose -a --agent -r --role -p --priority --after --context --check --paths --base --budget "
    "--timeout -F -e -n --agents --attempts --from",
    "edit": "",
    "move": "--first --before",
    "plan list": "",
    "plan show": "",
    "plan continue": "",
    "plan approve": "--run",
    "plan drop": "",
    **dict.fromkeys(("plan-list", "plan-continue", "execute-plan"), ""),
    **{f"plan {word}": "" for word in ("discuss", "add", "remove", "modify", "split", "order", "link")},
    "run": "-m --max-agents --at --until --budget --max-unreviewed --detach --on-failure -n",
    "adopt": "--base --after",
    **dict.fromkeys(("status", "watch", "agents", "agents list", "task", "attach", "resume", "retry"), ""),
    "log": "-f",
    "kill": "--all",
    **dict.fromkeys(("review", "diff", "comment", "check", "revise", "reject"), ""),
    "approve": "--all --force",
    "merge": "-n --resolved --into --skip --squash --sign --pr --verify",
    "preview": "",
    "undo": "--list",
    "redo": "",
    "report": "--format -o",
    "history": "",
    **{f"rescue {word}": "" for word in ("list", "show", "restore")},
    **{f"context {word}": "" for word in ("list", "show", "add")},
    **dict.fromkeys(("cleanup", "cd", "roles list", "roles show", "help", "mcp", "uninstall", "completion"), ""),
    **{f"hooks {word}": "" for word in ("install", "remove", "status")},
    **{f"notes {word}": "" for word in ("push", "fetch")},
    "config show": "--origin",
    **{f"config {word}": "" for word in ("get", "set", "edit", "validate", "trust", "schema")},
}
"""Commands, each with its own options."""

OPEN = {
    "merge": "--resolved",
}
"""What is promised and does not exist yet. A command without options here is missing as a whole."""

TOPICS = {"states", "exit-codes", "json", "environment", "tasks-file", "review-file", "roles"}


def find(words: str) -> click.Command | None:
    """Return the command of these words."""
    command: click.Command | None = with_common_options(orchestrate)
    context = click.Context(orchestrate, info_name="orchestrate", **orchestrate.context_settings)
    for word in words.split():
        command = command.get_command(context, word) if isinstance(command, click.Group) else None
    return command


@pytest.mark.parametrize("words", CONTRACT)
def test_a_promised_command_exists(words: str) -> None:
    """It has its own options and those that every command has."""
    command = find(words)
    if words in OPEN and not OPEN[words]:
        return
    if command is None:
        assert words in OPEN, f"orchestrate {words} is promised and missing"
        return
    options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    promised = {*CONTRACT[words].split(), *COMMON.split()}
    assert promised - options <= {*OPEN.get(words, "").split()}


def test_promised_topics_exist() -> None:
    assert data.topics().keys() >= TOPICS


def test_every_exit_code_is_documented() -> None:
    """What errors say, and every number that the command line exits with."""
    documented = {int(code) for code in re.findall(r"`(\d+)`", data.topics()["exit-codes"])}
    assert {GitorchError.exit} | {kind.exit for kind in GitorchError.__subclasses__()} <= documented
    assert {*exits()} <= documented
    assert all(f"`{code}`" in (ROOT / "docs/exit-codes.md").read_text("utf-8") for code in documented)


def exits() -> Iterator[int]:
    """Yield the literals and constants that the command line gives `sys.exit`, `SystemExit` and `_leave`."""
    for path in (ROOT / "gitorch/cli").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        constants = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(attr="exit") | ast.Name(id="_leave" | "SystemExit"), args=[argument]):
                    code = constants.get(argument.id) if isinstance(argument, ast.Name) else argument
                    if isinstance(code, ast.Constant) and isinstance(code.value, int):
                        yield code.value
                case _:
                    pass
