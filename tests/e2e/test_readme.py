"""Every code block of the README is run, in the order in which a reader meets it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.blocks import blocks, run_blocks
from tests.support.cli import left_behind

ROOT = Path(__file__).parents[2]
INSTALL = "python3 -m venv .venv && .venv/bin/pip install --quiet . && .venv/bin/orchestrate demo"
GATE = ".ci/run"

README = ROOT / "README.md"


def test_two_blocks_install_and_test() -> None:
    """A stranger needs two commands: the first one of the page, and the one that runs this very test."""
    assert blocks(README)[0] == [INSTALL]
    assert blocks(README).count([GATE]) == 1
    assert os.access(ROOT / GATE, os.X_OK)
    subprocess.run(["bash", "-n", GATE], cwd=ROOT, check=True)


@pytest.mark.slow
def test_the_install_block_runs_the_demo_from_a_clean_copy(tmp_path: Path) -> None:
    """The first command of the README installs into a fresh environment and shows the whole loop."""
    copy = tmp_path / "clone"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).exists() or (ROOT / name).is_symlink():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    (tmp_path / "scratch").mkdir()
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    # compiling thousands of modules of the SDK, which the demo does not import, takes half of the time
    # (PIP_NO_COMPILE=1 would compile them: pip takes the value for that of --compile)
    environment = {**inherited, "PIP_COMPILE": "0", "TMPDIR": str(tmp_path / "scratch")}
    done = subprocess.run(["bash", "-c", INSTALL], cwd=copy, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "shell scripts" in done.stderr
    assert "no model" in done.stdout + done.stderr
    for command in ("submit", "run", "status", "review", "diff", "approve", "merge --dry-run", "merge"):
        assert f"$ orchestrate {command}" in done.stderr
    assert "git log --oneline --graph orch/integration" in done.stderr
    assert "merged" in done.stdout
    assert list((tmp_path / "scratch").iterdir()) == []
    assert left_behind(tmp_path) == []


def test_the_other_blocks_work_in_a_repository(repository_folder: Path, tmp_path: Path) -> None:
    """The loop and the first night of the README end without an error, one block after the other."""
    others = [block for block in blocks(README) if block not in ([INSTALL], [GATE])]
    run_blocks(others, repository_folder, tmp_path)
