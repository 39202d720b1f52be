"""Every fenced block of every page: run, read as what it is an example of, or known to be a drawing."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitorch.agents.declared import CommandResult
from gitorch.config import FILE, combine, parse
from gitorch.model.notification import Notification
from gitorch.services.notifications import SCHEMA
from gitorch.syntax.proposals import propose
from tests.support.blocks import blocks, run_blocks
from tests.support.cli import OBEDIENT, ROOT, Cli, does
from tests.support.git import commit
from tests.unit.test_docs import _options

DOCS = ROOT / "docs"
FENCED = re.compile(r"^(`{3,})(\w*)\n(.*?)^\1$", re.DOTALL | re.MULTILINE)

RUN: Mapping[str, Mapping[str, int]] = {
    "README.md": {"console": 10},
    "docs/api.md": {"python": 1},
    "docs/how-to.md": {"console": 9},
    "docs/json.md": {"console": 1},
    "docs/merge-resolutions.md": {"console": 2},
    "docs/merge-structure.md": {"python": 1},
    "docs/morning.md": {"console": 5},
    "docs/review.md": {"text": 1, "console": 2},
    "docs/tutorial.md": {"console": 9},
}
"""Blocks that a test runs, or gives to the command that reads such a text: here, in `test_guides`, `test_readme` and
`test_api`."""

READ: Mapping[str, Mapping[str, int]] = {
    "docs/agents.md": {"toml": 2, "json": 1, "console": 1},
    "docs/notifications.md": {"toml": 1, "json": 1},
    "docs/remote.md": {"console": 3},
}
"""Examples of settings and answers, which are decoded, and commands that need a network, several machines or a
repository of their own: their words must exist."""

DRAWN: Mapping[str, Mapping[str, int]] = {
    "CONTRIBUTING.md": {"console": 1},
    "docs/architecture.md": {"text": 2},
    "docs/merge.md": {"text": 1},
    "docs/merge-resolutions.md": {"text": 2},
}
"""Drawings, one line of a message, and the command that runs this very test."""

GENERATED = ("docs/commands.md",)


def fenced(page: str, language: str) -> list[str]:
    """Return the blocks of a page in a language."""
    return [text for _, kind, text in FENCED.findall((ROOT / page).read_text("utf-8")) if kind == language]


def commands(page: str) -> list[str]:
    """Return what is typed in the console blocks of a page, also on several machines (`A$`)."""
    typed = "\n".join(fenced(page, "console")).replace("\\\n", " ")
    return re.findall(r"(?m)^[A-Z]?\$ (.*?)(?: +#.*)?$", typed)


def test_every_block_is_accounted_for() -> None:
    """A new block needs a test that runs it, or a word about what it is."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]
    found: dict[str, dict[str, int]] = {}
    for page in pages:
        name = str(page.relative_to(ROOT))
        for _, language, _ in FENCED.findall(page.read_text("utf-8")) if name not in GENERATED else ():
            kinds = found.setdefault(name, {})
            kinds[language] = kinds.get(language, 0) + 1
    known: dict[str, dict[str, int]] = {}
    for table in (RUN, READ, DRAWN):
        for name, languages in table.items():
            known[name] = {**known.get(name, {}), **languages}
    assert found == known


@pytest.mark.parametrize("page", ["docs/agents.md", "docs/notifications.md"])
def test_settings_on_the_pages_are_valid(page: str) -> None:
    for text in fenced(page, "toml"):
        combine([parse(text, FILE)])  # raises `InvalidInput`


def test_what_a_command_may_answer() -> None:
    (text,) = fenced("docs/agents.md", "json")
    assert msgspec.json.decode(text, type=CommandResult).question == "SQLite or Postgres?"


def test_what_a_notification_is() -> None:
    (text,) = fenced("docs/notifications.md", "json")
    fields: dict[str, Any] = msgspec.json.decode(text)
    assert fields["schema"] == SCHEMA
    assert msgspec.convert(fields, Notification).task == "add-a-login"


@pytest.mark.parametrize("page", ["docs/agents.md", "docs/remote.md"])
def test_the_words_of_other_commands_exist(page: str) -> None:
    """Commands and options of `orchestrate`, and files of this repository."""
    tables = _options()
    for command in commands(page):
        words = shlex.split(command)
        if words[0] == "pytest":
            assert [word for word in words[1:] if not (ROOT / word).exists()] == []
        if words[0] == "orchestrate":
            name = max((name for name in tables if (*words[1 : 1 + len(name)],) == name), key=len)
            assert name, command
            options = {word for word in words if word.startswith("-")}
            assert options <= tables[name] | tables[()], command


