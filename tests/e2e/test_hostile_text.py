"""What agents and repositories wrote is harmless wherever a person sees it: on a terminal, in a pipe, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import Cli
from tests.support.hostile_night import EVIL, Page, commands, harm, on_terminal, queue_hostile_night

_PLAN = "build-red-mark-red-shop-with-login"
_EXACT = ("diff", "one")
"""In a pipe it is the patch, byte for byte."""

MORNING: tuple[tuple[str, ...], ...] = (
    ("run", "--dry-run"),
    ("run",),
    *(("status",), ("watch",), ("agents",), ("agents", "list"), ("doctor",)),
    *(("task", name) for name in ("one", "red", "fails", "refused", "asks", "moves")),
    ("task", "one", "--brief"),
    *(("log", name) for name in ("one", "red", "fails", "asks")),
    ("log", "one", "--follow"),
    *(("review", option) for option in ("--list", "--repeated")),
    *(("review", name) for name in ("one", "red", "first", "sub", "moves", "notes")),
    ("diff", "one", "--stat"),
    _EXACT,
    ("diff", "second", "--resolution"),
    *(("rescue",), ("rescue", "list"), ("rescue", "show", "refused"), ("rescue", "restore", "refused")),
    ("check", "red"),
    ("comment", "one", "-m", EVIL),
    ("comment", "one", EVIL, "-m", "x"),
    ("apply", "one"),
    ("revise", "red", "-m", EVIL),
    ("kill", "red"),
    ("retry", "red"),
    ("edit", "red", "--title", "T\u202e"),
    ("edit", "red", "--title", EVIL),
    ("move", "red", "--first"),
    ("resume", "asks"),
    ("resume", "asks", "-m", EVIL),
    ("attach", EVIL),
    ("approve", "sub", "first", "second", "moves", "one", "--force"),
    ("diff", "one", "--since-review"),
    ("reject", "moves", "-m", EVIL),
    ("preview", "first", "second"),
    *(("merge", "--dry-run"), ("merge", "--pr", "--dry-run"), ("merge",)),
    ("review", "second"),
    *(("report",), ("report", "--format", "markdown"), ("history",), ("history", "one")),
    *(("context",), ("context", "list"), ("context", "show"), ("context", "show", "one"), ("context", "add", EVIL)),
    *(("cleanup", "--dry-run"), ("cleanup", "--yes"), ("history", "first")),
    *(("undo", "--list"), ("undo",), ("redo",)),
    *(("adopt", "side/*", "--dry-run"), ("adopt", "side/*")),
    *(("cd", "red"), ("status", "--acknowledge"), ("status", EVIL)),
    *(("roles",), ("roles", "list"), ("roles", "show", "evil"), ("roles", "show", EVIL)),
    *(("config",), ("config", "show"), ("config", "get", "checks"), ("config", "set", "checks.test", EVIL)),
    *(("config", "trust"), ("config", "validate"), ("config", "schema"), ("config", "edit")),
    *(("hooks",), ("hooks", "install"), ("hooks", "status"), ("hooks", "remove")),
    *(("notes",), ("notes", "push", "origin"), ("notes", "fetch", "origin")),
    *(("init", "--print"), ("init", "--force"), ("help", EVIL), ("completion", "bash")),
    *(("submit", "Queue \u202e[red]MARK[/red]"), ("submit", EVIL)),
    ("plan", "new", "Build [red]MARK[/red] \u202e shop with login", "--heuristic"),
    *(("plan",), ("plan", "list"), ("plan", "show", _PLAN), ("plan", "continue", _PLAN)),
    *(("plan", "show", _PLAN, "--format", name) for name in ("mermaid", "dot", "toml", "json")),
    *(("plan", "add", _PLAN, "Next \u202e", "--id", "next"), ("plan", "add", _PLAN, EVIL)),
    ("plan", "modify", _PLAN, "next", "--title", "T\u202e"),
    *(
        ("plan", "link", _PLAN, "next", _PLAN),
        ("plan", "unlink", _PLAN, "next", _PLAN),
        ("plan", "order", _PLAN, "next"),
    ),
    ("plan", "split", _PLAN, "next", "A\u202e", "B\u202e"),
    *(("plan", name, _PLAN) for name in ("edit", "take", "leave")),
    ("plan", "discuss", _PLAN, EVIL),
    *(("plan", "remove", _PLAN, EVIL), ("plan", "approve", _PLAN), ("plan", "drop", _PLAN, "--yes")),
    ("uninstall",),
)
"""One night and one morning: every command that shows what others wrote, and errors that quote it."""

_OF_OTHERS = {
    "demo": "its own repository and scripts",
    "hooks run": "git calls it",
    "mcp": "JSON for a program",
    "serve": "a server's addresses",
    "worker": "a server's addresses",
}
"""Commands that show nothing of the night, with what they show."""


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return queue_hostile_night(repository_folder)


def test_every_command_is_called() -> None:
    """A new command is called here, or shows nothing that others wrote."""
    called = {" ".join(words[:count]) for words in MORNING for count in (1, 2)}
    assert commands() - called == set(_OF_OTHERS)


@pytest.mark.parametrize("way", ["terminal", "pipe", "json"])
def test_no_command_shows_raw_text(cli: Cli, way: str) -> None:
    """No control, invisible or reordering character of others, nor their markup; a stream of JSON has whole lines."""
    found = {}
    for words in MORNING:
        if way == "terminal":
            code, output = on_terminal(cli, *words, "--no-input")
            assert code != 1, (words, output)
            problems = harm(output, terminal=True)
        else:
            answer = cli(*words, *(["--json"] if way == "json" else []), ok=range(10))
            assert answer.code != 1, (words, answer.stderr)
            problems = harm(answer.stderr.encode())
            problems += [] if words == _EXACT and way == "pipe" else harm(answer.stdout)
            if way == "json":
                assert all(isinstance(json.loads(line), dict) for line in answer.stdout.splitlines())
        if problems:
            found[words] = problems[:3]
    assert found == {}


def test_a_page_of_the_night_has_only_its_own_tags(cli: Cli) -> None:
    """What a browser would load or run is gitorch's own."""
    cli.run(ok=(6, 9))
    file = cli.folder.parent / "night.html"
    cli("report", "--format", "html", "-o", str(file))
    assert harm(file.read_bytes()) == []
    page = Page(file.read_text("utf-8"))
    assert not {"img", "iframe", "object", "embed", "link", "base", "form"} & {*page.tags}
    assert page.tags.count("script") == 1
    loads = [value for name, value in page.attributes if name in ("href", "src", "srcset", "action", "style")]
    assert [value for value in loads if "planted" in (value or "") or "javascript:" in (value or "")] == []
    assert [name for name, _ in page.attributes if name.startswith("on")] == []
