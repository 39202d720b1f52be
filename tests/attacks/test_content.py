"""Content that harms whoever reads it: each is refused with words, or stays behind, and the branch keeps its base.

All of it in a box, a third of it in other rooms, and all there, too, with GITORCH_ATTACKS=1.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.attacks.table.content import CONTENT, PRELUDE, Content
from tests.support import sandbox
from tests.support.cli import OBEDIENT, Cli, does
from tests.support.git import git

ALL = bool(os.environ.get("GITORCH_ATTACKS"))
CONFIG = OBEDIENT + "[run]\nretries = 0\n"
FIRST_CHECK = "the agent's commits could not be fetched: "
"""How a refusal begins that git itself makes, which looks at objects before the gate does."""
UNDONE = "no changes"
"""With hooks only, an agent whose commit is not what its worktree has: its files are committed again, and undo it."""


def test_each_content_has_an_id() -> None:
    assert len({content.id for content in CONTENT}) == len(CONTENT) == 32


@pytest.mark.parametrize("content", CONTENT, ids=lambda content: content.id)
def test_plain_git_takes_it(content: Content, repository_folder: Path) -> None:
    """The control: in a worktree that nobody guards, it is there."""
    if content.roots and os.geteuid() != 0:
        pytest.skip("only root makes devices")
    worktree = repository_folder.parent / "bare"
    git("worktree", "add", "-q", "-b", "bare", str(worktree), cwd=repository_folder)
    script = f"{PRELUDE}set -e\n{content.script}\n{content.bare}\n"
    done = subprocess.run(
        ("/bin/sh", "-c", script), cwd=worktree, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mode", ["bwrap", "landlock", "private", "off"])
def test_no_content_comes_home(mode: str, repository_folder: Path) -> None:
    """Every one is a task of the same night; what is refused is refused in words, and nothing of it is published."""
    {"bwrap": sandbox.require, "landlock": sandbox.require_landlock}.get(mode, lambda: None)()
    chosen = [content for place, content in enumerate(CONTENT) if ALL or mode == "bwrap" or place % 3 == 0]
    chosen = [content for content in chosen if not content.roots or (os.geteuid() == 0 and mode in ("private", "off"))]
    # Landlock's filter lets no program have a unix socket
    chosen = [content for content in chosen if content.id != "N25" or mode != "landlock"]
    main = git("rev-parse", "main", cwd=repository_folder)
    cli = Cli(repository_folder, CONFIG, GITORCH_SANDBOX_MODE=mode)
    cli.queue(*(does(content.id, PRELUDE, content.script, id=content.id.lower()) for content in chosen))
    cli("run", "--max-agents", "4", ok=6)
    tasks = cli.tasks()
    wrong = [
        f"{content.id}: {text}" for content in chosen if (text := _problem(content, tasks[content.id.lower()], mode))
    ]
    assert wrong == []
    assert git("rev-parse", "main", cwd=repository_folder) == main
    if mode == "off":
        return
    tips = {content.id: git("rev-parse", f"orch/{content.id.lower()}", cwd=repository_folder) for content in chosen}
    assert {name for name, tip in tips.items() if tip != main} == {
        content.id for content in chosen if content.told == "kept out"
    }


def _problem(content: Content, task: dict[str, object], mode: str) -> str:
    """Return what is wrong with the end of an attempt, or an empty text."""
    reason = str(task["reason"] or "")
    if content.told == "kept out":
        return "" if task["state"] == "finished" else reason
    expected = [content.words, *([UNDONE, "exit code 128"] if mode == "off" else [FIRST_CHECK])]
    return (
        "" if task["state"] == "failed" and any(words in reason for words in expected) else f"{task['state']} {reason}"
    )
