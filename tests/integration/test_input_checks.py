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
    for option in ("--check", "--paths", "--after"):
        assert cli.error("submit", "x", option, "", exit=2)["what"] == f"{option} is empty"
    empty = (("merge", "--into"), ("adopt", "x", "--base"), ("retry", "x", "--agent"), ("run", "--at"))
    for *words, option in (*empty, ("report", "--output")):
        assert cli.error(*words, option, "", exit=2)["what"] == f"{option} is empty"
    assert "paths start at the root" in cli.error("submit", "x", "--paths", "/etc/*", exit=2)["what"]
    assert "did you mean backend-systems-engineer" in cli.error("submit", "x", "--role", "backend", exit=2)["what"]
    assert "Errno" not in cli.error("submit", "-F", "none.md", exit=2)["why"]
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
    editor.write_text('#!/bin/sh\nprintf "Fix the lexer\\n\\nwith care\\n" >"$1"\n')  # and no settings
    assert cli.json("submit", "-e", env={"EDITOR": str(editor)})["tasks"][0]["title"] == "Fix the lexer"
    # an editor that nobody chose would write its screen into the answer
    assert cli.error("submit", "-e", exit=9)["fix"] == ["orchestrate submit TEXT", "orchestrate submit -F FILE"]
    assert cli.error("config", "edit", exit=9)["fix"] == ["orchestrate config set KEY VALUE"]


def test_a_check_whose_program_is_missing_is_told(repository_folder: Path) -> None:
    """It may be installed by the preparation, so the task is queued."""
    cli = Cli(repository_folder)
    told = cli("submit", "x", "--check", "pyhton3 -m pytest").stderr
    assert "warning: the check check: there is no program pyhton3 on PATH; did you mean python3?" in told
    for command in ("python3 -m pytest", "cd src && make", "./test.sh", "A=1 true", "[ -e x ]", "! false"):
        assert "no program" not in cli("submit", "x", "--check", command).stderr, command


def test_an_agent_that_no_setting_defines(repository_folder: Path) -> None:
    """It is refused where it is set, and where a task would get it."""
    cli = Cli(repository_folder)
    assert "did you mean claude?" in cli.error("config", "set", "agent", "claud", exit=2)["what"]
    cli.error("config", "set", "roles.generalist.agent", "codx", exit=2)
    (repository_folder / ".orchestrate.toml").write_text('agent = "claud"\n')
    said = cli.error("submit", "x", exit=2)
    assert said["what"] == '.orchestrate.toml: agent = "claud": there is no such agent; did you mean claude?'
    assert said["fix"] == ["orchestrate config set agent AGENT"]
    cli.error("config", "validate", exit=2)
    cli("submit", "x", "--agent", "codex")
    cli("config", "set", "agent", "codex")


def test_a_variable_that_is_nearly_a_setting(repository_folder: Path) -> None:
    cli = Cli(repository_folder, GITORCH_RUN_MAX_AGENT="2")
    said = cli.error("status", exit=2)
    assert said["what"] == "there is no variable GITORCH_RUN_MAX_AGENT; did you mean GITORCH_RUN_MAX_AGENTS?"


def test_commands_and_options_that_do_not_exist(repository_folder: Path) -> None:
    cli = Cli(repository_folder)
    assert cli.error("config", "gte", exit=2)["what"] == "config has no command gte; did you mean get?"
    said = cli.error("status", "--ackowledge", exit=2)["what"]
    assert said == "there is no option --ackowledge; did you mean --acknowledge?"
