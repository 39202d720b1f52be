"""Input is checked when it is given, and errors name what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.errors import InvalidInput
from gitorch.flow.intake import read
from gitorch.git.repository import Repository
from gitorch.services.input_checks import require_bases, require_commands, require_place
from gitorch.services.open import open_workspace
from gitorch.services.submit import resolve_drafts
from tests.support.cli import Cli
from tests.support.git import commit, git
from tests.support.tasks import make_task


def test_a_base_has_to_exist(repo: Repository, repository_folder: Path) -> None:
    git("branch", "release/2.1", cwd=repository_folder)
    require_bases(repo, ["", "main", "HEAD", "release/2.1"])
    with pytest.raises(InvalidInput, match=r"no commit relase/2.1; did you mean release/2.1\?"):
        require_bases(repo, ["main", "relase/2.1"])
    for name in ("--all", "a\nb", "nothing"):
        with pytest.raises(InvalidInput):
            require_bases(repo, [name])


def test_a_check_has_to_be_a_command() -> None:
    require_commands({"test": "pytest -q", "lint": "a && b | c > 'd e'  # why"})
    for command in ("", "  # nothing", "echo 'no end"):
        with pytest.raises(InvalidInput):
            require_commands({"test": command})


def test_a_place_has_to_exist(repo: Repository, repository_folder: Path) -> None:
    """In the tip, or for a deleted file in the base; a line has to be one of its lines."""
    base = commit(repository_folder, "Add\n", {"src/app.py": "1\n2\n", "old.txt": "no end"})
    git("rm", "-q", "old.txt", cwd=repository_folder)
    tip = commit(repository_folder, "Remove\n", {"new.txt": ""})
    changed = make_task(id="a", number=1, title="a", prompt="a", base=base, tip=tip)
    for place in (("src/app.py", 2), ("old.txt", 1), ("src/app.py", 0), ("", 0)):
        require_place(repo, changed, *place)
    with pytest.raises(InvalidInput, match=r"did you mean src/app.py\?"):
        require_place(repo, changed, "src/ap.py", 1)
    with pytest.raises(InvalidInput, match="has 2 lines, and no line 3"):
        require_place(repo, changed, "src/app.py", 3)
    with pytest.raises(InvalidInput, match="no line 1"):
        require_place(repo, changed, "new.txt", 1)


CHECKLIST = b"""\
- [ ] Build the login
  - [ ] Add a form
    - [ ] Add tests
  - [x] Add a table
  - [ ] Add tests
- [ ] Deploy (after: Build the login)
"""


def test_an_item_waits_for_the_open_items_below_it(repository_folder: Path) -> None:
    """Also where two items have the same title."""
    tasks = resolve_drafts(open_workspace(repository_folder), read(CHECKLIST, "todo.md"))
    assert {task.id: task.spec.after for task in tasks} == {
        "build-the-login": ("add-a-form", "add-tests-2"),
        "add-a-form": ("add-tests",),
        "add-tests": (),
        "add-tests-2": (),
        "deploy": ("build-the-login",),
    }


def test_the_commands_refuse_at_once(repository_folder: Path, tmp_path: Path) -> None:
    cli = Cli(repository_folder)
    assert "did you mean main" in cli.error("submit", "x", "--base", "mian", exit=2)["what"]
    cli.error("submit", "x", "--check", "echo 'a", exit=2)
    cli.error("submit", "x", "--timeout", "soon", exit=2)
    assert "did you mean claude" in cli.error("submit", "x", "--agent", "cloude", exit=2)["what"]
    cli("submit", "Fix the parser")
    assert "fix-the-parser" in cli.error("submit", "x", "--after", "fix-the-parsr", exit=3)["why"]

    editor = tmp_path / "editor"
    editor.write_text(
        '#!/bin/sh\nsed -i \'s/^# priority = .*/priority = "high"/\' "$1"; echo \'# Add search\' >>"$1"\n'
    )
    editor.chmod(0o755)
    (task,) = cli.json("submit", "-e", env={"EDITOR": str(editor), "GIT_EDITOR": str(editor)})["tasks"]
    assert (task["title"], task["priority"]) == ("Add search", "high")
    assert "nothing was written" in cli("submit", "-e", ok=2, env={"EDITOR": "touch"}).stderr
