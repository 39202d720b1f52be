"""Filters of the user run none of an agent's files: not when its work is collected, saved or checked out."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.git.repository import Repository
from gitorch.git.worktree_list import find
from gitorch.git.worktrees import rescue_points, worktree_status
from gitorch.rooms.protocol import Collected
from tests.support import sandbox
from tests.support.git import git

_UPPER = "#!/bin/sh\nexec tr a-z A-Z\n"
_EVIL = "touch '{proof}'; cat"
_MODULE = "import subprocess, sys\nsys.stdout.write(sys.stdin.read().upper())\n"


@pytest.fixture
def filtered(repository_folder: Path) -> Path:
    """A repository with two filters: a script of its own, and a module that Python finds where it starts."""
    for name, text in {"upper.sh": _UPPER, "upper.py": _MODULE, "a.txt": "A\n", "a.nb": "A\n"}.items():
        (repository_folder / name).write_text(text)
    (repository_folder / "upper.sh").chmod(0o755)
    (repository_folder / ".gitattributes").write_text("*.txt filter=script\n*.nb filter=mod=ule\n")
    for key, command in {"script": "./upper.sh", "mod=ule": "python3 -m upper"}.items():
        for kind in ("clean", "smudge"):
            git("config", f"filter.{key}.{kind}", command, cwd=repository_folder)
        git("config", f"filter.{key}.required", "true", cwd=repository_folder)
    git("add", "-A", cwd=repository_folder)
    git("commit", "-qm", "Filters", cwd=repository_folder)
    return repository_folder


@pytest.mark.parametrize("mode", ["bwrap", "landlock"])
def test_a_filter_runs_nothing_of_an_agent(filtered: Path, mode: str, tmp_path: Path) -> None:
    """It runs all the same, as the user has it, and its result is what is committed."""
    proof = tmp_path / "proof"
    room = sandbox.room_in(filtered, mode=mode)
    script = _EVIL.format(proof=proof)
    module = f"import os; open({str(proof)!r}, 'w'); print('X')"
    sandbox.act(
        room,
        f"""printf '#!/bin/sh\\n{script}\\n' > upper.sh; echo "{module}" > upper.py
        echo b > a.txt; echo c > a.nb""",
    )
    repository = Repository.discover(filtered)
    worktree = find(repository, room.directory)
    assert worktree is not None
    assert set(worktree_status.uncommitted(repository, worktree).paths) >= {"a.nb", "a.txt", "upper.py", "upper.sh"}
    assert rescue_points.rescue(repository, worktree, "refs/gitorch/rescue/t", "saved") is not None  # type: ignore[arg-type]
    assert isinstance(room.collect("work"), Collected)
    assert git("show", "orch/t:a.txt", "orch/t:a.nb", cwd=filtered).split() == ["B", "C"]
    assert "touch" in git("show", "orch/t:upper.sh", cwd=filtered)
    worktree.git(repository, "checkout", "-q", "--force", "HEAD~1")
    worktree.git(repository, "checkout", "-q", "--force", "orch/t")
    assert not proof.exists()
