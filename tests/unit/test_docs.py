"""The reference pages are made from the code, and are not stale."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path

import click
import pytest

from gitorch.cli.main import orchestrate
from gitorch.cli.session import with_common_options
from gitorch.config.settings import AgentSettings, RoleSettings, Section

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md"), ROOT / "hooks/README.md"])
MADE = runpy.run_path(str(DOCS / "make_reference.py"))


@pytest.mark.parametrize("name", sorted(MADE["PAGES"]))
def test_a_reference_page_says_what_the_code_says(name: str) -> None:
    """Run `python docs/make_reference.py` after a change of options or settings."""
    assert (DOCS / name).read_text("utf-8") == MADE["PAGES"][name]()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    """Links and `gitorch/...`, `tests/...` or `docs/...` paths in code spans point at files or folders."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    spans = re.findall(r"`((?:gitorch|tests|docs|hooks|examples)/[\w./*-]+)`", text)
    missing = [path for path in links if not (page.parent / path).exists()]
    missing += [path for path in spans if not any(ROOT.glob(path.rstrip("/")))]
    assert missing == []


def test_contributing_names_every_package() -> None:
    """The table of packages in CONTRIBUTING.md is the tree."""
    table = re.findall(r"^\| `gitorch/(\w+)(?:\.py)?` \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    packages = {path.parent.name for path in (ROOT / "gitorch").glob("*/__init__.py")}
    modules = {path.stem for path in (ROOT / "gitorch").glob("[a-z]*.py")}
    assert set(table) == packages | modules


def test_the_overview_stays_an_overview() -> None:
    """docs/architecture.md has at most 1,200 words; details go to the page of their subsystem."""
    assert len((DOCS / "architecture.md").read_text("utf-8").split()) <= 1200


_INTERNAL = ("gitorch/syntax/", "gitorch/agents/api/")
"""Refusals of the structural merge, which are no errors, and what the api agent's own process says to gitorch."""


def _is_own_error(function: ast.expr) -> bool:
    """Return whether a call is the `super().__init__` of an error with a class of its own."""
    return ast.unparse(function) == "super().__init__"


def _codes() -> set[str]:
    """Return the codes of all errors that commands can end with."""
    errors = (ROOT / "gitorch/errors.py").read_text("utf-8")
    kinds = {"GitorchError", "GitFailed", *re.findall(r"^class (\w+)\(GitorchError\)", errors, re.MULTILINE)}
    codes = set()
    for path in (ROOT / "gitorch").rglob("*.py"):
        if not str(path.relative_to(ROOT)).startswith(_INTERNAL):
            calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
            codes |= {
                call.args[0].value
                for call in calls
                if (isinstance(call.func, ast.Name) and call.func.id in kinds) or _is_own_error(call.func)
                if call.args
                if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
            }
    return codes


def test_troubleshooting_has_a_row_for_every_error() -> None:
    """Each code once, and no code that no command gives any more (but those that are composed)."""
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", (DOCS / "troubleshooting.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(_codes() - set(rows)) == []
    assert sorted({row for row in rows if rows.count(row) > 1}) == []
    assert sorted(set(rows) - _codes() - {"refs-moved", "agent-key"}) == []


@pytest.mark.parametrize(("table", "kind"), [("agents", AgentSettings), ("roles", RoleSettings)])
def test_configuration_has_a_row_for_every_key(table: str, kind: type[Section]) -> None:
    """The tables of `[agents.NAME]` and `[roles.NAME]` are written by hand."""
    section = (
        (DOCS / "configuration.md").read_text("utf-8").partition(f"## `[{table}.NAME]`\n")[2].partition("\n## ")[0]
    )
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == set(kind.__struct_fields__)


def _options() -> dict[tuple[str, ...], set[str]]:
    """Return the options of each command, by its words; those that every command has are with ()."""
    tables: dict[tuple[str, ...], set[str]] = {}
    pending: list[tuple[tuple[str, ...], click.Command]] = [((), with_common_options(orchestrate))]
    while pending:
        words, command = pending.pop()
        tables[words] = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        if isinstance(command, click.Group):
            context = click.Context(command)
            found = ((name, command.get_command(context, name)) for name in command.list_commands(context))
            pending += [((*words, name), subcommand) for name, subcommand in found if subcommand]
    return tables


_OF_OTHERS = ("docs/agents.md", "docs/benchmarks.md", "docs/faults.md", "docs/merge-benchmarks.md", "docs/planning.md")
"""Pages about the options of agents and of benchmarks."""
_OF_GIT = {"--skip-worktree", "--no-verify", "--permission-mode", "--setting-sources", "--no-ext-diff", "--no-textconv"}


def test_every_option_that_a_page_names_exists() -> None:
    """In code spans that begin with `orchestrate`, with the name of a command, or with an option."""
    tables = _options()
    every = set().union(*tables.values()) | _OF_GIT
    wrong = []
    for page in (page for page in PAGES if str(page.relative_to(ROOT)) not in _OF_OTHERS):
        text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        for span in re.findall(r"`(?:orchestrate )?([a-z-][^`\n\"]*)", text):
            words = span.split()
            command = max((name for name in tables if (*words[: len(name)],) == name), key=len)
            known = tables[command] | tables[()] | _OF_GIT if command else every if words[0].startswith("--") else None
            options = [word.partition("=")[0] for word in words if word.startswith("--") and word.strip("-")]
            wrong += [f"{page.name}: {span}" for option in options if known is not None and option not in known]
    assert wrong == []


_BREAK = re.compile(r"\n\s*\n|\n\s*[-*|#]|\n\s*\d+\.|\s\|\s|(?<=[.!?])\s+(?=[A-Z\"`*\[(]|gitorch |claude |codex )")
"""The ends of sentences, of list items, and of cells of a table."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_are_short(page: Path) -> None:
    """A sentence has fewer than 18 words on average; one of up to three words is a name or a label."""
    text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`]*`", "X", re.sub(r"\]\([^)]*\)", "]", text))
    lengths = [len(re.findall(r"\S*\w\S*", sentence)) for sentence in _BREAK.split(text)]
    lengths = [length for length in lengths if length > 3]
    assert not lengths or sum(lengths) / len(lengths) < 18
