"""The code blocks of a page, run as a reader would: one after the other, in one repository."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from tests.support import forkserver

_AGENT = """\
printf '%s\\n' "$GITORCH_TASK" >> "$GITORCH_TASK.txt"
git add -A && git commit -q -m "Work on $GITORCH_TASK"
"""
_CONFIG = """\
agent = "script"
[agents.script]
kind = "command"
command = ["/bin/sh", "{agent}"]
"""


def blocks(page: Path) -> list[list[str]]:
    """Return the commands of each block of a page, without their prompts; every block is one of commands."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found
    assert {language for language, _ in found} == {"console"}, "a block that no test runs"
    return [[line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")] for _, text in found]


def run_blocks(commands: list[list[str]], repository: Path, folder: Path) -> None:
    """Run blocks in a repository in which every task is done by a script; none may fail."""
    (folder / "agent.sh").write_text(_AGENT)
    (repository / ".orchestrate.toml").write_text(_CONFIG.format(agent=folder / "agent.sh"))
    programs = folder / "bin"
    programs.mkdir()
    forkserver.server().install(programs)
    # a clock that shows noon, or a little later: a block works until 07:00
    noon = f"TEST{datetime.now(UTC).hour - 12:+d}"
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "TZ": noon}
    for command in ["orchestrate config trust --yes", *(command for block in commands for command in block)]:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=repository,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
