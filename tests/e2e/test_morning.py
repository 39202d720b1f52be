"""A whole morning at a small terminal: work reviewed, asked about, sent back, mended by hand, merged and taken back."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.support import terminal
from tests.support.cli import Cli
from tests.support.git import git

LONG = "src/services/authentication/providers/external_identity_provider_configuration.py"

AGENT = f"""\
#!/bin/sh -e
brief=$(cat)
case "$brief" in
*"has questions"*)
  echo "Answer 1: scrypt needs a salt, and no column of the table has room for one." ;;
*"Comments of the review"*)
  sed -i s/sha256/scrypt/ {LONG}; git commit -qam "Use scrypt"
  echo "Comment 1: done $(git rev-parse --short HEAD)" ;;
*"# Task: Add sessions"*)
  mkdir -p {Path(LONG).parent}; printf 'def hashed(password):\\n    return sha256(password)\\n' > {LONG}
  git add -A; git commit -qm "Add sessions"; echo "Sessions, with a hash of the password." ;;
*"# Task: Add a login page"*)
  echo "<form>" > login.html; git add -A; git commit -qm "Add a login page"; echo "A page." ;;
esac
"""
CONFIG = """\
agent = "worker"
[agents.worker]
kind = "command"
command = ["{agent}"]
[checks]
test = "! grep -rq broken src"
"""


def executable(file: Path, text: str) -> Path:
    """Write a program."""
    file.write_text(text)
    file.chmod(0o755)
    return file


def environment(cli: Cli, folder: Path) -> dict[str, str]:
    """Return the environment of a person whose editor writes the words of `WORDS`."""
    editor = executable(folder / "editor.sh", '#!/bin/sh\nsed -i -e "1i $WORDS" "$1"\n')
    path = f"{Path(sys.executable).parent}{os.pathsep}{cli.environment['PATH']}"
    words = {"WORDS": "use scrypt here", "PAGER": "cat"}
    return {**cli.environment, **words, "VISUAL": str(editor), "PATH": path}


@terminal.NEEDED
def test_a_morning_at_a_small_terminal(repository_folder: Path, tmp_path: Path) -> None:
    """Every step ends on a screen of 80 columns that says what happened and what to do next."""
    agent = executable(tmp_path / "agent.sh", AGENT)
    cli = Cli(repository_folder, CONFIG.format(agent=agent), GITORCH_SANDBOX_MODE="off")
    cli("submit", "Add sessions")
    cli("submit", "Add a login page", "--after", "add-sessions")
    cli.run()
    before = git("for-each-ref", "refs/heads/main", cwd=cli.folder)
    screens: list[str] = []
    with terminal.terminal(tmp_path, cli.folder, environment(cli, tmp_path), (80, 24)) as screen:

        def do(line: str, *shown: str, then: str = "ready> ") -> str:
            screen.clear()
            screen.type(line)
            screens.append("\n".join(screen.settled(*shown, then)))
            (tmp_path / "screens.txt").write_text("\n=====\n".join(screens))
            return screens[-1]

        def key(name: str, *shown: str, then: str = "[?] ") -> str:
            screen.clear()
            screen.press(name)
            screens.append("\n".join(screen.settled(*shown, then)))
            (tmp_path / "screens.txt").write_text("\n=====\n".join(screens))
            return screens[-1]

        screen.type("PS1='ready> '")
        screen.shows("ready> '", "ready> ")
        do("orchestrate", "add-sessions", "review")
        do("orchestrate review add-sessions", "Risk", then="[?] ")
        key("q", then="ready> ")
        do(f"orchestrate comment add-sessions {LONG}:2 -m '?? why sha256'", "1 comment")
        do("orchestrate revise add-sessions", "next: orchestrate run")
        do("orchestrate run -q")
        do("orchestrate review add-sessions", "Answers", "no column of the table", then="[?] ")
        key("c", "1 comment waits to be sent")
        key("r", "sent add-sessions back", then="ready> ")
        do("orchestrate run -q")
        do("orchestrate review add-sessions", "attempt 3", then="[?] ")
        key("i", "since it was sent back", "use scrypt here", "done", "+    return scrypt(password)", then="[?] ")
        key("q", then="ready> ")
        do(f"cd ../repo.orch/add-sessions; echo '# salted' >> {LONG}; git commit -qam 'Say so'; cd -")
        do("orchestrate check add-sessions", "1 commit by Una User", "next: orchestrate review")
        do("orchestrate run -q")
        do("orchestrate review", "2 tasks to review", "1/2", then="[?] ")
        key("a", "approved add-sessions", "2/2")
        key("a", "approved add-a-login-page", then="ready> ")
        do("orchestrate merge", "add-sessions", "add-a-login-page")
        do("orchestrate undo", "merge")
        do("orchestrate report", "add-sessions")
    assert cli.states() == {"add-sessions": "approved", "add-a-login-page": "approved"}
    assert all(len(line) <= 80 for screen_text in screens for line in screen_text.split("\n"))
    assert "not approved" not in screens[-5]  # of the second card, after the first was approved
    assert git("for-each-ref", "refs/heads/main", cwd=cli.folder) == before
