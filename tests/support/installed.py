"""The whole loop with an installed gitorch: queue, run, approve, merge, undo. Only the standard library is used.

python tests/support/installed.py /path/to/orchestrate
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

CONFIG = """\
agent = "sh"
[agents.sh]
kind = "command"
command = ["/bin/sh", "-c", "echo x > made.txt && git add made.txt && git commit -qm Make"]
[checks]
made = "test -f made.txt"
[sandbox]
mode = "off"
"""


def main() -> None:
    """Check the program that is named by the arguments."""
    with tempfile.TemporaryDirectory() as folder:
        check(sys.argv[1:], Path(folder), os.environ)
    print("the whole loop works")


def check(program: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Do the whole loop in a new repository below `folder`; raise `CalledProcessError` or `AssertionError`."""
    home, repository = folder / "home", folder / "repository"
    repository.mkdir(parents=True)
    (home / "gitorch").mkdir(parents=True)
    (home / "gitorch" / "config.toml").write_text(CONFIG, "utf-8")
    (home / ".gitconfig").write_text("[user]\nname = A\nemail = a@example.org\n[init]\ndefaultBranch = main\n", "utf-8")
    kept = {name: text for name, text in environment.items() if not name.startswith(("GIT_", "GITORCH_"))}
    env = {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}

    def run(*words: str) -> str:
        done = subprocess.run(words, cwd=repository, env=env, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode()

    run("git", "init", "-q")
    run("git", "commit", "-q", "--allow-empty", "-m", "Begin")
    assert "gitorch" in run(*program, "--version")
    run(*program, "submit", "Make a file")
    run(*program, "run")
    (task,) = json.loads(run(*program, "status", "--json"))["tasks"]
    assert (task["state"], task["checks"]["passed"]) == ("finished", True), task
    run(*program, "approve", task["id"])
    run(*program, "merge")
    assert run("git", "show", "orch/integration:made.txt") == "x\n"
    run(*program, "undo")
    assert json.loads(run(*program, "status", "--json"))["tasks"][0]["state"] == "approved"
    assert "complete" in run(*program, "completion", "bash")


if __name__ == "__main__":
    main()