_SHOP = "class Shop:\n    def __init__(self):\n        self.items = []\n"
_ADD = "\n    def add(self, item):\n        self.items.append(item)\n"


def _shop(folder: Path, source: str, members: Mapping[str, str], config: str = OBEDIENT) -> Cli:
    """Return a repository with approved tasks that add members to the end of a class, each with a check of its own."""
    commit(folder, "shop", {"shop.py": source})
    cli = Cli(folder, config)
    for name, body in members.items():
        lines = f"printf '%s\\n' '' '    def {name}(self):' '        {body}' >> shop.py; git commit -qam {name}"
        checks = json.dumps(f"grep -q 'def {name}' shop.py")
        task = f"[[task]]\nprompt = {json.dumps(does(name, lines)['prompt'])}\nchecks = {{ own = {checks} }}\n"
        cli("submit", "-F", "-", input=task.encode())
    cli.run()
    cli("approve", "--all")
    return cli


def _without_ids(text: str) -> str:
    return re.sub(r"\b[0-9a-f]{7}\b", "COMMIT", text).rstrip("\n")


def test_the_plan_on_the_page_of_resolutions(repository_folder: Path) -> None:
    """The page shows what the command prints."""
    members = {"total": "return len(self.items)", "clear": "self.items.clear()", "first": "return self.items[0]"}
    cli = _shop(repository_folder, _SHOP + _ADD, members)
    command, _, shown = fenced("docs/merge-resolutions.md", "console")[0].partition("\n")
    printed = cli(*shlex.split(command)[2:], ok=7).text
    assert _without_ids(printed) == _without_ids(shown)


def test_the_resolution_on_its_page(repository_folder: Path) -> None:
    """The page shows what the command prints."""
    config = OBEDIENT + '[checks]\ntest = "grep -q Shop shop.py"\n'  # with checks, a run proves what it can
    cli = _shop(repository_folder, _SHOP, {"total": "return 1", "clear": "return 1"}, config)
    command, _, shown = fenced("docs/merge-resolutions.md", "console")[1].partition("\n")
    assert cli(*shlex.split(command)[2:]).text.rstrip("\n") == shown.rstrip("\n")


def test_the_structure_example(tmp_path: Path) -> None:
    (code,) = fenced("docs/merge-structure.md", "python")
    base = b"class Shop:\n    def __init__(self):\n        self.items = []\n"
    ours = base + b"\n    def total(self):\n        return len(self.items)\n"
    theirs = base + b"\n    def clear(self):\n        self.items.clear()\n"
    said: list[str] = []
    exec(code, {"base": base, "ours": ours, "theirs": theirs, "print": lambda *words: said.append(str(words))})
    assert said
    assert propose("shop.py", base, ours, theirs)


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_query_of_the_json_page(repository_folder: Path, tmp_path: Path) -> None:
    run_blocks(blocks(DOCS / "json.md"), repository_folder, tmp_path)


def test_the_review_page(repository_folder: Path) -> None:
    """The review file, a question, and a suggestion that is applied, on work as the page has it."""
    cli = Cli(repository_folder)
    source = " ".join(f"'# line {number}'" for number in range(1, 12))
    script = (
        "[ ! -e auth.py ] || { date >> again.txt; git add -A; git commit -qm Again; exit 0; }",
        "mkdir -p src tests",
        f"printf '%s\\n' {source} 'def hashed(password):' '    salt = 1' '    return salt' > src/auth.py",
        "printf '%s\\n' 'def hashed(password):' '    return hashlib.sha256(password).hexdigest()' > auth.py",
        f"printf '%s\\n' {source} 1 2 3 4 5 6 7 > tests/test_auth.py",
        "git add -A && git commit -qm 'Add sessions'",
    )
    cli.queue(does("Add sessions", *script))
    cli.run()
    (file,) = fenced("docs/review.md", "text")
    cli("review", "add-sessions", "-F", "-", input=file.encode())
    task = cli.json("task", "add-sessions")["task"]
    assert task["state"] == "queued"
    assert [comment.get("file") for comment in task["comments"]] == [None, "auth.py", "tests/test_auth.py"]
    cli.run()
    question, suggestion = fenced("docs/review.md", "console")
    for block in (question, suggestion):
        for command in filter(None, block.removeprefix("$ ").split("\n$ ")):
            cli(*shlex.split(command)[1:], ok=(0, 6, 9))
    assert b"return scrypt(password, salt)" in cli.repository.git("show", "orch/add-sessions:src/auth.py").stdout
