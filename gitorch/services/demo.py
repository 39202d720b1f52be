"""Run the whole workflow in a temporary repository, with scripts as agents: no key, no network, no model."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gitorch.executors.foreground import run_on_terminal
from gitorch.git.creation import create

_CONFIG = """\
# The demo's own configuration. Its agent is a shell script, not a model.
agent = "script"

[checks]
test = "python3 -m unittest -q"

[agents.script]
kind = "command"
command = ["/bin/sh", "{agent}", "{{task}}"]
"""

_FILES = {
    "README.md": "# Shop\n\nA very small shop.\n",
    "search.py": "def search(items, word):\n    return [item for item in items if word in item]\n",
    "price.py": "def price(amount):\n    return round(amount * 1.19, 2)\n",
    "test_shop.py": (
        "import unittest\n\nfrom price import price\nfrom search import search\n\n\n"
        "class ShopTest(unittest.TestCase):\n"
        "    def test_price(self):\n        self.assertEqual(price(100), 119.0)\n\n"
        "    def test_search(self):\n        self.assertEqual(search(['red', 'blue'], 'ed'), ['red'])\n"
    ),
    ".gitignore": "__pycache__/\n",
}

_AGENT = """\
# A scripted agent: it does for each task what a model might have done.
commit() { git add -A && git commit -q -m "$1"; }
sleep 1
case "$1" in
add-a-users-table)
    printf 'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\\n' > users.sql
    commit 'Add a users table' ;;
add-a-login-page)
    test -f users.sql || { echo 'no users table' >&2; exit 1; }
    printf '<form><input name="name"><button>Log in</button></form>\\n' > login.html
    commit 'Add a login page' ;;
make-the-search-ignore-case)
    printf 'def search(items, word):\\n    word = word.lower()\\n' > search.py
    printf '    return [item for item in items if word in item.lower()]\\n' >> search.py
    commit 'Ignore case in the search' ;;
sort-the-search-results)
    printf 'def search(items, word):\\n    return sorted(item for item in items if word in item)\\n' > search.py
    echo 'this one forgets to commit: gitorch commits for it' ;;
give-everybody-a-discount)
    printf 'def price(amount):\\n    return round(amount * 1.19 * 0.9, 2)\\n' > price.py
    commit 'Ten percent off' ;;
esac
"""

_TASKS = """\
[[task]]
title = "Add a users table"
priority = "high"

[[task]]
title = "Add a login page"
after = ["add-a-users-table"]

[[task]]
title = "Make the search ignore case"

[[task]]
title = "Sort the search results"

[[task]]
title = "Give everybody a discount"
"""

_GOOD = "add-a-users-table add-a-login-page make-the-search-ignore-case sort-the-search-results"

LOOP = (
    ("In the evening: five tasks, one of which waits for another.", "orchestrate submit -F ../tasks.toml"),
    ("At night: three at a time, each in its own worktree and branch.", "orchestrate run --max-agents 3"),
    ("In the morning: see what needs your attention.", "orchestrate status"),
    (
        "Review: first what others wait for, then what is risky. One task fails its check. q ends it.",
        "orchestrate review",
    ),
    ("", "orchestrate diff add-a-users-table"),
    ("Send that one back, accept the others.", 'orchestrate revise give-everybody-a-discount -m "The test says 119."'),
    ("", f"orchestrate approve {_GOOD}"),
    ("Two tasks changed the same line: the conflict shows before anything is merged.", "orchestrate merge --dry-run"),
    ("", "orchestrate merge"),
    ("The result is plain git:", "git log --oneline --graph orch/integration"),
    ("Who wrote this, from which prompt, and what was checked:", "git notes --ref=gitorch show orch/integration"),
    ("Your own branch and files have not changed:", "git status --short --branch"),
    ("", "orchestrate status"),
)
"""The steps of the demo: a comment and a command each."""


class Demo(msgspec.Struct, frozen=True):
    """A temporary repository with everything that the demo needs, and the environment that it runs in."""

    folder: Path
    repository: Path
    environment: Mapping[str, str]


def build(folder: Path, environment: Mapping[str, str]) -> Demo:
    """Create the demo's repository in an empty folder. Nothing outside of it is read or written."""
    repository = folder / "shop"
    repository.mkdir(parents=True)
    (folder / "agent.sh").write_text(_AGENT, "utf-8")
    (folder / "tasks.toml").write_text(_TASKS, "utf-8")
    for name, content in _FILES.items():
        (repository / name).write_text(content, "utf-8")
    config = _CONFIG.format(agent=folder / "agent.sh")
    (repository / ".orchestrate.toml").write_text(config, "utf-8")
    demo = Demo(folder, repository, _isolated(folder, environment))
    create(repository, "A small shop", demo.environment)
    call(demo, "orchestrate config trust --yes --quiet", check=True, aside=True)
    return demo


def _isolated(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which neither git nor gitorch sees the user's own configuration."""
    inherited = {name: value for name, value in environment.items() if not name.startswith(("GIT_", "GITORCH_"))}
    identity = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
    }
    isolation = {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_PAGER": "cat",
    }
    return inherited | identity | isolation


def call(demo: Demo, command: str, *, check: bool = False, aside: bool = False) -> int:
    """Run one command of the demo in its repository, on this terminal; return its exit code.

    With `aside` all of its output goes to stderr.
    """
    words = shlex.split(command)
    if words[0] == "orchestrate":
        words = [sys.executable, "-m", "gitorch", *words[1:]]
    output = sys.stderr if aside else None
    return run_on_terminal(words, cwd=demo.repository, env=demo.environment, stdout=output, check=check)
